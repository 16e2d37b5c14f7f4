"""A question that the reader answers before the notebook does, and how far off the guesses were."""

from collections.abc import Sequence
from pathlib import Path

import anywidget
import matplotlib.pyplot as plt
import traitlets

from bn_tutorial._expect import expect_kind, expect_number
from bn_tutorial.claim import as_number, in_words
from bn_tutorial.explorers._guess_panels import plot_guesses
from bn_tutorial.explorers.picture import LOCK

asked: dict[str, "Guess"] = {}  # of this kernel, by their questions: a cell run again asks anew


class Guess(anywidget.AnyWidget):
    """A question with a field for a number, or with some choices, and a button.

    A cell shows it, and ``reveal`` in the next one tells the truth beside the guess. From then on
    the guess stands. Who doesn't answer is told the truth as well.

    Parameters
    ----------
    question : str
    choices : sequence of str, optional
        The possible answers. Without them the answer is a number.
    unit : str
        Of the number, such as ``"nats"`` or ``"%"``.

    Attributes
    ----------
    answer : float, str or None
        The guess.
    truth : float, str or None
        What was revealed.

    Examples
    --------
    >>> guess = Guess("What will the first loss be?", unit="nats")
    >>> guess.answer = 3.3
    >>> guess.reveal(17.2191)
    You said 3.3 nats, it is 17.2 nats.
    """

    _esm = Path(__file__).with_suffix(".js")
    question = traitlets.Unicode().tag(sync=True)
    choices = traitlets.List(traitlets.Unicode()).tag(sync=True)
    unit = traitlets.Unicode().tag(sync=True)
    said = traitlets.Unicode().tag(sync=True)  # what stands in the field, or which choice
    text = traitlets.Unicode().tag(sync=True)  # the line below
    revealed = traitlets.Bool().tag(sync=True)

    def __init__(self, question: str, choices: Sequence[str] = (), *, unit: str = ""):
        expect_kind("question", question, str)
        expect_kind("choices", choices, (list, tuple))
        for choice in choices:
            expect_kind("choices", choice, str)
        if len(choices) == 1 or len(set(choices)) < len(choices):
            raise ValueError(f"choices: expected two or more, all different, got {choices!r}")
        expect_kind("unit", unit, str)
        super().__init__(question=question, choices=list(choices), unit=unit)
        self._answer = self.truth = None
        self.on_msg(self._heard)
        asked[question] = self

    @property
    def answer(self):
        """The guess, or None; to be set until the truth is revealed."""
        return self._answer

    @answer.setter
    def answer(self, value):
        with LOCK:
            if self.revealed:
                raise ValueError("answer: the truth is out; to guess again, run the cell again")
            self._answer = self._expect_answer("answer", value)
            self.said = value if self.choices else f"{self._answer:g}"
            self.text = f"You say {self._told(self._answer)}. Run on to see."

    def reveal(self, truth: float | str) -> None:
        """Print the guess and the truth. From now on the guess stands.

        Parameters
        ----------
        truth : float or str
            A number (it may be a scalar tensor, infinite or nan), or one of the choices.
        """
        with LOCK:
            if self.choices:
                self._expect_answer("truth", truth)
            else:
                truth = as_number("truth", truth)
            self.truth = truth
            again = "" if self.answer is not None else " To guess first, run this cell again."
            with self.hold_sync():  # one change of the text: it is spoken
                self.revealed, self.text = True, self._result() + again
            print(self._result())

    def _result(self):
        told = self._told(self.truth)
        if self.answer is None:
            return f"You made no guess. It is {told}."
        mine = self._told(self.answer)
        return f"You said {mine}, {'and so it is' if mine == told else f'it is {told}'}."

    def _told(self, value):
        if isinstance(value, str):
            return value
        space = " " if self.unit and self.unit != "%" else ""
        return f"{in_words(value)}{space}{self.unit}"

    def _expect_answer(self, name, value):
        if not self.choices:
            return expect_number(name, value)
        if value not in self.choices:
            raise ValueError(f"{name}: expected one of {self.choices}, got {value!r}")
        return value

    def _heard(self, _widget, content, _buffers):
        given = str(content.get("guess", "")).strip()
        try:
            self.answer = given if self.choices else float(given.removesuffix(self.unit))
        except ValueError:
            if not self.revealed:
                wanted = (
                    "Choose one first." if self.choices else "Type a number, such as 0.5 or 1e-7."
                )
                self.text = wanted

    def __repr__(self):
        kind = f" ({' / '.join(self.choices)})" if self.choices else ""
        kind = f" ({self.unit})" if self.unit else kind
        mine = "no guess yet" if self.answer is None else self._told(self.answer)
        return f"Guess first: {self.question}{kind} [{mine}]"


def guesses() -> None:
    """Print how far off the guesses of this notebook were, and draw them where there are any."""
    revealed = [guess for guess in asked.values() if guess.revealed]
    made = [guess for guess in revealed if guess.answer is not None]
    if not made:
        print(f"You made no guess; the notebook asked for {len(revealed)}.")
        return
    right = [guess.answer == guess.truth for guess in made if guess.choices]
    parts = [f"You made {len(made)} of {len(revealed)} guesses."]
    if right:
        parts.append(f"Of {len(right)} choices {sum(right)} were right.")
    if len(right) < len(made):
        parts.append("The picture shows how far off the numbers were.")
    print(*parts)
    _, ax = plt.subplots(figsize=(8, 0.9 + 0.45 * len(made)), layout="constrained")
    plot_guesses([(g.question, g.answer, g.truth, g._result()) for g in made], ax=ax)
