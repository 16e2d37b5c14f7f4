"""The folder of results: one file a submission, so that a run that was killed goes on."""

import hashlib
import json
import os
import secrets
from functools import cache
from itertools import count
from pathlib import Path

import torch

from bn_tutorial import checks

FORMAT = 2


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


def key(submission, assignment, limits, confined, grader, seed):
    """Return the name of a submission's results: a digest of all that decides about them."""
    parts = (submission.digest, assignment.digest, repr((limits, confined, seed)), grader)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


class ResultsFolder:
    """A results folder.

    Parameters
    ----------
    path : Path
        New or empty, or one with results of the same assignment.
    assignment : str
        Its name.

    Attributes
    ----------
    seed : int
        Secret: of the inputs that no student has seen, and of the codes in marks.csv.

    Raises
    ------
    ResultsError
        If it holds something else, or can't be written to.
    """

    def __init__(self, path, assignment):
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self.seed = self._claim(assignment)
            for name in ("results", "feedback", "questions"):
                (path / name).mkdir(exist_ok=True)
                self._probe(path / name)
        except OSError as error:
            raise ResultsError(
                f"--out: expected a folder to write to, got {error.filename or path}: "
                f"{error.strerror}"
            ) from None

    def _claim(self, assignment):
        """Return the seed of the folder: drawn when it is new, and the same ever after."""
        mark = self.path / "run.json"
        mine = {"assignment": assignment, "format": FORMAT}
        found, seed = {}, secrets.randbits(48)
        if mark.exists():
            try:
                found = json.loads(mark.read_text(encoding="utf-8"))
                seed = found.pop("seed")
            except (AttributeError, KeyError, ValueError):
                found = {}
            if found != mine or not isinstance(seed, int):
                other = found.get("assignment", "something else")
                raise ResultsError(
                    f"--out: expected results of {assignment} in {self.path}, got those of "
                    f"{other}: name another folder"
                )
        elif any(not path.name.startswith(".") for path in self.path.iterdir()):
            raise ResultsError(
                f"--out: expected a new or empty folder, or one with results, got {self.path} "
                "with other files in it"
            )
        if not found:
            self.write("run.json", json.dumps({**mine, "seed": seed}) + "\n")
        return seed

    @staticmethod
    def _probe(folder):
        probe = folder / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()

    def write(self, name, content):
        """Write a file, of text or bytes, as a whole or not at all."""
        path = self.path / name
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            raw = content if isinstance(content, bytes) else content.encode()
            unfinished.write_bytes(raw)
            os.replace(unfinished, path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise OSError(error.errno, error.strerror, str(path)) from None

    def write_table(self, name, text):
        """Write a table for a spreadsheet; return where one that was changed is kept, or None.

        The mark in front tells a spreadsheet that it is UTF-8.
        """
        path, trace = self.path / name, self.path / f".{name}.sha256"
        new, kept = hashlib.sha256(("\ufeff" + text).encode()).hexdigest(), None
        if path.exists() and trace.exists():
            old = hashlib.sha256(path.read_bytes()).hexdigest()
            if old not in trace.read_text().split():
                names = (f"{path.stem} (changed {i}).csv" for i in count(1))
                kept = next(place for n in names if not (place := path.with_name(n)).exists())
                os.replace(path, kept)
            new = f"{old}\n{new}"  # both: this may be ended between the two files
        self.write(trace.name, new)
        self.write(name, "\ufeff" + text)
        return kept

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

    def forget(self, key):
        """Remove the results of a submission."""
        (self.path / f"results/{key}.json").unlink(missing_ok=True)

    def pages(self, folder, pages):
        """Write the pages of a folder, dict of file name to HTML, and remove older ones."""
        for name, page in pages.items():
            self.write(f"{folder}/{name}", page)
        for path in (self.path / folder).glob("*.html"):
            if path.name not in pages:
                path.unlink()
