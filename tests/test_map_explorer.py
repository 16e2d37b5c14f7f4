"""The map of rate and gain, and the playground that trains what is picked on it."""

import numpy as np
import pytest
import traitlets

import bn_tutorial as bn
from bn_tutorial.explorers.map import MapExplorer
from bn_tutorial.explorers.playground import Playground

RATES, GAINS = [0.03, 0.1, 0.3], [0.04, 25.0]
LOSSES = {
    "plain": [[2.7, 2.9, 12.3], [np.nan, np.inf, 3.4]],
    "batch norm": [[2.8, 2.6, 3.2], [2.5, 2.7, 2.9]],
}


@pytest.fixture
def explorer():
    return MapExplorer(RATES, GAINS, LOSSES, level=3.33)


def test_a_click_picks_the_cell(explorer):
    for ax in explorer._axes:
        for row, gain in enumerate(GAINS):
            for column, rate in enumerate(RATES):
                for away in (-0.4, 0.4):
                    place = ax.transData.transform((column + away, row + away))
                    explorer._heard(None, {"click": place / explorer.figure.bbox.size}, [])
                    assert explorer.state == {"learning_rate": rate, "hidden_gain": gain}


def test_a_click_at_the_very_edge_picks_a_cell(explorer):
    for corner in ((0, 0), (1, 1)):
        explorer.clicked(*explorer._axes[1].transAxes.transform(corner))
        row, column = explorer.numbers.cell
        assert (row, column) == ((0, 0), (1, 2))[corner == (1, 1)]


def test_the_picture_has_all_losses_crosses_and_a_frame(explorer):
    explorer.state = {"learning_rate": 0.3, "hidden_gain": 0.04}
    plain, normed = explorer._axes
    cross = r"$\times$ "
    texts = ["2.7", "2.9", f"{cross}12", f"{cross}nan", f"{cross}inf", f"{cross}3.4"]
    assert [text.get_text() for text in plain.texts] == texts
    assert [text.get_text() for text in normed.texts] == ["2.8", "2.6", "3.2", "2.5", "2.7", "2.9"]
    for ax, losses in zip((plain, normed), LOSSES.values(), strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array().data, losses)
        assert ax.images[0].origin == "lower"
        assert ax.patches[0].get_xy() == (1.5, -0.5)
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0.03", "0.1", "0.3"]


def test_the_text_says_where_a_network_fails(explorer):
    explorer.state = {"learning_rate": 0.3, "hidden_gain": 0.04}
    assert explorer.text == (
        "Learning rate 0.3, hidden gain 0.04: plain fails, with 12.30 nats; "
        "batch norm ends at 3.20 nats."
    )
    for rate in (0.03, 0.1):
        explorer.state = {"learning_rate": rate, "hidden_gain": 25.0}
        assert "plain diverges;" in explorer.text


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r"^rates: expected different numbers, got \[1.0, 1.0\]"):
        MapExplorer([1, 1.0], GAINS, LOSSES, level=3)
    with pytest.raises(ValueError, match=r"^gains: expected different numbers, got \[\]"):
        MapExplorer(RATES, [], LOSSES, level=3)
    with pytest.raises(ValueError, match=r"^losses: expected \(2, 3\) of plain, got \(3,\)"):
        MapExplorer(RATES, GAINS, {"plain": [1, 2, 3]}, level=3)
    with pytest.raises(ValueError, match=r"^losses: expected those of at least one network"):
        MapExplorer(RATES, GAINS, {}, level=3)
    with pytest.raises(ValueError, match=r"^level: expected a finite number"):
        MapExplorer(RATES, GAINS, LOSSES, level=None)


def test_a_linked_playground_trains_what_was_picked(dataset):
    """With values that its sliders lacked; and it ends where the map says."""
    recipe = bn.Recipe(steps=50)
    runs = bn.sweep(dataset, recipe, norm=[None, "batch"], hidden_gain=GAINS, learning_rate=RATES)
    losses = [
        bn.evaluate(run, dataset.train, run.recipe.norm and bn.calibrate(run, dataset.train))
        for run in runs
    ]
    losses = np.array(losses).reshape(2, len(GAINS), len(RATES))
    labels = "plain", "batch norm"
    explorer = MapExplorer(RATES, GAINS, dict(zip(labels, losses, strict=True)), level=3.33)
    playground = Playground(dataset, recipe=recipe, state={"steps": 50})
    traitlets.dlink((explorer, "state"), (playground, "state"))
    for gain, rate in ((25.0, 0.3), (0.04, 0.03)):
        explorer.state = {"learning_rate": rate, "hidden_gain": gain}
        playground.wait()
        assert playground.state.items() >= explorer.state.items()
        for label in labels:
            loss = playground.numbers.networks[label].train
            assert loss == pytest.approx(explorer.numbers.losses[label], rel=1e-4)
