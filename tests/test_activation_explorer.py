"""The activation explorer against a forward pass in plain torch, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from explorer_kinds import numbers_in
from matplotlib.colors import to_rgba

import bn_tutorial as bn
from bn_tutorial import plots
from bn_tutorial.explorers.activation import (
    DRAWN,
    FAN_IN_6,
    FAN_IN_100,
    HIDDEN_GAINS,
    OUTPUT_GAINS,
    ActivationExplorer,
)

PLAIN = bn.Recipe(norm=None, steps=40, learning_rate=0.1)
DEEP = bn.Recipe(depth=7, steps=21, batch_size=32, hidden=30, hidden_gain=5.0)
NAMES = {"plain": "hidden", "batch norm": "norm", "layer norm": "norm"}
NORMS = {"plain": None, "batch norm": "batch", "layer norm": "layer"}


@pytest.fixture(scope="module")
def runs(dataset, one_thread):
    late, few = bn.Record(snapshots=(5, 20), probe=40), bn.Record(snapshots=(0,), probe=40)
    first, narrow = bn.Record(snapshots=(0,)), replace(PLAIN, steps=1, hidden=30)
    return {
        "repaired": bn.train(dataset, PLAIN, record=bn.Record(snapshots=(0, 5, 39))),
        "deep": bn.train(dataset, DEEP, record=late),
        "few": bn.train(dataset, replace(PLAIN, steps=1), record=few),
        "narrow": bn.train(dataset, narrow, record=first),
    }


@pytest.fixture(scope="module")
def without_runs(dataset, one_thread):
    return ActivationExplorer(dataset, {})


@pytest.fixture(scope="module")
def with_runs(dataset, runs):
    return ActivationExplorer(dataset, runs)


@pytest.fixture
def drawn(without_runs):
    without_runs.reset()
    return without_runs


@pytest.fixture
def explorer(with_runs):
    with_runs.reset()
    return with_runs


def forward(dataset, state, recipe, examples=256):
    """Draw and go through layer by layer: what goes into each tanh, and the loss."""
    drawn = {name: state[name] for name in ("hidden_gain", "output_gain", "depth")}
    recipe = replace(recipe, norm=NORMS[state["norm"]], dtype="float64", **drawn)
    there = reference.there_and_back(
        recipe, reference.draw(recipe), *reference.probe(dataset, examples)
    )
    into = [there.outputs[f"{NAMES[state['norm']]}.{i}"] for i in range(recipe.depth)]
    return into, there.loss


def check_against(numbers, into, loss):
    layer = min(numbers.state["layer"], len(into) - 1)
    assert numbers.layer == layer
    assert numbers.step == 0
    np.testing.assert_allclose(numbers.x, into[layer], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(numbers.activations, into[layer].tanh(), rtol=1e-6, atol=1e-9)
    saturated = [bn.saturation(x.tanh()).mean() for x in into]
    np.testing.assert_allclose(numbers.saturated, saturated, rtol=1e-6)
    assert numbers.loss == pytest.approx(loss, rel=1e-6)


@pytest.mark.parametrize("norm", NAMES)
@pytest.mark.parametrize(
    ("hidden_gain", "output_gain", "depth", "layer"),
    [
        (0.05, 0.01, 1, 0),
        (25.0, 4.0, 6, 5),
        (0.05, 4.0, 6, 0),
        (FAN_IN_6, 0.01, 5, 2),
        (FAN_IN_100, 1.0, 3, 5),
    ],
)
def test_a_network_as_drawn_is_that_of_a_plain_forward_pass(
    drawn, dataset, norm, hidden_gain, output_gain, depth, layer
):
    state = {"norm": norm, "depth": depth, "layer": layer}
    state |= {"hidden_gain": hidden_gain, "output_gain": output_gain}
    check_against(drawn.compute(state), *forward(dataset, state, bn.Recipe()))


def test_recipe_and_probe_are_those_given(dataset):
    recipe = bn.Recipe(seed=5, hidden=40, embedding=3, correction=0, eps=0.1)
    explorer = ActivationExplorer(dataset, recipe=recipe, probe=50, state={"norm": "batch norm"})
    assert explorer.numbers.x.shape == (50, 40)
    x = explorer.numbers.x
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-9)
    variance = x.var(axis=0)  # v / (v + eps), a little below 1
    assert (variance < 1).all()
    explorer.state = {"norm": "plain", "depth": 2, "layer": 1}
    check_against(explorer.numbers, *forward(dataset, explorer.state, recipe, examples=50))
    v = explorer.compute(explorer.state | {"depth": 1}).x.var(axis=0)
    np.testing.assert_allclose(variance, v / (v + 0.1), rtol=1e-6)


def test_over_all_examples_it_gives_the_figures_of_notebook_02(dataset):
    explorer = ActivationExplorer(dataset, probe=1_000_000)
    assert len(explorer.numbers.x) == len(dataset.train)
    assert repr(explorer).endswith("saturated=37.5%, loss=18.5143)")
    explorer.state = {"hidden_gain": FAN_IN_6, "output_gain": 0.01}
    assert repr(explorer).endswith("saturated=19.7%, loss=3.3453)")


@pytest.mark.parametrize(
    ("step", "layer", "found"), [(0, 0, 5), (5, 6, 5), (20, 3, 20), (39, 6, 20)]
)
def test_a_run_shows_its_snapshots(explorer, runs, step, layer, found):
    explorer.state = {"source": "deep", "step": step, "layer": layer}
    (snapshot,) = [s for s in runs["deep"].snapshots if s.step == found]
    numbers = explorer.numbers
    assert numbers.recipe == DEEP
    assert (numbers.step, numbers.layer, numbers.loss) == (found, layer, snapshot.loss)
    np.testing.assert_array_equal(numbers.x, snapshot.outputs[f"norm.{layer}"])
    np.testing.assert_array_equal(numbers.activations, snapshot.outputs[f"tanh.{layer}"])
    saturated = [bn.saturation(snapshot.outputs[f"tanh.{i}"]).mean().item() for i in range(7)]
    np.testing.assert_allclose(numbers.saturated, saturated, rtol=1e-6)
    bars = explorer.figure.axes[4].patches
    assert [bar.get_height() for bar in bars] == pytest.approx(saturated)
    assert [bar.get_alpha() == 1 for bar in bars] == [i == layer for i in range(7)]
    told = f"Nothing was recorded at step {step}. " if step != found else ""
    run = f'Run "deep" at step {found} (batch norm, hidden gain 5, output gain 1)'
    assert explorer.text.startswith(f"{told}{run}, layer {layer} of depth 7: ")


def test_the_text_has_the_figures_and_the_bars_the_layers(drawn, dataset):
    drawn.state = {"depth": 2, "layer": 1, "hidden_gain": 25.0}
    into, loss = forward(dataset, drawn.state, bn.Recipe())
    spread, dead = into[1].std().item(), bn.dead_units(into[1].tanh())
    first, second = (bn.saturation(x.tanh()).mean().item() for x in into)
    assert dead > 0
    assert drawn.text.startswith("Plain, hidden gain 25, output gain 1, layer 1 of depth 2: ")
    *_, shown, of_layer, of_first, again, dead_units, units, shown_loss, uniform = numbers_in(
        drawn.text.replace("hidden.1", "it")
    )
    assert [shown, shown_loss, uniform] == pytest.approx([spread, loss, 3.33], abs=0.006)
    shares = [share / 100 for share in (of_layer, of_first, again)]
    assert shares == pytest.approx([second, first, second], abs=0.006)
    assert (dead_units, units) == (dead, 100)
    heights = [bar.get_height() for bar in drawn.figure.axes[4].patches]
    assert heights == pytest.approx([first, second, 0, 0, 0, 0])


def test_a_layer_that_is_not_there_leads_to_the_last_one_and_says_so(drawn):
    drawn.state = {"depth": 2, "layer": 1, "norm": "batch norm"}
    text, png = drawn.text, drawn.picture.png
    assert text.startswith("Batch norm, hidden gain 1, output gain 1, layer 1 of depth 2: the ")
    drawn.controls["layer"].value = 4
    assert drawn.text == f"There is no layer 4 at depth 2. {text}"
    assert drawn.picture.png == png
    drawn.controls["depth"].value = 5
    assert "layer 4 of depth 5: the spread of norm.4 is 1.00" in drawn.text
    assert not drawn.text.startswith("There")


# the picture


def heights(axes):
    return axes.patches[0].get_data().values


@pytest.mark.parametrize("hidden_gain", [0.05, 1.0, 25.0])
def test_the_histograms_count_everything(drawn, hidden_gain):
    drawn.controls["hidden_gain"].value = hidden_gain
    into, out, *_ = drawn.figure.axes
    x, a = drawn.numbers.x, drawn.numbers.activations
    expected = np.histogram(x, [-np.inf, *np.linspace(-10, 10, 61)[1:-1], np.inf])[0]
    np.testing.assert_allclose(heights(into), expected / x.size)
    np.testing.assert_allclose(heights(out), np.histogram(a, 40, (-1, 1))[0] / a.size)
    assert into.get_ylim() == (0, 0.15)
    assert out.get_ylim() == (0, 0.25)
    texts = [text.get_text() for text in into.texts]
    assert texts[:2] == ["below \N{MINUS SIGN}10", "above 10"]
    assert texts[2:4] == [f"{(x < -10).mean():.1%}", f"{(x > 10).mean():.1%}"]
    texts = [text.get_text() for text in out.texts]
    assert texts[:2] == ["below \N{MINUS SIGN}0.97", "above 0.97"]
    assert texts[2:4] == [f"{(a < -0.97).mean():.1%}", f"{(a > 0.97).mean():.1%}"]
    cut, top = into.texts[4].get_text(), heights(into)[1:-1].max()
    assert cut == (f"▲ {top:.0%}" if hidden_gain == 0.05 else "")
    assert (top > 0.15) == (hidden_gain == 0.05)


def colored(image, label):
    """Return which pixels of an image are not white, but of the colour of a network."""
    colors = image.get_array()  # (rows, columns, RGBA)
    ink = tuple(int(255 * part) for part in to_rgba(plots.LOOK[label]["color"]))
    assert {tuple(color) for color in colors.reshape(-1, 4)} <= {ink, (255,) * 4}
    return (colors != 255).any(axis=-1)


def test_the_map_shows_every_second_example(drawn, explorer):
    drawn.state = {"hidden_gain": 5.0}
    a = drawn.numbers.activations
    shown = colored(drawn.figure.axes[2].images[0], "plain")
    assert shown.shape == (128, 100)
    rows = np.linspace(0, 255, 128).astype(int)
    np.testing.assert_array_equal(shown, np.abs(a[rows]) > 0.97)
    explorer.state = {"source": "deep", "layer": 2}
    image = explorer.figure.axes[2].images[0]
    np.testing.assert_array_equal(
        colored(image, "batch norm"), np.abs(explorer.numbers.activations) > 0.97
    )
    assert image.get_extent() == [-0.5, 29.5, 39.5, -0.5]
    assert explorer.figure.axes[2].get_ylabel() == "40 of 40 examples"
    explorer.state = {"source": DRAWN, "layer": 0}
    assert image.get_extent() == [-0.5, 99.5, 127.5, -0.5]
    for source, extent in (
        ("few", [99.5, 39.5]),
        (DRAWN, [99.5, 127.5]),
        ("narrow", [29.5, 127.5]),
    ):
        explorer.state = {"source": source}  # the layer has the same name in all
        assert image.get_extent() == [-0.5, *extent, -0.5]
        rows, examples = int(extent[1] + 0.5), 40 if source == "few" else 256
        assert explorer.figure.axes[2].get_ylabel() == f"{rows} of {examples} examples"


def test_colour_and_style_follow_the_network(explorer):
    into, curve = explorer.figure.axes[0], explorer.figure.axes[3].lines[0]
    for state, label, name in (
        ({"norm": "batch norm"}, "batch norm", "norm.0"),
        ({"norm": "layer norm"}, "layer norm", "norm.0"),
        ({"norm": "plain"}, "plain", "hidden.0"),
        ({"source": "deep"}, "batch norm", "norm.0"),
        ({"source": "repaired"}, "repaired", "hidden.0"),
    ):
        explorer.state = state
        look = plots.LOOK[label]
        assert (curve.get_color(), curve.get_linestyle()) == (look["color"], look["linestyle"])
        assert into.patches[0].get_linestyle() == look["linestyle"]
        assert into.get_title() == f"into the tanh: {name}"


def test_the_mark_stands_at_the_loss_and_on_the_run_s_curve(explorer, runs):
    curve, _, mark = explorer.figure.axes[3].lines
    drawn = explorer.numbers
    assert len(curve.get_xdata()) == 0
    assert list(mark.get_ydata()) == [explorer.uniform, explorer.numbers.loss]
    assert explorer.uniform == pytest.approx(3.3322, abs=1e-4)
    explorer.state = {"source": "repaired"}  # which starts from what is drawn
    np.testing.assert_allclose(drawn.x, explorer.numbers.x, atol=1e-5)
    assert drawn.loss == pytest.approx(explorer.numbers.loss, abs=1e-4)
    explorer.state = {"step": 39}
    assert list(mark.get_xdata()) == [39, 39]
    snapshots = runs["repaired"].snapshots
    assert list(curve.get_xdata()) == [0, 5, 39]
    assert list(curve.get_ydata()) == [s.loss for s in snapshots]
    assert mark.get_ydata()[1] == snapshots[-1].loss
    assert mark.get_marker() == "o"


@pytest.mark.parametrize(
    ("loss", "marker", "height"),
    [(0.5, "v", 1), (1.0, "o", 1), (201.0, "^", 200), (np.inf, "^", 200), (np.nan, "^", 200)],
)
def test_a_loss_beyond_the_panel_is_marked(drawn, loss, marker, height):
    drawn.update(replace(drawn.numbers, loss=loss))
    mark, text = drawn.figure.axes[3].lines[2], drawn.figure.axes[3].texts[-1]
    assert (mark.get_marker(), mark.get_ydata()[1]) == (marker, height)
    assert text.get_text() == f"{loss:.2f}"


def test_of_a_norm_behind_its_tanh_the_linear_s_output_is_shown(dataset):
    record = bn.Record(snapshots=[0, 20])
    run = bn.train(dataset, bn.Recipe(placement="after", steps=30), record=record)
    explorer = ActivationExplorer(dataset, {"after": run}, state={"source": "after", "step": 20})
    np.testing.assert_array_equal(explorer.numbers.x, run.snapshots[1].outputs["hidden.0"])
    assert "hidden.0" in explorer.text


def test_a_run_that_diverged_is_shown(dataset):
    recipe = replace(PLAIN, learning_rate=1e38, steps=10)
    run = bn.train(dataset, recipe, record=bn.Record(snapshots=range(10), probe=20))
    assert run.diverged_at is not None
    explorer = ActivationExplorer(dataset, {"too fast": run}, state={"source": "too fast"})
    explorer.controls["step"].value = run.diverged_at
    assert not np.isfinite(explorer.numbers.x).all()
    assert "loss is nan nats" in explorer.text


def test_controls_without_a_meaning_are_disabled(drawn, explorer):
    own = ["hidden_gain", "output_gain", "norm", "depth"]
    assert list(drawn.controls) == [*own, "layer"]  # nothing to choose from
    assert drawn.controls["layer"].disabled
    for change, expected in (
        ({}, {"layer", "step"}),
        ({"depth": 2}, {"step"}),
        ({"source": "repaired"}, {*own, "layer"}),
        ({"source": "deep"}, {*own}),
    ):
        explorer.state = change
        disabled = {name for name, control in explorer.controls.items() if control.disabled}
        assert disabled == expected


def test_the_sliders_reach_the_gains_that_the_course_talks_of():
    assert {0.2, 1.0, 5.0, 25.0, (5 / 3) / 6**0.5, (5 / 3) / 100**0.5} <= set(HIDDEN_GAINS)
    assert {0.01, 1.0} <= set(OUTPUT_GAINS)
    for gains in (HIDDEN_GAINS, OUTPUT_GAINS):
        assert list(gains) == sorted(set(gains))


def test_presets_show_what_their_names_say(explorer):
    drawn, by_hand, deep, normed, five = (
        explorer.compute(explorer.state | part) for part in explorer.presets.values()
    )
    assert drawn.loss > 15
    assert by_hand.loss < 3.4
    assert by_hand.saturated < drawn.saturated
    assert deep.saturated[4] > 0.7
    assert normed.recipe.hidden_gain < five.recipe.hidden_gain
    np.testing.assert_allclose(five.x, normed.x, rtol=1e-6, atol=1e-6)
