"""The activation explorer against a forward pass in plain torch, without a browser."""

import base64
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

import bn_tutorial as bn
from bn_tutorial.explorers import activation
from bn_tutorial.explorers.activation import (
    DRAWN,
    FAN_IN_6,
    FAN_IN_100,
    HIDDEN_GAINS,
    OUTPUT_GAINS,
    ActivationExplorer,
)

LIMIT = 32 * 1024  # bytes of a picture
PLAIN = bn.Recipe(norm=None, steps=40, learning_rate=0.1)
DEEP = bn.Recipe(depth=7, steps=21, batch_size=32, hidden=30, hidden_gain=5.0)
NAMES = {"plain": "hidden", "batch norm": "norm", "layer norm": "norm"}


@pytest.fixture(scope="module")
def runs(dataset, one_thread):
    late, few = bn.Record(snapshots=(5, 20), probe=40), bn.Record(snapshots=(0,), probe=40)
    return {
        "repaired": bn.train(dataset, PLAIN, record=bn.Record(snapshots=(0, 5, 39))),
        "deep": bn.train(dataset, DEEP, record=late),
        "few": bn.train(dataset, replace(PLAIN, steps=1), record=few),
    }


@pytest.fixture(scope="module")
def without_runs(dataset, one_thread):
    return ActivationExplorer(dataset)


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
    generator = torch.Generator().manual_seed(recipe.seed)

    def draw(*shape, gain=1.0):
        return (torch.randn(*shape, generator=generator) * gain).double()

    places = [int(i) for i in np.linspace(0, len(dataset.train) - 1, examples)]
    contexts, targets = dataset.train.contexts[places], dataset.train.targets[places]
    y, into = draw(28, recipe.embedding)[contexts].flatten(1), []
    for _ in range(state["depth"]):
        weight = draw(y.shape[1], recipe.hidden, gain=state["hidden_gain"])
        x = y @ weight + draw(recipe.hidden, gain=state["hidden_gain"])
        if state["norm"] == "batch norm":
            x = (x - x.mean(dim=0)) / x.std(dim=0, correction=recipe.correction)
        if state["norm"] == "layer norm":
            x = torch.nn.functional.layer_norm(x, x.shape[1:], eps=recipe.eps)
        into.append(x)
        y = x.tanh()
    gain = state["output_gain"]
    logits = y @ draw(recipe.hidden, 28, gain=gain) + draw(28, gain=gain)
    return into, cross_entropy(logits, targets).item()


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
    saturated = [bn.saturation(snapshot.outputs[f"tanh.{i}"]).mean() for i in range(7)]
    np.testing.assert_allclose(numbers.saturated, saturated, rtol=1e-6)
    told = f"Nothing was recorded at step {step}. " if step != found else ""
    run = f'Run "deep" at step {found} (batch norm, hidden gain 5, output gain 1)'
    assert explorer.text.startswith(f"{told}{run}, layer {layer} of depth 7: ")


def test_a_run_starts_from_what_is_drawn(explorer):
    explorer.state = {"source": "repaired", "step": 0}
    recorded = explorer.numbers
    explorer.state = {"source": DRAWN}
    np.testing.assert_allclose(explorer.numbers.x, recorded.x, atol=1e-5)
    assert explorer.numbers.loss == pytest.approx(recorded.loss, abs=1e-4)


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


def test_the_text_has_the_figures(drawn, dataset):
    drawn.state = {"depth": 2, "layer": 1, "hidden_gain": 25.0}
    into, loss = forward(dataset, drawn.state, bn.Recipe())
    spread, dead = into[1].std(), bn.dead_units(into[1].tanh())
    first, second = (bn.saturation(x.tanh()).mean() for x in into)
    assert dead > 0
    expected = (
        "Plain, hidden gain 25, output gain 1, layer 1 of depth 2: the spread of hidden.1 is "
        f"{spread:.2f}, {second:.1%} of the activations are saturated (by layer: {first:.0%}, "
        f"{second:.0%}), {dead} of 100 units are dead. The loss is {loss:.2f} nats, uniform 3.33."
    )
    assert drawn.text == drawn.picture.text == expected


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


def black(image):
    """Give which pixels of an image in black and white are black."""
    colors = image.get_array()  # (rows, columns, RGBA)
    assert {tuple(color) for color in colors.reshape(-1, 4)} <= {(0, 0, 0, 255), (255,) * 4}
    return colors[..., 0] == 0


def test_the_map_shows_every_second_example(drawn, explorer):
    drawn.state = {"hidden_gain": 5.0}
    a = drawn.numbers.activations
    shown = black(drawn.figure.axes[2].images[0])
    assert shown.shape == (128, 100)
    rows = np.linspace(0, 255, 128).astype(int)
    np.testing.assert_array_equal(shown, np.abs(a[rows]) > 0.97)
    explorer.state = {"source": "deep", "layer": 2}
    image = explorer.figure.axes[2].images[0]
    np.testing.assert_array_equal(black(image), np.abs(explorer.numbers.activations) > 0.97)
    assert image.get_extent() == [-0.5, 29.5, 39.5, -0.5]
    assert explorer.figure.axes[2].get_ylabel() == "40 of 40 examples"
    explorer.state = {"source": DRAWN, "layer": 0}
    assert image.get_extent() == [-0.5, 99.5, 127.5, -0.5]
    explorer.state = {"source": "few"}
    assert image.get_extent() == [-0.5, 99.5, 39.5, -0.5]
    assert explorer.figure.axes[2].get_ylabel() == "40 of 40 examples"


def test_the_bars_show_the_layers_that_there_are(explorer):
    bars = explorer.figure.axes[4].patches
    explorer.state = {"depth": 3, "layer": 2, "hidden_gain": 5.0}
    saturated = explorer.numbers.saturated
    assert [bar.get_height() for bar in bars] == pytest.approx([*saturated, 0, 0, 0, 0])
    assert saturated.min() > 0.5
    assert [bar.get_alpha() == 1 for bar in bars] == [False, False, True] + 4 * [False]


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
        look = activation.plots.LOOK[label]
        assert (curve.get_color(), curve.get_linestyle()) == (look["color"], look["linestyle"])
        assert into.patches[0].get_linestyle() == look["linestyle"]
        assert into.get_title() == f"into the tanh: {name}"


def test_the_mark_stands_at_the_loss_and_on_the_run_s_curve(explorer, runs):
    curve, _, mark = explorer.figure.axes[3].lines
    assert len(curve.get_xdata()) == 0
    assert list(mark.get_ydata()) == [explorer.uniform, explorer.numbers.loss]
    assert explorer.uniform == pytest.approx(3.3322, abs=1e-4)
    explorer.state = {"source": "repaired", "step": 39}
    assert list(mark.get_xdata()) == [39, 39]
    snapshots = runs["repaired"].snapshots
    assert list(curve.get_xdata()) == [0, 5, 39]
    assert list(curve.get_ydata()) == [s.loss for s in snapshots]
    assert mark.get_ydata()[1] == snapshots[-1].loss
    assert mark.get_marker() == "o"


@pytest.mark.parametrize(
    ("loss", "marker", "height"),
    [
        (0.5, "v", 1),
        (1.0, "o", 1.0),
        (201.0, "^", 200),
        (float("inf"), "^", 200),
        (float("nan"), "^", 200),
    ],
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


def test_no_picture_is_large(drawn, explorer):
    for norm in NAMES:
        for gain in (HIDDEN_GAINS[0], 1.0, 2.5, HIDDEN_GAINS[-1]):
            drawn.state = {"norm": norm, "hidden_gain": gain, "depth": 3, "layer": 1}
            assert len(drawn.picture.png) <= LIMIT
    explorer.state = {"source": "repaired", "step": 39}
    assert len(explorer.picture.png) <= LIMIT


# moves

moves = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from([DRAWN, "repaired", "deep", "few"]),
        "step": st.sampled_from([0, 5, 20, 39]),
        "hidden_gain": st.sampled_from(HIDDEN_GAINS),
        "output_gain": st.sampled_from(OUTPUT_GAINS),
        "norm": st.sampled_from(list(NAMES)),
        "depth": st.integers(1, 6),
        "layer": st.integers(0, 6),
    },
)


@given(st.lists(moves, min_size=1, max_size=4), st.booleans())
@settings(deadline=None, max_examples=5, suppress_health_check=list(HealthCheck))
def test_after_any_moves_it_equals_a_fresh_explorer(explorer, dataset, runs, several, one_by_one):
    for move in several:
        if one_by_one:
            for name, value in move.items():
                explorer.controls[name].value = value
        else:
            explorer.state = move
    other = ActivationExplorer(dataset, runs, state=explorer.state)
    assert repr(explorer) == repr(other)
    assert explorer.text == explorer.picture.text == other.text
    for name in ("x", "activations", "saturated", "loss", "step", "layer"):
        np.testing.assert_array_equal(*(getattr(e.numbers, name) for e in (explorer, other)))
    assert explorer.picture.png == other.picture.png
    assert len(explorer.picture.png) <= LIMIT
    for name, control in explorer.controls.items():
        assert control.disabled == other.controls[name].disabled


def test_gains_depth_and_steps_draw_nothing_in_full(explorer):
    explorer.state = {"depth": 2, "layer": 0}
    draws = explorer.draws
    for name, value in (("hidden_gain", 25.0), ("output_gain", 0.01), ("depth", 6)):
        png = explorer.picture.png
        explorer.controls[name].value = value
        assert explorer.picture.png != png
    assert explorer.draws == draws
    explorer.controls["layer"].value = 3
    assert explorer.draws == draws + 1
    explorer.state = {"source": "deep"}
    draws = explorer.draws
    for step in (20, 0, 20):
        explorer.controls["step"].value = step
    assert explorer.draws == draws


def test_controls_without_a_meaning_are_disabled(drawn, explorer):
    def disabled(e):
        return {name for name, control in e.controls.items() if control.disabled}

    assert disabled(drawn) == {"layer"}
    assert disabled(explorer) == {"layer", "step"}
    explorer.controls["depth"].value = 2
    assert disabled(explorer) == {"step"}
    explorer.controls["source"].value = "repaired"
    assert disabled(explorer) == {"hidden_gain", "output_gain", "norm", "depth", "layer"}
    explorer.controls["source"].value = "deep"
    assert disabled(explorer) == {"hidden_gain", "output_gain", "norm", "depth"}
    explorer.reset()
    assert disabled(explorer) == {"layer", "step"}


def test_without_runs_there_is_nothing_to_choose_from(dataset, drawn):
    assert list(drawn.controls) == ["hidden_gain", "output_gain", "norm", "depth", "layer"]
    assert list(ActivationExplorer(dataset, {}).controls) == list(drawn.controls)


def test_the_sliders_reach_the_gains_that_the_course_talks_of():
    assert {0.2, 1.0, 5.0, 25.0, (5 / 3) / 6**0.5, (5 / 3) / 100**0.5} <= set(HIDDEN_GAINS)
    assert {0.01, 1.0} <= set(OUTPUT_GAINS)
    assert list(HIDDEN_GAINS) == sorted(set(HIDDEN_GAINS))
    assert list(OUTPUT_GAINS) == sorted(set(OUTPUT_GAINS))


def test_presets_show_what_their_names_say(explorer):
    numbers = {}
    for name, part in explorer.presets.items():
        assert part.keys() == explorer.controls.keys() - {"step"}  # wherever one comes from
        explorer.state = part
        assert explorer.state == {"step": 0} | part
        numbers[name] = explorer.numbers
    assert {part["source"] for part in explorer.presets.values()} == {DRAWN}
    drawn, by_hand = numbers["drawn as in the seed recipe"], numbers["repaired by hand"]
    assert drawn.loss > 15
    assert by_hand.loss < 3.4
    assert by_hand.saturated < drawn.saturated
    assert numbers["repaired by hand, but deep"].saturated[4] > 0.7
    normed, five = numbers["batch norm"], numbers["batch norm, hidden gain 5"]
    assert normed.recipe.hidden_gain < five.recipe.hidden_gain
    np.testing.assert_allclose(five.x, normed.x, rtol=1e-6, atol=1e-6)


# errors


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"hidden_gain": 0.68}, r"^hidden_gain: expected one of \[0.05, .*, got 0.68$"),
        ({"norm": None}, r"^norm: expected one of \['plain', .*, got None$"),
        ({"depth": 7}, r"^depth: expected one of \[1, 2, 3, 4, 5, 6\], got 7$"),
        ({"source": "other"}, r"^source: expected one of .*, got 'other'$"),
        ({"step": 1}, r"^step: expected one of \[0, 5, 20, 39\], got 1$"),
        ({"gain": 1.0}, r"^state: expected source, step, .*, got 'gain'$"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(explorer, state, message):
    before, png = explorer.state, explorer.picture.png
    with pytest.raises(ValueError, match=message):
        explorer.state = {"depth": 2} | state
    assert explorer.state == before
    assert explorer.picture.png == png


def test_an_error_reaches_the_test_and_the_reader(drawn, monkeypatch):
    def broken(*_):
        raise ArithmeticError("no draw")

    with monkeypatch.context() as patch:
        patch.setattr(activation, "draw_parameters", broken)
        with pytest.raises(ArithmeticError):
            drawn.controls["hidden_gain"].value = 5.0
        assert drawn.picture.text == "This move failed. ArithmeticError: no draw"
    drawn.controls["hidden_gain"].value = 8.0
    assert drawn.picture.text.startswith("Plain, hidden gain 8, ")
    assert drawn.error is None


def test_runs_that_it_can_not_show_are_refused(dataset, runs):
    bare = bn.train(dataset, replace(PLAIN, steps=2))
    for wrong, message in (
        ({"bare": bare}, r"^runs\['bare'\]: expected a run with snapshots, .*, got Run\(2 of 2"),
        ({DRAWN: runs["deep"]}, r"^runs: expected labels that are text, not '.*', got 'step 0"),
        ({3: runs["deep"]}, r"^runs: expected labels that are text, .*, got 3$"),
    ):
        with pytest.raises(ValueError, match=message):
            ActivationExplorer(dataset, wrong)


def test_a_run_on_other_symbols_is_refused(dataset, runs):
    small = bn.Dataset.from_words(
        ["on", "no", "no" * 2, "on" * 2, "o", "n", "nn", "oo", "ono", "non"]
    )
    with pytest.raises(ValueError, match=r"^runs\['deep'\]: expected a run on this .*, with 3 sym"):
        ActivationExplorer(small, {"deep": runs["deep"]})


def test_a_probe_of_one_example_is_refused(dataset):
    with pytest.raises(ValueError, match=r"^probe: expected .* at least 2 examples, got 1$"):
        ActivationExplorer(dataset, probe=1)


# in the page


def test_repr_has_the_state_and_the_figures(drawn, explorer):
    assert repr(drawn) == (
        "ActivationExplorer(hidden_gain=1, output_gain=1, norm=plain, depth=1, layer=0, "
        f"saturated=38.5%, loss={drawn.numbers.loss:.4f})"
    )
    explorer.state = {"hidden_gain": FAN_IN_6, "output_gain": 0.01}
    assert "step=0, hidden_gain=0.6804, output_gain=0.01, norm=plain" in repr(explorer)


def test_the_bundle_has_the_picture(drawn):
    bundle = drawn._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == drawn.picture.png
    assert bundle["text/plain"] == repr(drawn)
