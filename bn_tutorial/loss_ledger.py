"""The loss ledger: the models of all notebooks and their losses, in one table."""

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bn_tutorial._expect import expect_kind, expect_number

FILE = Path(__file__).with_suffix(".csv")
COLUMNS = ["notebook", "model", "train", "val"]
AGREES = 0.001  # nats: but for rounding, the course's losses are the same on all machines


@dataclass(frozen=True)
class Entry:
    """A model of a notebook, with its losses over the whole splits, in nats."""

    notebook: str
    model: str
    train: float
    val: float

    @property
    def key(self) -> tuple[str, str]:
        return self.notebook, self.model

    def agrees(self, other: "Entry") -> bool:
        """Say whether both losses are within ``AGREES`` of another entry's."""
        pairs = (self.train, other.train), (self.val, other.val)
        return all(abs(mine - theirs) <= AGREES for mine, theirs in pairs)


@dataclass(frozen=True)
class Ledger:
    """The table, as a notebook shows it.

    Attributes
    ----------
    notebook : str
        Whose end it stands at.
    entries : list of Entry
        Of this notebook and of those before it, in the order of the course.
    differing : list of Entry
        What was measured here and is not what the course keeps.
    """

    notebook: str
    entries: list[Entry]
    differing: list[Entry]

    def __repr__(self) -> str:
        rows = [(" ", "notebook", "model", "train", "val")]
        for e in self.entries:
            mark = "*" if e.notebook == self.notebook else " "
            rows.append((mark, e.notebook, e.model, f"{e.train:.3f}", f"{e.val:.3f}"))
        first, second = (max(len(row[i]) for row in rows) for i in (1, 2))
        lines = [f"{m} {n:{first}}  {name:{second}}  {t:>6} {v:>6}" for m, n, name, t, v in rows]
        lines.append("* measured in this notebook")
        if self.differing:
            lines.append("These rows are not what the course keeps in loss_ledger.csv:")
            lines += [f'{e.notebook},"{e.model}",{e.train:.3f},{e.val:.3f}' for e in self.differing]
        return "\n".join(lines)


def ledger(notebook: str, models: Mapping[str, tuple[float, float]]) -> Ledger:
    """Enter the models of a notebook into the course's table of losses, and show it.

    What was measured is compared with the rows kept in ``loss_ledger.csv``. Within 0.001 nats the
    row is shown as it is kept, so that the table is the same on every machine; where it differs or
    is new it is shown as measured, and once more below the table, as the line to be put into the
    file.

    Parameters
    ----------
    notebook : str
        Its file name without the ending, such as ``"04_calibration"``.
    models : dict of str to tuple of (float, float)
        The losses of each model over the training and the validation split, in nats.

    Returns
    -------
    Ledger
        Shows itself as a table of this notebook's rows and of those before it.

    Raises
    ------
    ValueError
        If the notebook's name does not begin with its number, or a loss is not a finite number.

    Examples
    --------
    >>> ledger("01_dataset", {})
      notebook    model     train    val
    * 01_dataset  uniform   3.332  3.332
    * 01_dataset  unigram   2.946  2.976
    * 01_dataset  bigram    2.513  2.671
    * 01_dataset  trigram   2.203  2.678
    * measured in this notebook
    """
    if not isinstance(notebook, str) or not notebook[:2].isdigit():
        raise ValueError(f'notebook: expected a name like "04_calibration", got {notebook!r}')
    expect_kind("models", models, Mapping)
    measured = [_entry(notebook, model, losses) for model, losses in models.items()]
    rows = {e.key: e for e in read() if e.notebook <= notebook}
    differing = [e for e in measured if e.key not in rows or not e.agrees(rows[e.key])]
    rows |= {e.key: e for e in differing}
    entries = sorted(rows.values(), key=lambda e: e.notebook)  # stable: rows keep their order
    return Ledger(notebook, entries, differing)


def read(path: str | Path = FILE) -> list[Entry]:
    """Read the rows that the package keeps: list of Entry, in the order of the course."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")  # a spreadsheet puts a mark in front
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise ValueError(f"{path}: expected the ledger of losses, got {why}") from None
    lines = csv.reader(text.splitlines())
    if next(lines, None) != COLUMNS:
        raise ValueError(f"{path}, line 1: expected {','.join(COLUMNS)}")
    rows = [_kept(line, f"{path}, line {lines.line_num}") for line in lines]
    return sorted(rows, key=lambda e: e.notebook)


def _kept(line, where):
    try:
        notebook, model, train, val = line
        losses = [expect_number(where, float(loss), 0) for loss in (train, val)]
    except ValueError:
        raise ValueError(f"{where}: expected {','.join(COLUMNS)}, got {line}") from None
    return Entry(notebook, model, *losses)


def _entry(notebook, model, losses):
    try:
        train, val = (float(loss) for loss in losses)
    except (TypeError, ValueError):
        message = f"models[{model!r}]: expected its train and val loss, got {losses!r}"
        raise ValueError(message) from None
    if not (math.isfinite(train) and math.isfinite(val)):
        raise ValueError(f"models[{model!r}]: expected finite losses, got {train} and {val}")
    return Entry(notebook, model, train, val)
