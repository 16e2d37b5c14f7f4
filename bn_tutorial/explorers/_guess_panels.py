"""What guesses look like beside the truth."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

from bn_tutorial.plots import BLUE, GREY, ORANGE

FARTHEST = 10  # times the truth: what is farther off stands at the edge, as an arrow


def plot_guesses(guesses: Sequence[tuple[str, float | str, float | str, str]], *, ax: Axes) -> Axes:
    """Draw one row a guess: how many times the truth it was, or whether the choice was right.

    Parameters
    ----------
    guesses : sequence of (question, guess, truth, text)
        The text stands below the question.
    ax : Axes

    Returns
    -------
    Axes
    """
    for row, (question, guess, truth, text) in enumerate(guesses):
        if isinstance(guess, str):
            place, marker, color = (1, "s", BLUE) if guess == truth else (1, "x", ORANGE)
        else:
            place, marker = place_of(guess, truth)
            color = BLUE if marker == "o" else ORANGE
        ax.plot([1, place], [row, row], color=GREY, linewidth=1)
        ax.plot(place, row, marker, color=color, markersize=8)
        ax.annotate(
            f"{_short(question)}\n{text}",
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    ax.axvline(1, color=GREY, linestyle="--", linewidth=1)
    ax.set(xscale="log", xlim=(0.8 / FARTHEST, 1.25 * FARTHEST), ylim=(len(guesses) - 0.5, -0.5))
    ax.set_xticks([0.1, 0.5, 1, 2, 10], ["a tenth", "half", "the truth", "twice", "ten times"])
    ax.minorticks_off()
    ax.set_yticks([])
    return ax


def place_of(guess: float, truth: float) -> tuple[float, str]:
    """Return how many times the truth a number is, and its marker: an arrow at the edge."""
    ratio = 1.0 if guess == truth else guess / truth if truth else math.copysign(math.inf, guess)
    if math.isnan(ratio) or ratio < 1 / FARTHEST:
        return 1 / FARTHEST, "<"
    return (FARTHEST, ">") if ratio > FARTHEST else (ratio, "o")


def _short(question, most=60):
    return question if len(question) <= most else f"{question[: most - 1]}…"
