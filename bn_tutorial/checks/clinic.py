"""The bug clinic of notebook 12: patients by number, 1 to 12, and who can tell what they have.

A number that no patient has is a ``ValueError``.

>>> from bn_tutorial.checks import clinic
>>> clinic.check(4, "buffers_not_registered").passed
False
>>> clinic.check(1, ...)
not attempted yet (no diagnosis chosen)
"""

from dataclasses import dataclass

from bn_tutorial.checks.clinic_cards import CARDS
from bn_tutorial.checks.clinic_judge import Report, judge
from bn_tutorial.checks.guard import one_line
from bn_tutorial.checks.verdict import Verdict, not_attempted

__all__ = ["PATIENTS", "Report", "ScoreCard", "check", "choices", "judge", "patient", "score"]

PATIENTS = len(CARDS)


def patient(number):
    """Return a patient. Neither its name nor that of its arguments tells what it has.

    Most are layers, ``cls(num_features, eps=1e-5, momentum=0.1)``; 6 is a forward pass
    ``fn(x, weight, bias, eps) -> y``, 7 a backward pass
    ``fn(dy, x, weight, eps) -> (dx, dweight, dbias)`` and 10 a fold
    ``fn(linear, batch_norm) -> linear``.
    """
    code, name = _card(number).bug.code, f"Patient{number}"
    if isinstance(code, type):
        return type(name, (code,), {"__module__": __name__})

    def treated(*arguments):
        return code(*arguments)

    treated.__name__ = treated.__qualname__ = name.lower()
    return treated


def choices(number):
    """Return the diagnoses to choose from: a dict with each name, and what it means."""
    card = _card(number)
    names = sorted([card.bug.name, *card.ruled_out])
    return {name: card.meaning(name) for name in names}


def check(number, diagnosis):
    """Return the ``Verdict`` on a diagnosis, one of ``choices(number)``.

    None or ``...`` stands where none is chosen yet. If it is wrong, the message names the
    observation that speaks against it.
    """
    card = _card(number)
    if diagnosis is None or diagnosis is ...:
        return not_attempted("no diagnosis chosen")
    if not isinstance(diagnosis, str) or diagnosis not in choices(number):
        names = ", ".join(choices(number))
        return Verdict(False, None, f"expected one of {names}; got {one_line(repr(diagnosis))}")
    if diagnosis == card.bug.name:
        return Verdict(True, None, card.proof)
    return Verdict(False, None, card.ruled_out[diagnosis])


@dataclass(frozen=True)
class ScoreCard:
    """How many patients were diagnosed.

    Attributes
    ----------
    right, wrong, open : list of int
        The patients' numbers.
    """

    right: list[int]
    wrong: list[int]
    open: list[int]

    def __repr__(self):
        lines = [f"{len(self.right)} of {PATIENTS} patients diagnosed"]
        for name in ("right", "wrong", "open"):
            numbers = ", ".join(map(str, getattr(self, name)))
            lines.append(f"{name:6} {numbers or '-'}")
        return "\n".join(lines)


def score(diagnoses):
    """Return the ``ScoreCard`` of a dict of diagnoses by the patient's number.

    What is missing counts as not chosen.

    Examples
    --------
    >>> score({1: "layer_whole_array"})
    0 of 12 patients diagnosed
    right  -
    wrong  1
    open   2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
    """
    card = ScoreCard([], [], [])
    for number in range(1, PATIENTS + 1):
        verdict = check(number, diagnoses.get(number))
        row = card.right if verdict else card.wrong if verdict.attempted else card.open
        row.append(number)
    return card


def _card(number):
    if not isinstance(number, int) or number not in range(1, PATIENTS + 1):
        raise ValueError(f"expected the number of a patient, 1 to {PATIENTS}, got {number!r}")
    return CARDS[number - 1]
