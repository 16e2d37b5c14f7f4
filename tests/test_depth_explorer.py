"""The depth explorer against autograd, without a browser."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import reference

import bn_tutorial as bn
from bn_tutorial.explorers import depth
from bn_tutorial.explorers.depth import GAINS, KAIMING, DepthExplorer

NORMS = {"plain": None, "batch norm": "batch", "layer norm": "layer"}
ARRAYS = ["std", "unit_std", "saturated", "gradient", "activations", "gradients"]
VANISHING = {"norm": "plain", "depth": 10, "hidden_gain": 0.01, "layer": 1}


@pytest.fixture(scope="module")
def only(dataset, one_thread):
    return DepthExplorer(dataset)


@pytest.fixture
def explorer(only):
    only.reset()
    return only


def page(explorer):
    """Give the picture and the text that are seen. Of a flipbook, only the first page is live."""
    return explorer._frame


def there_and_back(dataset, state, recipe, examples=256):
    """Draw, and let autograd go back: activations and their gradients by layer, and the loss."""
    drawn = {name: state[name] for name in ("hidden_gain", "depth")}
    recipe = replace(recipe, norm=NORMS[state["norm"]], dtype="float64", **drawn)
    batch = reference.probe(dataset, examples)
    there = reference.there_and_back(recipe, reference.draw(recipe), *batch)
    activations, gradients = (
        [of[f"tanh.{i}"] for i in range(recipe.depth)]
        for of in (there.outputs, there.output_gradients)
    )
    return activations, gradients, there.loss


def check_pass(found, dataset, state, recipe=None, **examples):
    activations, gradients, loss = there_and_back(dataset, state, recipe or bn.Recipe(), **examples)
    near = {"rtol": 1e-5}
    np.testing.assert_allclose(found.std, [y.std() for y in activations], **near)
    np.testing.assert_allclose(found.gradient, [dy.std() for dy in gradients], **near)
    units = [y.std(dim=0).square().mean().sqrt() for y in activations]
    np.testing.assert_allclose(found.unit_std, units, **near)
    saturated = [bn.saturation(y).mean() for y in activations]
    np.testing.assert_allclose(found.saturated, saturated, atol=1e-4)
    assert found.loss == pytest.approx(loss, rel=1e-6)
    shown = min(state["layer"], state["depth"]) - 1
    edges = [-math.inf, *np.linspace(-1, 1, 42)[1:-1], math.inf]
    y, dy = activations[shown].numpy(), gradients[shown].abs().numpy()
    np.testing.assert_allclose(found.activations, np.histogram(y, edges)[0] / y.size, atol=1e-4)
    edges = [0, *np.logspace(-8, 4, 73)[1:-1], math.inf]
    np.testing.assert_allclose(found.gradients, np.histogram(dy, edges)[0] / dy.size, atol=1e-4)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("gain", "depth", "layer"),
    [(0.01, 1, 1), (10.0, 1, 7), (0.01, 10, 1), (10.0, 10, 1), (KAIMING, 5, 3), (1.0, 4, 4)],
)
def test_a_pass_is_that_of_autograd(explorer, dataset, norm, gain, depth, layer):
    state = {"hidden_gain": gain, "depth": depth, "norm": norm, "layer": layer}
    numbers = explorer.compute(state)
    assert (numbers.state, numbers.layer) == (state, min(layer, depth))
    check_pass(numbers.shown, dataset, state)
    if norm == "plain":
        assert numbers.plain is None
    else:
        check_pass(numbers.plain, dataset, state | {"norm": "plain"})


def test_recipe_and_probe_are_those_given(dataset):
    recipe = bn.Recipe(
        seed=5, hidden=40, embedding=3, correction=0, eps=0.1, hidden_bias=False, output_gain=0.1
    )
    for placement in ("before", "after"):
        recipe = replace(recipe, placement=placement, depth=2, norm=None, hidden_gain=7)
        explorer = DepthExplorer(dataset, recipe=recipe, probe=50)
        for norm in NORMS:
            explorer.state = {"norm": norm, "layer": 4}
            check_pass(explorer.numbers.shown, dataset, explorer.state, recipe, examples=50)


def test_with_a_norm_the_gain_plays_no_part(explorer):
    for norm in ("batch norm", "layer norm"):
        low, high = (
            explorer.compute({"hidden_gain": gain, "depth": 10, "norm": norm, "layer": 1}).shown
            for gain in (GAINS[0], GAINS[-1])
        )
        for name in ARRAYS[:4]:
            np.testing.assert_allclose(getattr(low, name), getattr(high, name), rtol=1e-3)


def test_the_gradient_of_a_deep_plain_network_vanishes_or_explodes(explorer):
    vanishing = explorer.compute(VANISHING).shown
    exploding = explorer.compute(VANISHING | {"hidden_gain": 10.0}).shown
    assert vanishing.gradient[0] < 1e-11 < 1e-3 < vanishing.gradient[-1]
    assert exploding.gradient[0] > 1e3 > 1e-2 > exploding.gradient[-1]
    # the biases keep the units apart from each other, though no unit tells examples apart
    assert vanishing.std[-1] == pytest.approx(0.01, rel=0.2)
    assert vanishing.unit_std[-1] < 1e-9


# the text


def test_the_text_has_the_figures_of_both_networks(explorer, dataset):
    explorer.state = {"hidden_gain": 0.02, "depth": 10, "layer": 3}
    told = []
    for norm in ("batch norm", "plain"):
        state = explorer.state | {"norm": norm}
        activations, gradients, loss = there_and_back(dataset, state, bn.Recipe())
        first, last, y = gradients[0].std(), gradients[-1].std(), activations[2]
        off = " (below the axis)" if norm == "plain" else ""
        told.append(
            f"{norm.capitalize()}: at layer 1 the gradient has std {first:.2g}{off}, "
            f"{first / last:.2g} times that at layer 10; at layer 3 the activations have std "
            f"{y.std():.2g}, one unit's {y.var(dim=0).mean().sqrt():.2g}, "
            f"{bn.saturation(y).mean():.1%} are saturated; loss {loss:.2f} nats."
        )
    told = f"Hidden gain 0.02, depth 10. {' '.join(told)} Uniform guessing: loss 3.33 nats."
    assert explorer.text == page(explorer)[1] == told
    explorer.state = {"norm": "plain", "depth": 1, "layer": 1}
    assert explorer.text.startswith(
        "Hidden gain 0.02, depth 1. Plain: at layer 1 the gradient has std 0.0038; at layer 1 "
    )
    assert "norm" not in explorer.text


def test_the_text_says_where_a_gradient_is_off_the_axis(explorer):
    shown = replace(explorer.numbers.shown, gradient=np.array([3e4, 2.0, 2.0, 2.0, 1.0]))
    assert "std 30,000 (above the axis), 30,000 times that at layer 5; " in depth._tell(
        "plain", shown, 1
    )
    explorer.update(replace(explorer.numbers, shown=shown))
    assert off(explorer, 2, 6) == [(1, 1e4)]


def test_numbers_are_short():
    numbers = 2.123e-9, 0.00212, 2.12, 21.2, 21234, math.inf, math.nan
    texts = ["2.1e-09", "0.0021", "2.1", "21", "21,000", "inf", "nan"]
    assert [depth._short(number) for number in numbers] == texts


def test_a_layer_that_is_not_there_leads_to_the_last_one_and_says_so(explorer):
    explorer.state = {"depth": 3, "layer": 3}
    text, png = explorer.text, page(explorer)[0]
    explorer.controls["layer"].value = 8
    assert explorer.text == f"There is no layer 8. {text}"
    assert page(explorer)[0] == png
    explorer.controls["depth"].value = 9
    assert "at layer 8 the activations" in explorer.text
    assert not explorer.text.startswith("There")
    assert not explorer.controls["layer"].disabled
    explorer.controls["depth"].value = 1
    assert explorer.controls["layer"].disabled
    explorer.reset()
    assert not explorer.controls["layer"].disabled


# the picture


def profile(explorer, number):
    """Give the lines of a profile that are seen, with marks: plain and the present one."""
    lines = explorer.figure.axes[number].lines
    return [line for line in lines if line.get_visible() and line.get_markersize() == 4]


def test_the_profiles_have_a_point_for_each_layer(explorer):
    explorer.state = {"depth": 7, "layer": 2}
    for ax in explorer.figure.axes[:3]:
        plain, shown = ax.lines[:2]
        assert (plain.get_marker(), shown.get_marker()) == ("o", "s")
        assert plain.get_linestyle() != shown.get_linestyle()
        assert list(ax.get_xticks()) == list(range(1, 11))
        assert ax.get_xlabel() == "hidden layer"
    shown, plain = explorer.numbers.shown, explorer.numbers.plain
    for number, name in enumerate(("std", "saturated", "gradient")):
        reference, line = profile(explorer, number)
        for found, its in ((line, shown), (reference, plain)):
            assert list(found.get_xdata()) == [1, 2, 3, 4, 5, 6, 7]
            np.testing.assert_array_equal(found.get_ydata(), getattr(its, name))
        assert {tuple(line.get_xdata()) for line in explorer.figure.axes[number].lines} >= {(2, 2)}
    explorer.state = {"norm": "plain", "depth": 2}
    for number in range(3):
        (line,) = profile(explorer, number)
        assert list(line.get_xdata()) == [1, 2]


def test_colour_style_and_mark_follow_the_norm(explorer):
    for norm, marker in (("batch norm", "s"), ("layer norm", "s"), ("plain", "o")):
        explorer.state = {"norm": norm}
        *_, line = profile(explorer, 0)
        look = depth.plots.LOOK[norm]
        assert (line.get_color(), line.get_linestyle()) == (look["color"], look["linestyle"])
        assert line.get_marker() == marker
        steps, outline = explorer.figure.axes[3].patches
        assert steps.get_linestyle() == look["linestyle"]
        assert outline.get_visible() == (norm != "plain")


def off(explorer, number, marker):
    """Give the places of the marks of one kind at the edges of a profile."""
    lines = [x for x in explorer.figure.axes[number].lines if x.get_marker() == marker]
    return sorted({tuple(point) for line in lines for point in zip(*line.get_data(), strict=True)})


@pytest.mark.parametrize("norm", ["plain", "batch norm"])
def test_what_is_off_the_axis_is_marked_at_its_edge(explorer, norm):
    explorer.state = VANISHING | {"norm": norm}
    values = explorer.numbers.plain or explorer.numbers.shown
    below = [layer for layer in range(1, 11) if values.gradient[layer - 1] < 1e-8]
    assert 1 in below
    assert 10 not in below
    assert off(explorer, 2, 7) == [(layer, 1e-8) for layer in below]
    line, *_ = profile(explorer, 2)
    np.testing.assert_array_equal(line.get_ydata(), np.maximum(values.gradient, 1e-8))
    few = [layer for layer in range(1, 11) if values.unit_std[layer - 1] < 1e-4]
    assert off(explorer, 0, 7) == [(layer, 1e-4) for layer in few]
    assert len(few) > 3
    explorer.state = {"hidden_gain": 1.0}
    assert [off(explorer, n, m) for n in range(3) for m in (6, 7)] == 6 * [[]]


def test_the_histograms_are_those_of_the_numbers(explorer):
    explorer.state = {"hidden_gain": KAIMING, "layer": 4}
    for axes, name in zip(explorer.figure.axes[3:], ("activations", "gradients"), strict=True):
        shown, plain = (patch.get_data().values for patch in axes.patches)
        np.testing.assert_array_equal(shown, getattr(explorer.numbers.shown, name))
        np.testing.assert_array_equal(plain, getattr(explorer.numbers.plain, name))
        assert shown.sum() == pytest.approx(1)
        assert axes.get_ylim() == (0, 0.2)


@pytest.mark.parametrize("gain", [0.01, 10.0])
def test_bins_that_are_cut_have_their_share_written_on_them(explorer, gain):
    explorer.state = VANISHING | {"hidden_gain": gain}
    activations, gradients = (
        [text.get_text() for text in axes.texts if text.get_text()]
        for axes in explorer.figure.axes[3:]
    )
    its = explorer.numbers.shown
    ends = [its.activations[20]] if gain == 0.01 else its.activations[[0, -1]]
    assert activations == [f"▲ {share:.0%}" for share in ends]
    assert gradients == (["▲ 100%"] if gain == 0.01 else [])


def test_a_network_that_gives_no_numbers_is_shown(dataset):
    recipe = bn.Recipe(hidden=1)  # layer norm over one unit: 0 / 0
    explorer = DepthExplorer(dataset, recipe=recipe, state={"norm": "layer norm"})
    assert np.isnan(explorer.numbers.shown.gradient).all()
    assert "the gradient has std nan, nan times" in explorer.text
    assert "gradient_ratio=nan" in repr(explorer)


@pytest.mark.parametrize("panel", [0, 1, 2])
@pytest.mark.parametrize(("at", "layer"), [(3.4, 3), (0.6, 1), (4.6, 5), (9.0, 5)])
def test_a_click_on_a_profile_chooses_the_nearest_layer(explorer, panel, at, layer):
    explorer.state = {"layer": 2}
    axes = explorer.figure.axes[panel]
    (x, _), (_, y) = axes.transData.transform((at, 0.5)), axes.transAxes.transform((0, 0.5))
    explorer._heard(None, {"click": [x / 960, y / 420]}, [])
    assert explorer.state["layer"] == layer


def test_the_gains_are_a_flipbook_drawn_ahead(dataset):
    explorer = DepthExplorer(dataset, state={"depth": 1, "norm": "plain"})
    explorer._heard(None, {"ready": True}, [])
    while explorer.drawing:
        time.sleep(0.01)
    assert sorted(explorer._frames) == list(range(len(GAINS)))
    assert explorer.draws == 1
    for index in (0, len(GAINS) - 1):
        explorer.controls["hidden_gain"].index = index
        assert explorer._frames[index][1] == explorer.text


def test_the_slider_reaches_the_gains_that_the_course_talks_of():
    assert {0.01, 0.02, 0.1, (5 / 3) / 100**0.5, 1.0, 5.0, 10.0} <= set(GAINS)
    assert list(GAINS) == sorted(set(GAINS))
    assert 25 <= len(GAINS) <= 31
