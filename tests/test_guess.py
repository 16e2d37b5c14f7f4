"""A guess comes before the truth, and stands when the truth is out."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from bn_tutorial import explorers
from bn_tutorial.explorers import guess as module
from bn_tutorial.explorers._guess_panels import place_of

Guess = explorers.Guess
NO_NUMBER = "Type a number, such as 0.5 or 1e-7."


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    monkeypatch.setattr(module, "asked", {})
    yield
    plt.close("all")


@pytest.fixture
def number():
    return Guess("What will the first loss be?", unit="nats")


@pytest.fixture
def choice():
    return Guess("Which is lower?", ["plain", "repaired"])


def send(guess, text):
    """What the browser does when the button is pressed."""
    guess._handle_custom_msg({"guess": text}, [])


@pytest.mark.parametrize(
    ("text", "answer"), [("3.3", 3.3), (" 1e-7 ", 1e-7), ("3.3 nats", 3.3), ("-2", -2.0)]
)
def test_a_number_is_committed(number, text, answer):
    send(number, text)
    assert number.answer == answer
    assert number.text == f"You say {answer:.3g} nats. Run on to see."


@pytest.mark.parametrize("text", ["", "much", "nan", "inf", "1,000", "3.3 bits"])
def test_what_is_no_number_is_not_committed(number, text):
    send(number, "5")
    send(number, text)
    assert (number.answer, number.text) == (5, NO_NUMBER)


def test_a_choice_is_committed(choice):
    send(choice, "")
    assert (choice.answer, choice.text) == (None, "Choose one first.")
    send(choice, "other")
    assert choice.answer is None
    send(choice, "repaired")
    assert (choice.answer, choice.said) == ("repaired", "repaired")
    assert choice.text == "You say repaired. Run on to see."


def test_until_the_truth_one_may_change_one_s_mind(number):
    send(number, "3.3")
    send(number, "12")
    assert (number.answer, number.said) == (12, "12")


@pytest.mark.parametrize(
    ("unit", "answer", "truth", "said"),
    [
        ("nats", 3.3, torch.tensor(17.2191), "You said 3.3 nats, it is 17.2 nats."),
        ("%", 50, np.float32(37.5), "You said 50%, it is 37.5%."),
        ("", 17.2, 17.2191, "You said 17.2, and so it is."),
        ("", 5, 0, "You said 5, it is 0."),
        ("", 5, math.nan, "You said 5, it is nan."),
        ("steps", None, 50_000, "You made no guess. It is 50,000 steps."),
    ],
)
def test_the_truth_of_a_number(capsys, unit, answer, truth, said):
    guess = Guess("How much?", unit=unit)
    if answer is not None:
        send(guess, str(answer))
    guess.reveal(truth)
    assert capsys.readouterr().out == said + "\n"
    assert guess.text.startswith(said)
    assert guess.text.endswith("run this cell again.") == (answer is None)
    assert guess.revealed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("plain", "You said plain, it is repaired."),
        ("repaired", "You said repaired, and so it is."),
        (None, "You made no guess. It is repaired."),
    ],
)
def test_the_truth_of_a_choice(capsys, choice, answer, said):
    if answer:
        send(choice, answer)
    choice.reveal("repaired")
    assert capsys.readouterr().out == said + "\n"


@pytest.mark.parametrize("before", ["4", None])
def test_afterwards_nothing_can_be_changed(number, before):
    if before:
        send(number, before)
    number.reveal(17)
    answer, text = number.answer, number.text
    send(number, "17")
    assert (number.answer, number.text) == (answer, text)
    with pytest.raises(ValueError, match="answer: the truth is out"):
        number.answer = 17


@pytest.mark.parametrize("before", ["4", None])
def test_the_line_changes_once_and_so_is_spoken_once(number, before):
    lines = []
    if before:
        send(number, before)
    number.observe(lambda change: lines.append(change.new), "text")
    number.reveal(17)
    assert lines == [number.text]


def test_a_revealing_cell_may_be_run_again(capsys, number):
    send(number, "4")
    number.reveal(17)
    number.reveal(18)
    assert capsys.readouterr().out.splitlines()[-1] == "You said 4 nats, it is 18 nats."


def test_what_a_page_without_a_kernel_shows(number, choice):
    data, _ = number._repr_mimebundle_()
    assert data["text/plain"] == "Guess first: What will the first loss be? (nats) [no guess yet]"
    assert repr(choice) == "Guess first: Which is lower? (plain / repaired) [no guess yet]"
    send(choice, "plain")
    assert repr(choice).endswith("[plain]")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, ()), "question: expected a str, got an int"),
        (("a", "plain"), "choices: expected a list or a tuple, got a str"),
        (("a", [1, 2]), "choices: expected a str, got an int"),
        (("a", ["x"]), "choices: expected two or more, all different"),
        (("a", ["x", "x"]), "choices: expected two or more, all different"),
        (("a", (), 3), "unit: expected a str, got an int"),
    ],
)
def test_a_wrong_question_is_an_error(arguments, message):
    question, choices, unit = (*arguments, "")[:3]
    with pytest.raises((TypeError, ValueError), match=message):
        Guess(question, choices, unit=unit)
    assert module.asked == {}


def test_a_truth_of_another_kind_is_an_error(number, choice):
    with pytest.raises(TypeError, match="truth: expected a number, got 'much'"):
        number.reveal("much")
    with pytest.raises(ValueError, match=r"truth: expected one of \['plain', 'repaired'\]"):
        choice.reveal("other")
    assert not number.revealed
    assert not choice.revealed


# --- all guesses of a notebook ------------------------------------------------------------------


def test_without_a_guess_there_is_a_line_and_no_picture(capsys, number, choice):
    number.reveal(1)
    send(choice, "plain")  # and its truth never shown
    capsys.readouterr()
    explorers.guesses()
    assert capsys.readouterr().out == "You made no guess; the notebook asked for 1.\n"
    assert plt.get_fignums() == []


def test_the_line_and_the_picture(capsys, number, choice):
    unanswered = Guess("And this?")
    send(number, "3.3")
    send(choice, "plain")
    for guess, truth in ((number, 17.2191), (choice, "repaired"), (unanswered, 1)):
        guess.reveal(truth)
    capsys.readouterr()
    explorers.guesses()
    assert capsys.readouterr().out == (
        "You made 2 of 3 guesses. Of 1 choices 0 were right."
        " The picture shows how far off the numbers were.\n"
    )
    (ax,) = plt.gcf().axes
    marks = [line for line in ax.lines if line.get_marker() not in ("", "None")]
    assert [line.get_marker() for line in marks] == ["o", "x"]
    assert marks[0].get_xdata() == pytest.approx(3.3 / 17.2191)
    texts = [text.get_text() for text in ax.texts]
    assert texts == [
        "What will the first loss be?\nYou said 3.3 nats, it is 17.2 nats.",
        "Which is lower?\nYou said plain, it is repaired.",
    ]


def test_a_right_choice_looks_otherwise(choice):
    send(choice, "plain")
    choice.reveal("plain")
    explorers.guesses()
    assert plt.gcf().axes[0].lines[1].get_marker() == "s"


def test_a_cell_that_is_run_again_asks_anew(capsys, number):
    send(number, "3.3")
    number.reveal(17)
    Guess(number.question, unit="nats").reveal(17)
    capsys.readouterr()
    explorers.guesses()
    assert capsys.readouterr().out == "You made no guess; the notebook asked for 1.\n"


@pytest.mark.parametrize(
    ("guess", "truth", "place"),
    [
        (2, 4, (0.5, "o")),
        (-2, -4, (0.5, "o")),
        (0, 0, (1, "o")),
        (40, 4, (10, "o")),
        (41, 4, (10, ">")),
        (0.1, 4, (0.1, "<")),
        (0, 4, (0.1, "<")),
        (-3, 4, (0.1, "<")),
        (5, 0, (10, ">")),
        (-5, 0, (0.1, "<")),
        (5, math.inf, (0.1, "<")),
        (5, math.nan, (0.1, "<")),
    ],
)
def test_how_far_off_a_number_is(guess, truth, place):
    assert place_of(guess, truth) == place
