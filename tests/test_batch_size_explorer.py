"""The explorer of batch sizes against networks written out in torch, without a browser."""

import base64
import itertools
import math
import statistics
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bn_tutorial as bn
from bn_tutorial.explorers import batch_size
from bn_tutorial.explorers.batch_size import BatchSizeExplorer
from bn_tutorial.explorers.size_grid import SizeGrid

NORMS = {"batch norm": "batch", "layer norm": "layer", "plain": None}
SIZES = [2, 8, 64, 256]
SEEDS = [5, 3]
EXAMPLES = 2_048
HIDDEN = 32
RECIPE = bn.Recipe(hidden=HIDDEN, eps=1e-5, learning_rate=0.1, output_gain=0.1)

pytestmark = pytest.mark.usefixtures("one_thread", "few_batches")


@pytest.fixture(scope="module")
def few_batches():
    with pytest.MonkeyPatch.context() as patch:
        given = batch_size.DRAWN
        patch.setattr(batch_size, "DRAWN", 300)
        yield given


def sweep(dataset, sizes, recipe=RECIPE, norms=("batch", "layer", None), seeds=SEEDS):
    """Train a small grid, as notebook 09 does."""
    return [
        run
        for n in sizes
        for run in bn.sweep(
            dataset, replace(recipe, steps=EXAMPLES // n, batch_size=n), norm=norms, seed=seeds
        )
    ]


@pytest.fixture(scope="module")
def runs(dataset):
    return sweep(dataset, reversed(SIZES))


@pytest.fixture(scope="module")
def some_diverged(dataset, runs):
    """The same with batches of 2 at such a rate that nothing survives, but one of two seeds."""
    worse = sweep(dataset, [2], replace(RECIPE, learning_rate=3e38), seeds=SEEDS[:1])
    better = [run for run in runs if (run.recipe.batch_size, run.recipe.seed) != (2, SEEDS[0])]
    worse = [
        replace(run, recipe=replace(run.recipe, learning_rate=RECIPE.learning_rate))
        for run in worse
    ]
    return [*better, *worse]


@pytest.fixture(scope="module")
def shared(runs, dataset, few_batches):
    return BatchSizeExplorer(runs, dataset)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def find(runs, label, n, seed):
    (run,) = [
        run
        for run in runs
        if (run.recipe.norm, run.recipe.batch_size, run.recipe.seed) == (NORMS[label], n, seed)
    ]
    return run


def before_norm(run, contexts):
    p = {name: tensor.double() for name, tensor in run.parameters.items()}
    return p["embedding"][contexts].flatten(1) @ p["hidden.0.weight"] + p["hidden.0.bias"]


def loss(run, split, batch, reference=None):
    """Read a batch in float64, with the statistics of another if one is given."""
    p = {name: tensor.double() for name, tensor in run.parameters.items()}
    x = before_norm(run, split.contexts[batch])
    if run.recipe.norm == "batch":
        reference = x if reference is None else reference
        x = (x - reference.mean(0)) / (reference.var(0) + run.recipe.eps).sqrt()
    if run.recipe.norm == "layer":
        x = F.layer_norm(x, (HIDDEN,), eps=run.recipe.eps)
    if run.recipe.norm:
        x = x * p["norm.0.weight"] + p["norm.0.bias"]
    answers = torch.tanh(x) @ p["output.weight"] + p["output.bias"]
    return F.cross_entropy(answers, split.targets[batch]).item()


def state_of(explorer, **changes):
    return explorer.state | changes


# what is shown


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("label", NORMS)
def test_the_final_losses_are_those_of_each_network_by_itself(
    explorer, runs, dataset, label, split
):
    examples = getattr(dataset, split)
    shown = explorer.compute(state_of(explorer, split=split)).finals[label]
    assert shown.shape == (len(SEEDS), len(SIZES))
    for (i, seed), (j, n) in itertools.product(enumerate(SEEDS), enumerate(SIZES)):
        run = find(runs, label, n, seed)
        reference = before_norm(run, dataset.train.contexts)
        expected = loss(run, examples, torch.arange(len(examples)), reference)
        assert shown[i, j] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("split", ["train", "val"])
def test_in_batches_each_example_is_read_with_the_others_of_its_batch(
    explorer, runs, dataset, split
):
    examples = getattr(dataset, split)
    numbers = explorer.compute(state_of(explorer, split=split, statistics="batch"))
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(23)).tolist()
    for n in SIZES[1:]:
        run, each = find(runs, "batch norm", n, SEEDS[1]), []
        for start in range(0, len(order), n):
            batch = order[start : start + n]
            batch += order[: n - len(batch)]  # the last one is filled up
            each.append(loss(run, examples, batch))
        shown = numbers.finals["batch norm"][1, SIZES.index(n)]
        assert shown == pytest.approx(statistics.mean(each), abs=1e-4)
    calibrated = explorer.compute(state_of(explorer, split=split)).finals
    assert (numbers.finals["batch norm"] != calibrated["batch norm"]).all()
    for label in ("layer norm", "plain"):
        np.testing.assert_array_equal(numbers.finals[label], calibrated[label])


def test_the_two_examples_of_a_pair_decide_a_sign(explorer, runs, dataset):
    """With eps 1e-5 and two examples a normalized number is ±1/√2 in nearly every unit."""
    run = find(runs, "batch norm", 2, SEEDS[0])
    order = torch.randperm(len(dataset.val), generator=torch.Generator().manual_seed(23))
    pairs = order.reshape(-1, 2)
    x = before_norm(run, dataset.val.contexts[pairs.ravel()]).reshape(-1, 2, HIDDEN)
    signs = (x[:, 0] - x[:, 1]).sign() / 2**0.5
    weight, bias = run.parameters["norm.0.weight"], run.parameters["norm.0.bias"]
    y = torch.stack([signs, -signs], dim=1) * weight + bias  # (pairs, 2, H)
    answers = (torch.tanh(y) @ run.parameters["output.weight"].double()) + run.parameters[
        "output.bias"
    ]
    expected = F.cross_entropy(answers.flatten(0, 1), dataset.val.targets[pairs.ravel()])
    numbers = explorer.compute(state_of(explorer, statistics="batch", split="val", size=2))
    assert numbers.now["batch norm"][0] == pytest.approx(expected.item(), abs=0.01)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("label", NORMS)
def test_the_curves_go_over_examples_and_keep_every_seed(explorer, runs, label, n):
    x, losses = explorer.compute(state_of(explorer, size=n)).curves[label]
    steps = EXAMPLES // n
    window = max(1, steps // 40)
    assert losses.shape == (len(SEEDS), steps // window)
    for by_seed, seed in zip(losses, SEEDS, strict=True):
        raw = find(runs, label, n, seed).loss.tolist()
        expected = [
            statistics.mean(raw[i : i + window]) for i in range(0, steps - window + 1, window)
        ]
        np.testing.assert_allclose(by_seed, expected, rtol=1e-5)
    first = (window - 1) / 2
    assert x[0] == first * n
    assert 0.9 * EXAMPLES < x[-1] + window * n <= EXAMPLES + first * n + n


@pytest.mark.parametrize("unit", [0, 17, HIDDEN - 1])
@pytest.mark.parametrize("measure", ["mean", "std"])
def test_the_drawn_batches_are_measured_one_by_one(explorer, runs, dataset, measure, unit):
    source = find(runs, "batch norm", max(SIZES), SEEDS[0])
    assert explorer.grid.source is source
    x = before_norm(source, dataset.train.contexts)[:, unit].tolist()
    centre, scale = statistics.fmean(x), statistics.pstdev(x)
    generator = torch.Generator().manual_seed(23)
    for at, n in enumerate(SIZES):
        batches = torch.randint(len(x), (300, n), generator=generator).tolist()
        of_batches = [[x[i] for i in batch] for batch in batches]
        expected = (
            [(statistics.fmean(batch) - centre) / scale for batch in of_batches]
            if measure == "mean"
            else [statistics.stdev(batch) / scale for batch in of_batches]
        )
        numbers = explorer.compute(state_of(explorer, size=n, unit=unit, measure=measure))
        np.testing.assert_allclose(numbers.drawn, expected, atol=1e-4)
        assert numbers.spread[at] == pytest.approx(statistics.pstdev(expected), abs=1e-4)
        law = 1 / math.sqrt(n if measure == "mean" else 2 * n)
        assert numbers.law[at] == pytest.approx(law)


def test_the_spread_of_the_means_follows_the_law(explorer):
    for unit in range(0, HIDDEN, 3):
        numbers = explorer.compute(state_of(explorer, unit=unit))
        np.testing.assert_allclose(numbers.spread, numbers.law, rtol=5 / math.sqrt(2 * 300))


def test_the_std_of_pairs_is_too_small_on_average_and_that_of_large_batches_is_not(explorer):
    measured = [
        explorer.compute(state_of(explorer, size=n, unit=unit, measure="std")).drawn.mean()
        for n in (2, 256)
        for unit in range(0, HIDDEN, 3)
    ]
    pairs, large = np.reshape(measured, (2, -1)).mean(axis=1)
    assert pairs == pytest.approx(math.sqrt(2 / math.pi), abs=0.04)
    assert large == pytest.approx(1, abs=0.01)


def test_the_other_variance_is_used_where_training_used_it(dataset):
    runs = sweep(dataset, [2, 64], replace(RECIPE, correction=0), ["batch"], [1])
    explorer = BatchSizeExplorer(runs, dataset, state={"measure": "std", "size": 2})
    x = before_norm(find(runs, "batch norm", 64, 1), dataset.train.contexts)[:, 0]
    i, j = torch.randint(len(x), (300, 2), generator=torch.Generator().manual_seed(23)).T
    expected = (x[i] - x[j]).abs() / 2 / x.std(correction=0)
    np.testing.assert_allclose(explorer.numbers.drawn, expected, atol=1e-4)


@pytest.mark.parametrize(
    "changes", [{"depth": 2}, {"hidden_bias": False, "dtype": "float64"}], ids=str
)
def test_the_networks_may_have_another_structure(dataset, changes):
    runs = sweep(dataset, [16, 64], replace(RECIPE, **changes), ["batch", None], [1])
    explorer = BatchSizeExplorer(runs, dataset)
    assert list(explorer.numbers.finals) == ["batch norm", "plain"]
    run = next(r for r in runs if (r.recipe.norm, r.recipe.batch_size) == ("batch", 64))
    expected = bn.evaluate(run, dataset.train, bn.calibrate(run, dataset.train))
    assert explorer.numbers.finals["batch norm"][0, 1] == pytest.approx(expected, abs=1e-9)


def test_with_the_norm_after_the_tanh_the_drawn_numbers_come_from_the_tanh(dataset):
    recipe = replace(RECIPE, placement="after")
    runs = sweep(dataset, [16, 64], recipe, ["batch"], [1])
    explorer = BatchSizeExplorer(runs, dataset)
    inputs = before_norm(runs[1], dataset.train.contexts).tanh()
    np.testing.assert_allclose(explorer._inputs, inputs, atol=1e-5)


def test_seeds_may_be_missing_and_rates_may_grow_with_the_size(dataset, runs):
    short = [run for run in runs if (run.recipe.norm, run.recipe.seed) != ("layer", SEEDS[1])]
    scaled = [
        replace(run, recipe=replace(run.recipe, learning_rate=0.001 * run.recipe.batch_size))
        for run in short
    ]
    explorer = BatchSizeExplorer(scaled, dataset)
    whole = BatchSizeExplorer(runs, dataset)
    for label in ("batch norm", "plain"):
        np.testing.assert_array_equal(explorer.numbers.finals[label], whole.numbers.finals[label])
    np.testing.assert_array_equal(
        explorer.numbers.finals["layer norm"][0], whole.numbers.finals["layer norm"][0]
    )
    assert np.isnan(explorer.numbers.finals["layer norm"][1]).all()
    explorer.state = {"norm": "layer norm"}
    assert f"layer norm {whole.numbers.now['layer norm'][0]:.2f}, plain" in explorer.text
    assert explorer.text.count("seeds") == 0


# runs that diverged


def test_runs_that_diverged_are_shown_as_such(dataset, some_diverged, runs):
    explorer = BatchSizeExplorer(some_diverged, dataset, state={"size": 2, "norm": "plain"})
    numbers = explorer.numbers
    for label in NORMS:
        assert math.isinf(numbers.finals[label].max())
        assert np.isinf(numbers.finals[label]).sum() == 1
        _, losses = numbers.curves[label]
        assert np.isnan(losses).any(axis=1).sum() == 1
        *_, off, crosses = explorer._marks[label]
        (place,) = crosses.get_xdata()
        assert place == pytest.approx(2, rel=0.2)
        assert list(crosses.get_ydata()) == [explorer._tops[1]]
        assert 2 not in np.round(off.get_xdata())
        assert len(explorer._marks[label][1].get_xdata()) == 1
    assert "batch norm diverged (1 of 2 seeds), layer norm diverged (1 of 2 seeds)" in explorer.text
    assert "to inf" not in explorer.text
    assert "batch_norm=inf, layer_norm=inf, plain=inf" in repr(explorer)
    (legend,) = explorer.figure.legends
    assert legend.get_texts()[-1].get_text() == "diverged"
    explorer.state = {"size": 64}
    assert "diverged" not in explorer.text
    assert not len(explorer._marks["plain"][1].get_xdata())
    whole = BatchSizeExplorer(runs, dataset)
    np.testing.assert_array_equal(whole.numbers.now["plain"], explorer.numbers.now["plain"])


def test_without_divergence_the_legend_does_not_speak_of_it(explorer):
    (legend,) = explorer.figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [*NORMS, "uniform guessing: 3.33", "off the picture"]


def test_the_drawn_numbers_come_from_a_run_that_has_not_diverged(dataset, runs):
    (large,) = (r for r in runs if _is(r, "batch", 256, SEEDS[0]))
    broken = replace(large, loss=torch.tensor([3.0, math.nan]))
    others = [broken if run is large else run for run in runs]
    explorer = BatchSizeExplorer(others, dataset)
    assert explorer.grid.source is find(runs, "batch norm", 256, SEEDS[1])


def test_a_last_update_that_breaks_a_network_counts_as_divergence(dataset, runs):
    (small,) = (r for r in runs if _is(r, "batch", 256, SEEDS[0]))
    nan = {name: data * math.nan for name, data in small.parameters.items()}
    others = [replace(run, parameters=nan) if run is small else run for run in runs]
    explorer = BatchSizeExplorer(others, dataset, state={"size": 256})
    assert "batch norm diverged (1 of 2 seeds), layer norm 3." in explorer.text
    assert explorer.grid.source is find(runs, "batch norm", 256, SEEDS[1])


def _is(run, *key):
    return (run.recipe.norm, run.recipe.batch_size, run.recipe.seed) == key


# the picture


@pytest.mark.parametrize("marked", NORMS)
@pytest.mark.parametrize("n", SIZES)
def test_the_picture_shows_the_numbers(explorer, marked, n):
    explorer.state = {"size": n, "norm": marked, "split": "val", "unit": 7}
    explorer.refresh(anew=True)
    numbers, at = explorer.numbers, SIZES.index(n)
    curves, finals, drawn, spread = explorer.figure.axes
    for label in NORMS:
        x, losses = numbers.curves[label]
        top = curves.get_ylim()[1]
        mean = explorer._means[label]
        np.testing.assert_allclose(mean.get_xdata(), x)
        np.testing.assert_allclose(mean.get_ydata(), losses.mean(axis=0).clip(max=top))
        assert (mean.get_linewidth() > 2) == (label == marked)
        segments = explorer._seeds[label].get_segments()
        np.testing.assert_allclose(np.array(segments)[:, :, 1], losses)
        off = explorer._marks[label][0].get_xdata()
        assert off.tolist() == x[losses.mean(axis=0) > top][::3].tolist()
        line, (low, high), (ranges,) = explorer._bars[label]
        by, top = numbers.finals[label], finals.get_ylim()[1]
        np.testing.assert_allclose(line.get_xdata(), SIZES, rtol=0.1)
        np.testing.assert_allclose(line.get_ydata(), by.mean(axis=0).clip(max=top))
        np.testing.assert_allclose(low.get_ydata(), by.min(axis=0).clip(max=top))
        np.testing.assert_allclose(high.get_ydata(), by.max(axis=0).clip(max=top))
        segments = np.array(ranges.get_segments())  # (sizes, 2, x and y)
        np.testing.assert_allclose(segments[:, :, 0].T, [line.get_xdata()] * 2)
        np.testing.assert_allclose(segments[:, :, 1].T, [low.get_ydata(), high.get_ydata()])
        *_, off, crosses = explorer._marks[label]
        above = by.max(axis=0) > top
        assert off.get_xdata().tolist() == line.get_xdata()[above].tolist()
        assert not len(crosses.get_xdata())
    ring, other = (line.get_xydata()[0] for line in explorer._rings)
    np.testing.assert_allclose(ring, explorer._bars[marked][0].get_xydata()[at])
    np.testing.assert_allclose(other, [n, numbers.spread[at]])
    shares, edges, _ = drawn.patches[0].get_data()
    counts, _ = np.histogram(numbers.drawn.clip(-2.5, 2.5), 100, (-2.5, 2.5))
    np.testing.assert_allclose(shares, counts / counts.max())
    assert (edges[0], edges[-1]) == drawn.get_xlim() == (-2.5, 2.5)
    assert [line.get_xdata()[0] for line in explorer._expected] == pytest.approx(
        [-(n**-0.5), n**-0.5]
    )
    np.testing.assert_array_equal(
        spread.lines[0].get_xydata(), np.stack([SIZES, numbers.spread], 1)
    )
    np.testing.assert_array_equal(spread.lines[1].get_ydata(), numbers.law)
    assert [rule.get_xdata() for rule in explorer._rules] == [[n, n]] * 2


def test_curves_off_the_picture_are_marked_now_and_then_at_its_edge(dataset, runs):
    high = [replace(run, loss=run.loss + 10) for run in runs]
    explorer = BatchSizeExplorer(high, dataset)
    top = explorer.figure.axes[0].get_ylim()[1]
    for label in NORMS:
        x, losses = explorer.numbers.curves[label]
        assert (losses > top).all()
        np.testing.assert_allclose(explorer._means[label].get_ydata(), top)
        assert explorer._marks[label][0].get_xydata().tolist() == [[at, top] for at in x[::3]]


def test_no_bar_stands_on_another(explorer):
    places = [explorer._bars[label][0].get_xdata() for label in NORMS]
    assert (np.diff(np.log(places), axis=0) > 0.02).all()


def test_batch_stds_have_an_axis_of_their_own(explorer):
    draws = explorer.draws
    explorer.state = {"measure": "std", "size": 8}
    *_, drawn, spread = explorer.figure.axes
    assert drawn.get_xlim() == (0, 3)
    assert drawn.get_title() == "a unit's batch stds"
    assert [line.get_xdata()[0] for line in explorer._expected] == [0.75, 1.25]
    assert [t.get_text() for t in spread.get_legend().get_texts()] == [
        "measured",
        "1/√(2n), normal data",
    ]
    assert [t.get_text() for t in drawn.get_legend().get_texts()] == ["average", "1 ± 1/√(2n)"]
    (average,) = explorer._average.get_xdata()
    assert average == explorer.numbers.drawn.mean()
    explorer.reset()
    assert [t.get_text() for t in drawn.get_legend().get_texts()] == ["average", "± 1/√n"]
    assert explorer.draws - draws == 2


def test_every_picture_is_small_and_nothing_is_drawn_in_full_again(explorer):
    pictures, draws = set(), explorer.draws
    options = (SIZES, NORMS, ("calibrated", "batch"), ("train", "val"))
    for n, norm, how, split in itertools.product(*options):
        explorer.state = {"size": n, "norm": norm, "statistics": how, "split": split}
        png, text = explorer._frames[explorer.index]
        assert len(png) <= 32 * 1024
        assert struct.unpack(">II", png[16:24]) == (900, 480)
        assert text == explorer.text
        pictures.add(png)
    assert len(pictures) == 4 * 3 * 2 * 2
    assert explorer.draws == draws


@pytest.mark.parametrize("panel", [1, 3])
@pytest.mark.parametrize(("place", "n"), [(1.9, 2), (3.9, 2), (4.2, 8), (60, 64), (300, 256)])
def test_a_click_over_the_sizes_picks_the_nearest(explorer, panel, place, n):
    ax = explorer.figure.axes[panel]
    x, y = ax.transData.transform((place, sum(ax.get_ylim()) / 2))
    explorer.state = {"size": 8 if n != 8 else 2}
    explorer._heard(None, {"click": [x / 900, y / 480]}, [])
    assert explorer.state["size"] == n
    assert explorer.controls["size"].value == n


def test_a_click_elsewhere_does_nothing(explorer):
    before = explorer.state
    for panel in (0, 2):
        explorer.clicked(*explorer.figure.axes[panel].bbox.min + 5)
    explorer.clicked(1, 1)
    assert explorer.state == before


def test_the_text_says_what_is_seen(explorer):
    batch, layer, plain = (
        f"{explorer.grid.losses['calibrated', 'train'][label][:, 2].mean():.2f}" for label in NORMS
    )
    seeds = sorted(explorer.grid.losses["calibrated", "train"]["batch norm"][:, 2])
    assert explorer.text == (
        "Batches of 64, 32 steps, 2,048 examples. Final train loss in nats: "
        f"batch norm {batch}, layer norm {layer}, plain {plain} (batch norm read with calibrated "
        f"statistics; the 2 seeds of batch norm: {seeds[0]:.2f} to {seeds[1]:.2f}). "
        f"The batch means of unit 0 scatter by {explorer.numbers.spread[2]:.3f} of its std; "
        "1/√64 is 0.125."
    )
    explorer.state = {"measure": "std", "unit": 5, "statistics": "batch", "split": "val"}
    numbers = explorer.numbers
    assert "Final val loss in nats: batch norm " in explorer.text
    assert "(batch norm read with batch statistics;" in explorer.text
    assert explorer.text.endswith(
        f"The batch stds of unit 5 scatter around {numbers.drawn.mean():.2f} by "
        f"{numbers.spread[2]:.3f} of its std; 1/√(2 · 64), for normal data, is 0.088."
    )


def test_the_losses_of_small_batches_are_told_coarsely(explorer):
    explorer.state = {"size": 2, "norm": "plain"}
    now = explorer.numbers.now
    assert f"layer norm about {now['layer norm'].mean():.1f}, plain about " in explorer.text
    low, high = sorted(now["plain"])
    assert f"the 2 seeds of plain: {low:.1f} to {high:.1f})" in explorer.text
    assert f", plain={now['plain'].mean():.1f}, spread=" in repr(explorer)


def test_repr_has_the_key_numbers(explorer):
    losses = explorer.grid.losses["calibrated", "train"]
    batch, layer, plain = (f"{losses[label][:, 2].mean():.2f}" for label in NORMS)
    assert repr(explorer) == (
        "BatchSizeExplorer(size=64, norm=batch norm, statistics=calibrated, split=train, unit=0, "
        f"measure=mean, batch_norm={batch}, layer_norm={layer}, plain={plain}, "
        f"spread={explorer.numbers.spread[2]:.3f})"
    )


def test_a_page_without_kernel_has_picture_and_text(explorer):
    bundle = explorer._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]) == explorer._frames[2][0]
    assert bundle["text/plain"] == repr(explorer)


# moves

moves = st.fixed_dictionaries(
    {},
    optional={
        "size": st.sampled_from(SIZES),
        "norm": st.sampled_from(list(NORMS)),
        "statistics": st.sampled_from(["calibrated", "batch"]),
        "split": st.sampled_from(["train", "val"]),
        "unit": st.integers(0, HIDDEN - 1),
        "measure": st.sampled_from(["mean", "std"]),
    },
)


@given(st.lists(moves, min_size=1, max_size=4), st.booleans())
@settings(deadline=None, max_examples=6, suppress_health_check=list(HealthCheck))
def test_after_any_moves_it_equals_a_fresh_explorer(shared, runs, dataset, several, one_by_one):
    for move in several:
        if one_by_one:
            for name, value in move.items():
                shared.controls[name].value = value
        else:
            shared.state = move
    other = BatchSizeExplorer(runs, dataset, state=shared.state)
    assert repr(shared) == repr(other)
    assert shared.text == other.text
    np.testing.assert_array_equal(shared.numbers.drawn, other.numbers.drawn)
    assert shared._frames[shared.index] == other._frames[other.index]


def test_presets_are_buttons(explorer, dataset, runs):
    buttons = {b.description: b for b in explorer.children[0].children[1].children}
    assert list(buttons) == ["batches of 2", "the seed's 64", "256", "Reset"]
    explorer.state = {"norm": "plain"}
    for name, n in zip(buttons, (2, 64, 256), strict=False):
        buttons[name].click()
        assert (explorer.state["size"], explorer.state["norm"]) == (n, "plain")
    buttons["Reset"].click()
    assert explorer.state == {
        "size": 64,
        "norm": "batch norm",
        "statistics": "calibrated",
        "split": "train",
        "unit": 0,
        "measure": "mean",
    }


def test_without_batches_of_64_it_starts_at_the_nearest_size(dataset, runs):
    others = [run for run in runs if run.recipe.batch_size != 64]
    explorer = BatchSizeExplorer(others, dataset)
    assert explorer.state["size"] == 256
    assert list(explorer.presets) == ["batches of 2", "256"]


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"size": 4}, r"^size: expected one of \[2, 8, 64, 256\], got 4$"),
        ({"norm": "batch"}, r"^norm: expected one of \['batch norm', .*, got 'batch'$"),
        ({"statistics": "running"}, r"^statistics: expected one of .*, got 'running'$"),
        ({"split": "test"}, r"^split: expected one of \['train', 'val'\], got 'test'$"),
        ({"unit": 32}, r"^unit: expected one of \[0, 1, .*, got 32$"),
        ({"measure": "variance"}, r"^measure: expected one of .*, got 'variance'$"),
        ({"n": 2}, r"^state: expected size, norm, .*, got 'n'$"),
    ],
)
def test_a_bad_state_is_refused_and_changes_nothing(explorer, state, message):
    before, text = explorer.state, explorer.text
    with pytest.raises(ValueError, match=message):
        explorer.state = state
    assert (explorer.state, explorer.text) == (before, text)


def test_a_bad_state_is_refused_by_the_constructor(runs, dataset):
    with pytest.raises(ValueError, match=r"^size: expected one of"):
        BatchSizeExplorer(runs, dataset, state={"size": 3})


def test_an_error_reaches_test_and_reader_and_the_next_move_works(explorer, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(explorer, "compute", lambda state: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            explorer.controls["size"].value = 2
        assert "ZeroDivisionError" in explorer.picture.text
        assert isinstance(explorer.error, ZeroDivisionError)
    explorer.controls["unit"].value = 3
    assert explorer.error is None
    assert explorer.picture.text == explorer.text
    assert explorer.text.startswith("Batches of 2, 1,024 steps")


# a reader's mistakes


def changed(runs, which, **fields):
    return [
        replace(run, recipe=replace(run.recipe, **fields)) if which(run) else run for run in runs
    ]


def is_batch_of_8(run):
    return run.recipe.norm == "batch" and run.recipe.batch_size == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda runs: [], r"at least two batch sizes .*, got batch_size=\[\], norm=\[\]$"),
        (
            lambda runs: [run for run in runs if run.recipe.batch_size == 8],
            r"at least two batch sizes .*, got batch_size=\[8\], norm=\['batch', 'layer', None\]$",
        ),
        (
            lambda runs: [run for run in runs if run.recipe.norm != "batch"],
            r'norm="batch" among them, got .*, norm=\[\'layer\', None\]$',
        ),
        (
            lambda runs: [r for r in runs if not is_batch_of_8(r)],
            r"each batch size with each norm, there is none of norm='batch', batch_size=8$",
        ),
        (
            lambda runs: [r for r in runs if r.recipe.norm or r.recipe.batch_size > 8],
            r"none of norm=None, batch_size=2; norm=None, batch_size=8$",
        ),
        (
            lambda runs: [*runs, *(r for r in runs if is_batch_of_8(r))],
            r"each once, got 2 with norm='batch', batch_size=8, seed=5$",
        ),
        (
            lambda runs: changed(runs, is_batch_of_8, hidden_gain=2.0),
            r"the same hidden_gain in all, got hidden_gain=\[1\.0, 2\.0\]$",
        ),
        (
            lambda runs: changed(runs, is_batch_of_8, learning_rate=1.0),
            r"the same learning_rate in all of size 8, got learning_rate=\[1\.0, 0\.1\]$",
        ),
        (
            lambda runs: [replace(r, loss=r.loss[:20]) if is_batch_of_8(r) else r for r in runs],
            r"all complete, got 20 of 256 steps with norm='batch', batch_size=8, seed=5$",
        ),
        (
            lambda runs: [
                replace(r, loss=torch.tensor([3.0, math.nan])) if r.recipe.norm == "batch" else r
                for r in runs
            ],
            r"one with batch norm that has not diverged, got none$",
        ),
    ],
)
def test_runs_that_are_no_grid_are_refused(runs, dataset, make, message):
    with pytest.raises(ValueError, match=r"^runs: expected .*" + message):
        BatchSizeExplorer(make(runs), dataset)


def test_runs_of_no_steps_are_refused(dataset):
    runs = bn.sweep(dataset, bn.Recipe(steps=0), batch_size=[2, 4], norm=["batch"])
    with pytest.raises(ValueError, match="got 0 of 0 steps with norm='batch', batch_size=2"):
        BatchSizeExplorer(runs, dataset)


def test_runs_of_another_dataset_are_refused(runs):
    words = [n * "a" + "b" for n in range(1, 20)]
    with pytest.raises(ValueError, match="expected this dataset's 3 symbols, got 28"):
        BatchSizeExplorer(runs, bn.Dataset.from_words(words))
    other = bn.Dataset.from_words(bn.load_words(), block_size=4)
    with pytest.raises(ValueError, match=r"^contexts: expected indices of shape \(N, 3\)"):
        BatchSizeExplorer(runs, other)


def test_any_iterable_of_runs_will_do(runs, dataset):
    assert SizeGrid([*runs], dataset).sizes == SIZES
    assert BatchSizeExplorer(iter(runs), dataset).state["size"] == 64


def test_the_reader_gets_as_many_batches_as_the_docstring_says(few_batches):
    assert f"{few_batches:,}\n    batches of every size" in BatchSizeExplorer.__doc__
