"""The command ``bn-tutorial``."""

import argparse
import sys
from pathlib import Path

from bn_tutorial import lab
from bn_tutorial.grading import cli as grading


def main(arguments: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process, if not given.

    Returns
    -------
    int
        0; 2 where the command can't be carried out; 130 where it was interrupted.
    """
    parser = argparse.ArgumentParser(prog="bn-tutorial", description="The course on batch norm.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_lab(commands)
    grading.add_to(commands)
    options, more = parser.parse_known_args(arguments)
    if more and options.run is not _run_lab:
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    options.more = more
    try:
        return options.run(options)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"bn-tutorial: {where}{error.strerror or error}", file=sys.stderr)
        return grading.WRONG_USE


def _add_lab(commands):
    parser = commands.add_parser(
        "lab",
        help="copy the notebooks into a folder and open JupyterLab there",
        description="Copy the notebooks into a folder, without their outputs and never over "
        "your own work, and open JupyterLab on the first one. Other arguments go to JupyterLab.",
    )
    parser.add_argument(
        "folder", metavar="DIR", type=Path, nargs="?", default=Path("my_course"), help="%(default)s"
    )
    parser.set_defaults(run=_run_lab)


def _run_lab(options):
    lab.start(options.folder, options.more)
    return 0


if __name__ == "__main__":
    sys.exit(main())
