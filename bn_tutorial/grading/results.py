"""The folder of results: one file a submission, so that a run that was killed goes on."""

import csv
import hashlib
import io
import json
import os
from functools import cache
from pathlib import Path

import torch

from bn_tutorial import checks

FORMAT = 1


class ResultsError(ValueError):
    """A folder that can't take the results; the message is for the teacher."""


@cache
def version():
    """Return a digest of what decides about points: the grader, the checks and PyTorch."""
    digest = hashlib.sha256(torch.__version__.encode())
    folders = Path(__file__).parent, Path(checks.__file__).parent
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def key(submission, assignment, limits, confined, grader):
    """Return the name of a submission's results: a digest of all that decides about them."""
    parts = (submission.digest, assignment.digest, repr(limits), repr(confined), grader)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class ResultsFolder:
    """A results folder.

    Parameters
    ----------
    path : Path
        New or empty, or one with results of the same assignment.
    assignment : str
        Its name.

    Raises
    ------
    ResultsError
        If it holds something else, or can't be written to.
    """

    def __init__(self, path, assignment):
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._claim(assignment)
            for name in ("results", "feedback"):
                (path / name).mkdir(exist_ok=True)
                self._probe(path / name)
        except OSError as error:
            raise ResultsError(
                f"--out: expected a folder to write to, got {error.filename or path}: "
                f"{error.strerror}"
            ) from None

    def _claim(self, assignment):
        mark = self.path / "run.json"
        mine = {"assignment": assignment, "format": FORMAT}
        if mark.exists():
            try:
                found = json.loads(mark.read_text(encoding="utf-8"))
            except ValueError:
                found = None
            if found != mine:
                other = found.get("assignment") if isinstance(found, dict) else "something else"
                raise ResultsError(
                    f"--out: expected results of {assignment} in {self.path}, got those of "
                    f"{other}: name another folder"
                )
        elif any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise ResultsError(
                f"--out: expected a new or empty folder, or one with results, got {self.path} "
                "with other files in it"
            )
        self.write("run.json", json.dumps(mine) + "\n")

    @staticmethod
    def _probe(folder):
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()

    def write(self, name, text):
        """Write a file as a whole or not at all."""
        path = self.path / name
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_text(text, encoding="utf-8", newline="")
            os.replace(unfinished, path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None

    def save(self, key, results):
        """Keep the results of a submission."""
        self.write(f"results/{key}.json", json.dumps(results, indent=1) + "\n")

    def saved(self, key):
        """Return the results of a submission, or None where there are none yet."""
        try:
            results = json.loads((self.path / f"results/{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return results if isinstance(results, list) else None

    def feedback(self, pages):
        """Write the feedback pages, dict of file name to HTML, and remove older ones."""
        for name, page in pages.items():
            self.write(f"feedback/{name}", page)
        for path in (self.path / "feedback").glob("*.html"):
            if path.name not in pages:
                path.unlink()

    def marked_by_hand(self, texts):
        """Return what the teacher has filled in: student -> {name: points as they were written}.

        Parameters
        ----------
        texts : list of FreeText

        Returns
        -------
        dict of str to dict
            With ``"submission"`` beside the points, to see whether it is still the same.

        Raises
        ------
        ResultsError
            If grades.csv is not as it was written, but for these columns.
        """
        path = self.path / "grades.csv"
        if not path.exists():
            return {}
        try:
            text = path.read_text(encoding="utf-8-sig")
        except ValueError:
            raise ResultsError(f"{path}: expected UTF-8; save it so, or move it away") from None
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","  # some spreadsheets'
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
        if "student" not in header or "submission" not in header:
            raise ResultsError(f"{path}: expected the columns it was written with; move it away")
        names = ["submission", *(text.name for text in texts)]
        marked = {}
        for row in rows:
            kept = {name: (row.get(name) or "").strip() for name in names}
            _check_points(path, row["student"], kept, texts)
            if any(kept[text.name] for text in texts):
                marked[row["student"]] = kept
        return marked


def _check_points(path, student, row, texts):
    for text in texts:
        try:
            right = not row[text.name] or 0 <= float(row[text.name]) <= text.points
        except ValueError:
            right = False
        if not right:
            raise ResultsError(
                f"{path}, {student}, {text.name}: expected points from 0 to {text.points:g}, "
                f"got {row[text.name]!r}"
            )
