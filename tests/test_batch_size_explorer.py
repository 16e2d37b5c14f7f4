"""The explorer of batch sizes against networks written out in torch, without a browser."""

import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from explorer_kinds import numbers_in
from matplotlib.colors import same_color

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
    return reference.read(run, contexts)["hidden.0"]


def loss(run, split, batch, of=None):
    """Read a batch in float64, with the statistics of other contexts if any are given."""
    fixed = of is not None and run.recipe.norm == "batch"
    known = reference.statistics(run, of) if fixed else None
    return reference.losses(run, split, batch, known).mean().item()


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
        expected = loss(run, examples, slice(None), of=dataset.train.contexts)
        assert shown[i, j] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("split", ["train", "val"])
def test_in_batches_each_example_is_read_with_the_others_of_its_batch(
    explorer, runs, dataset, split
):
    examples = getattr(dataset, split)
    numbers = explorer.compute(state_of(explorer, split=split, statistics="batch"))
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(23)).tolist()
    for n in SIZES:
        run, each = find(runs, "batch norm", n, SEEDS[1]), []
        for start in range(0, len(order), n):
            batch = order[start : start + n]
            batch += order[: n - len(batch)]  # the last one is filled up
            each.append(loss(run, examples, batch))
        shown = numbers.finals["batch norm"][1, SIZES.index(n)]
        assert shown == pytest.approx(statistics.mean(each), abs=1e-4 if n > 2 else 0.01)
    calibrated = explorer.compute(state_of(explorer, split=split)).finals
    assert (numbers.finals["batch norm"] != calibrated["batch norm"]).all()
    for label in ("layer norm", "plain"):
        np.testing.assert_array_equal(numbers.finals[label], calibrated[label])


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
        off, crosses = explorer._losses.off[label][1], explorer._losses.diverged[label][1]
        (place,) = crosses.get_xdata()
        assert place == pytest.approx(2, rel=0.2)
        assert list(crosses.get_ydata()) == [explorer._losses.tops[1]]
        assert 2 not in np.round(off.get_xdata())
        assert len(explorer._losses.diverged[label][0].get_xdata()) == 1
    assert "batch norm diverged (1 of 2 seeds), layer norm diverged (1 of 2 seeds)" in explorer.text
    assert "to inf" not in explorer.text
    assert "batch_norm=inf, layer_norm=inf, plain=inf" in repr(explorer)
    (legend,) = explorer.figure.legends
    assert legend.get_texts()[-1].get_text() == "diverged"
    explorer.state = {"size": 64}
    assert "diverged" not in explorer.text
    assert not len(explorer._losses.diverged["plain"][0].get_xdata())
    whole = BatchSizeExplorer(runs, dataset)
    np.testing.assert_array_equal(whole.numbers.now["plain"], explorer.numbers.now["plain"])


@pytest.mark.parametrize("last_update", [False, True])
def test_the_drawn_numbers_come_from_a_run_that_has_not_diverged(dataset, runs, last_update):
    large = find(runs, "batch norm", 256, SEEDS[0])
    nan = {name: data * math.nan for name, data in large.parameters.items()}
    broken = {"parameters": nan} if last_update else {"loss": torch.tensor([3.0, math.nan])}
    others = [replace(run, **broken) if run is large else run for run in runs]
    explorer = BatchSizeExplorer(others, dataset, state={"size": 256})
    assert "batch norm diverged (1 of 2 seeds), layer norm 3." in explorer.text
    assert explorer.grid.source is find(runs, "batch norm", 256, SEEDS[1])


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
        mean = explorer._losses.means[label]
        np.testing.assert_allclose(mean.get_xdata(), x)
        np.testing.assert_allclose(mean.get_ydata(), losses.mean(axis=0).clip(max=top))
        assert (mean.get_linewidth() > 2) == (label == marked)
        segments = explorer._losses.seeds[label].get_segments()
        np.testing.assert_allclose(np.array(segments)[:, :, 1], losses)
        off = explorer._losses.off[label][0].get_xdata()
        assert off.tolist() == x[losses.mean(axis=0) > top][::3].tolist()
        line, (low, high), (ranges,) = explorer._losses.errorbars[label]
        by, top = numbers.finals[label], finals.get_ylim()[1]
        np.testing.assert_allclose(line.get_xdata(), SIZES, rtol=0.1)
        np.testing.assert_allclose(line.get_ydata(), by.mean(axis=0).clip(max=top))
        np.testing.assert_allclose(low.get_ydata(), by.min(axis=0).clip(max=top))
        np.testing.assert_allclose(high.get_ydata(), by.max(axis=0).clip(max=top))
        segments = np.array(ranges.get_segments())  # (sizes, 2, x and y)
        np.testing.assert_allclose(segments[:, :, 0].T, [line.get_xdata()] * 2)
        np.testing.assert_allclose(segments[:, :, 1].T, [low.get_ydata(), high.get_ydata()])
        off, crosses = explorer._losses.off[label][1], explorer._losses.diverged[label][1]
        above = by.max(axis=0) > top
        assert off.get_xdata().tolist() == line.get_xdata()[above].tolist()
        assert not len(crosses.get_xdata())
    ring, other = (line.get_xydata()[0] for line in explorer._rings)
    np.testing.assert_allclose(ring, explorer._losses.errorbars[marked][0].get_xydata()[at])
    np.testing.assert_allclose(other, [n, numbers.spread[at]])
    shares, edges, _ = drawn.patches[0].get_data()
    counts, _ = np.histogram(numbers.drawn.clip(-2.5, 2.5), 100, (-2.5, 2.5))
    np.testing.assert_allclose(shares, counts / counts.max())
    assert (edges[0], edges[-1]) == drawn.get_xlim() == (-2.5, 2.5)
    assert [line.get_xdata()[0] for line in explorer._noise.expected] == pytest.approx(
        [-(n**-0.5), n**-0.5]
    )
    np.testing.assert_array_equal(
        spread.lines[0].get_xydata(), np.stack([SIZES, numbers.spread], 1)
    )
    np.testing.assert_array_equal(spread.lines[1].get_xydata(), np.stack([SIZES, numbers.law], 1))
    assert [rule.get_xdata() for rule in explorer._rules] == [[n, n]] * 2


def test_curves_off_the_picture_are_marked_now_and_then_at_its_edge(dataset, runs):
    high = [replace(run, loss=run.loss + 10) for run in runs]
    explorer = BatchSizeExplorer(high, dataset)
    top = explorer.figure.axes[0].get_ylim()[1]
    for label in NORMS:
        x, losses = explorer.numbers.curves[label]
        assert (losses > top).all()
        np.testing.assert_allclose(explorer._losses.means[label].get_ydata(), top)
        assert explorer._losses.off[label][0].get_xydata().tolist() == [[at, top] for at in x[::3]]


def test_no_bar_stands_on_another_and_the_legend_has_what_there_is(explorer):
    (legend,) = explorer.figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [*NORMS, "uniform guessing: 3.33", "off the picture"]  # none diverged
    places = [explorer._losses.errorbars[label][0].get_xdata() for label in NORMS]
    assert (np.diff(np.log(places), axis=0) > 0.02).all()


def test_batch_stds_have_an_axis_of_their_own(explorer):
    draws = explorer.draws
    explorer.state = {"measure": "std", "size": 8}
    *_, drawn, spread = explorer.figure.axes
    assert drawn.get_xlim() == (0, 3)
    assert drawn.get_title() == "a unit's batch stds"
    assert [line.get_xdata()[0] for line in explorer._noise.expected] == [0.75, 1.25]
    assert [t.get_text() for t in spread.get_legend().get_texts()] == [
        "measured",
        "1/√(2n), normal data",
    ]
    assert [t.get_text() for t in drawn.get_legend().get_texts()] == ["average", "1 ± 1/√(2n)"]
    (average,) = explorer._noise.average.get_xdata()
    assert average == explorer.numbers.drawn.mean()
    explorer.reset()
    assert [t.get_text() for t in drawn.get_legend().get_texts()] == ["average", "± 1/√n"]
    measured, law = spread.lines[:2]
    assert (measured.get_linestyle(), law.get_linestyle()) == ("None", "--")
    assert not same_color(measured.get_color(), law.get_color())
    scales = spread.get_xscale(), spread.get_yscale(), spread.get_xlabel()
    assert scales == ("log", "log", "batch size")
    assert explorer.draws - draws == 2


@pytest.mark.parametrize("panel", [1, 3])
@pytest.mark.parametrize(("place", "n"), [(1.9, 2), (3.9, 2), (4.2, 8), (60, 64), (300, 256)])
def test_a_click_over_the_sizes_picks_the_nearest(explorer, panel, place, n):
    ax = explorer.figure.axes[panel]
    x, y = ax.transData.transform((place, sum(ax.get_ylim()) / 2))
    explorer.state = {"size": 8 if n != 8 else 2}
    explorer._heard(None, {"click": [x / 900, y / 480]}, [])
    assert explorer.state["size"] == n
    assert explorer.controls["size"].value == n


def test_the_text_says_what_is_seen(explorer):
    losses = explorer.grid.losses["calibrated", "train"]
    ends, seeds = [losses[label][:, 2].mean() for label in NORMS], losses["batch norm"][:, 2]
    spread = explorer.numbers.spread[2]
    told = [64, 32, 2_048, *ends, 2, seeds.min(), seeds.max(), 0, spread, 1, 64, 0.125]
    assert numbers_in(explorer.text) == pytest.approx(told, abs=0.006)
    assert "Final train loss in nats: batch norm " in explorer.text
    explorer.state = {"measure": "std", "unit": 5, "statistics": "batch", "split": "val"}
    numbers = explorer.numbers
    told = [5, numbers.drawn.mean(), numbers.spread[2], 1, 2, 64, 0.088]
    assert numbers_in(explorer.text)[-7:] == pytest.approx(told, abs=0.006)
    for words in ("Final val loss in nats: batch", "read with batch statistics;", "batch stds of"):
        assert words in explorer.text


def test_the_losses_of_small_batches_are_told_coarsely(explorer):
    explorer.state = {"size": 2, "norm": "plain"}
    now = explorer.numbers.now
    assert f"layer norm about {now['layer norm'].mean():.1f}, plain about " in explorer.text
    low, high = sorted(now["plain"])
    assert f"the 2 seeds of plain: {low:.1f} to {high:.1f})" in explorer.text
    assert f", plain={now['plain'].mean():.1f}, spread=" in repr(explorer)


def test_without_batches_of_64_it_starts_at_the_nearest_size(dataset, runs):
    others = [run for run in runs if run.recipe.batch_size != 64]
    explorer = BatchSizeExplorer(others, dataset)
    assert explorer.state["size"] == 256
    assert list(explorer.presets) == ["batches of 2", "256"]


# a reader's mistakes


def changed(runs, which, **fields):
    return [
        replace(run, recipe=replace(run.recipe, **fields)) if which(run) else run for run in runs
    ]


def at_the_start(run):
    return [replace(run, loss=run.loss[:0], recipe=replace(run.recipe, steps=0))]


def is_batch_of_8(run):
    return run.recipe.norm == "batch" and run.recipe.batch_size == 8


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda runs: [], r"at least two batch sizes .*, got batch_size=\[\], norm=\[\]$"),
        (lambda runs: at_the_start(runs[0]), r"got 0 of 0 steps with norm='batch', batch_size=256"),
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
    words = " ".join(BatchSizeExplorer.__doc__.split())
    assert f"{few_batches:,} batches of every size are drawn" in words
