"""Execute the course's notebooks from a clean kernel and store their outputs.

``python tools/run_notebooks.py [NOTEBOOK ...]``, or ``make notebooks`` for all of them. The same
cells give the same file, byte for byte: no timings, no widget state, no version of the machine.
"""

import asyncio
import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def course():
    """Return the notebooks of the course, in reading order."""
    return sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def execute(path, environment=None):
    """Execute a notebook in its folder.

    Parameters
    ----------
    path : Path
    environment : dict of str to str, optional
        Variables that the kernel gets beside those of this process.

    Returns
    -------
    NotebookNode
        With outputs, as it is to be stored.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell raises that is not tagged ``raises-exception``.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=300,
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
    )
    asyncio.run(client.async_execute(env=os.environ | (environment or {})))
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def store(notebook, path):
    """Store a notebook whole or not at all: written beside the old one, then renamed."""
    text = nbformat.writes(notebook) + "\n"
    path = path.resolve()  # a link stays one
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8")
        if path.exists():
            beside.chmod(path.stat().st_mode)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def main(names):
    """Execute and store the named notebooks, or the whole course."""
    paths = [Path(name) for name in names] or course()
    for folder in dict.fromkeys(path.resolve().parent for path in paths):
        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            sys.exit(f"{folder}: expected a folder to write to, got {error.strerror}")
    for path in paths:
        print(path.name, flush=True)
        store(execute(path), path)


if __name__ == "__main__":
    main(sys.argv[1:])
