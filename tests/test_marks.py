"""What several explorers draw."""

import numpy as np
import pytest

from bn_tutorial import plots
from bn_tutorial.explorers.marks import CutSteps, over_seeds


@pytest.mark.parametrize(
    ("tallest", "text", "place"),
    [(0, "▲ 60%", 0.2), (5, "▲ 60%", 0.55), (9, "▲ 60%", 0.8), (None, "", None)],
)
def test_a_text_says_how_high_a_step_is_that_is_cut_off(ax, tallest, text, place):
    shares = np.full(10, 0.1)
    if tallest is not None:
        shares[tallest] = 0.6
    cut = ax.text(0.5, 0.9, "")
    steps = CutSteps(ax.stairs(np.zeros(10)), {(0, 10): cut}, top=0.5, margin=0.2)
    steps.show(shares, plots.LOOK["plain"])
    assert steps.artists[0].get_data().values.tolist() == shares.tolist()
    assert cut.get_text() == text
    if place is not None:
        assert cut.get_position()[0] == pytest.approx(place)


def test_only_its_own_bins_are_a_text_s(ax):
    texts = {(0, 2): ax.text(0, 0, ""), (2, 4): ax.text(0, 0, "")}
    CutSteps(ax.stairs(np.zeros(4)), texts, top=0.5, margin=0).show(
        np.array([0.1, 0.2, 0.1, 0.6]), plots.LOOK["plain"]
    )
    assert [text.get_text() for text in texts.values()] == ["", "▲ 60%"]


def test_a_mean_is_over_the_seeds_that_are_there():
    losses = np.array([[1.0, np.nan, np.nan, 2.0], [3.0, 4.0, np.nan, np.inf]])
    mean, low, high = over_seeds(losses)
    np.testing.assert_array_equal(mean, [2, 4, np.nan, np.inf])
    np.testing.assert_array_equal(low, [1, 4, np.nan, 2])
    np.testing.assert_array_equal(high, [3, 4, np.nan, np.inf])
