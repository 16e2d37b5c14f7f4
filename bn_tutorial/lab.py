"""The course for a learner: its notebooks in a folder of her own, opened in JupyterLab."""

import hashlib
import json
import os
from pathlib import Path

from bn_tutorial._files import NOTEBOOKS, PACKAGE

RECORD = ".handed_out.json"  # in the folder: the digest of each notebook as it was handed out
# no question about news before the first cell; explorers are saved with their last picture
SETTINGS = PACKAGE / "lab_settings"


def hand_out(folder: Path, notebooks: Path = NOTEBOOKS) -> dict[str, list[str]]:
    """Copy the course's notebooks into a folder, without outputs and never over a learner's work.

    A stored output would give an answer away. A notebook that was handed out before and is as it
    was then is replaced by that of this version; one that was changed, or run, stays.

    Parameters
    ----------
    folder : Path
        Made if it isn't there.
    notebooks : Path
        Where they come from.

    Returns
    -------
    dict of str to list of str
        The names of the notebooks that were ``"added"``, those that were ``"updated"``, and those
        that ``"differ"``: kept as they are, though the course has another version now.

    Raises
    ------
    OSError
        If the folder can't be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record, news = _read(folder / RECORD), {"added": [], "updated": [], "differ": []}
    for source in sorted(notebooks.glob("[0-9][0-9]_*.ipynb")):
        name, target, text = source.name, folder / source.name, _without_outputs(source)
        before, now = record.get(name), _digest(text)
        held = _digest(target.read_bytes()) if target.exists() else None
        kind = "added" if held is None else "updated" if held == before else "differ"
        if held is None or now not in (before, held):
            news[kind].append(name)
            if kind == "differ":
                continue
            _write(target, text)
        record[name] = now
    _write(folder / RECORD, json.dumps(record, indent=1).encode())
    return news


def start(folder: Path, arguments: list[str]):
    """Hand out the course and open JupyterLab on its first notebook; return when it is closed.

    Parameters
    ----------
    folder : Path
    arguments : list of str
        For JupyterLab, such as ``["--no-browser"]``.

    Raises
    ------
    OSError
        If the folder can't be written to.
    """
    news = hand_out(folder)
    if news["added"]:
        print(f"{folder}: {len(news['added'])} notebooks added, without their outputs")
    if news["updated"]:
        print(f"{folder}: updated {', '.join(news['updated'])}")
    if news["differ"]:
        print(
            f"{folder}: {', '.join(news['differ'])} changed in the course and by you: yours is "
            "kept; rename it to get the new one too"
        )
    first = min(folder.glob("[0-9][0-9]_*.ipynb"))
    from jupyterlab.labapp import LabApp

    course = {
        "ServerApp.root_dir": folder,
        "LabApp.default_url": f"/lab/tree/{first.name}",
        "LabApp.app_settings_dir": SETTINGS,
        "Exporter.preprocessors": "bn_tutorial.saved.LastPictures",  # for Save and Export as
    }
    LabApp.launch_instance([*(f"--{name}={value}" for name, value in course.items()), *arguments])


def _without_outputs(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def _digest(text):
    return hashlib.sha256(text).hexdigest()


def _read(path):
    """Return the record, or an empty one where there is none to be read: nothing is lost then."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path, text):
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(text)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
