"""Make the site: all notebooks as pages whose explorers live without a kernel.

``make site``, or ``python -m tools.site [--repository OWNER/NAME] [--hub URL] [FOLDER]``.
"""

import argparse
from pathlib import Path

from tools.run_notebooks import course
from tools.site.build import build

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments=None):
    """Make the site and say how large it is."""
    parser = argparse.ArgumentParser(prog="python -m tools.site", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "site")
    parser.add_argument("--repository", default="", help="OWNER/NAME on GitHub, for links to it")
    parser.add_argument(
        "--hub", default="", help="address of a JupyterHub, for an nbgitpuller link"
    )
    given = parser.parse_args(arguments)
    build(given.folder, course(), repository=given.repository, hub=given.hub)
    sizes = [path.stat().st_size for path in given.folder.rglob("*") if path.is_file()]
    print(f"{given.folder}: {len(sizes)} files, {sum(sizes) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
