"""What several explorers draw."""

import numpy as np
import pytest
from matplotlib.colors import same_color

from bn_tutorial import plots
from bn_tutorial.explorers.marks import CutSteps, over_seeds


@pytest.mark.parametrize(
    ("tallest", "texts", "place"),
    [
        (0, ["▲ 60%", ""], 0.2),
        (3, ["▲ 60%", ""], 0.35),
        (5, ["", "▲ 60%"], 0.55),
        (9, ["", "▲ 60%"], 0.8),
        (None, ["", ""], None),
    ],
)
def test_texts_say_how_high_steps_are_that_are_cut_off(ax, tallest, texts, place):
    shares, look = np.full(10, 0.1), plots.LOOK["plain"]
    if tallest is not None:
        shares[tallest] = 0.6
    ax.set_ylim(0, 0.5)
    steps = CutSteps(ax.stairs(np.zeros(10)), [(0, 5), (5, 10)], y=0.9, margin=0.2)
    steps.show(shares, look)
    bars, *cuts = steps.artists
    assert bars.get_data().values.tolist() == shares.tolist()
    assert same_color(bars.get_edgecolor(), look["color"])
    assert [cut.get_text() for cut in cuts] == texts
    assert {cut.get_color() for cut in cuts} == {look["color"]}
    for cut, text in zip(cuts, texts, strict=True):
        if text:
            assert cut.get_position() == pytest.approx((place, 0.9))


def test_a_mean_is_over_the_seeds_that_are_there():
    losses = np.array([[1.0, np.nan, np.nan, 2.0], [3.0, 4.0, np.nan, np.inf]])
    mean, low, high = over_seeds(losses)
    np.testing.assert_array_equal(mean, [2, 4, np.nan, np.inf])
    np.testing.assert_array_equal(low, [1, 4, np.nan, 2])
    np.testing.assert_array_equal(high, [3, 4, np.nan, np.inf])
