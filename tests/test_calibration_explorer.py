"""The calibration explorer against networks written out in torch, without a browser."""

from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from explorer_kinds import numbers_in

import bn_tutorial as bn
from bn_tutorial.explorers import calibration
from bn_tutorial.explorers.calibration import KINDS, SIZES, CalibrationExplorer

DRAWS = 4_096  # fewer than the reader gets
RECIPE = bn.Recipe(steps=300)
STATISTICS = ("batch", "running", "calibrated")

pytestmark = pytest.mark.usefixtures("one_thread", "few_draws")


@pytest.fixture(scope="module")
def few_draws():
    with pytest.MonkeyPatch.context() as patch:
        given = calibration.DRAWS
        patch.setattr(calibration, "DRAWS", DRAWS)
        yield given


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, RECIPE)


@pytest.fixture(scope="module")
def shared(run, dataset, few_draws):
    return CalibrationExplorer(run, dataset)


@pytest.fixture
def explorer(shared):
    shared.reset()
    return shared


def batches(split, n):
    """Draw the batches as the docstring says: int64 Tensor (batches, n)."""
    generator = torch.Generator().manual_seed(23)
    return torch.randint(len(split), (DRAWS,), generator=generator).reshape(-1, n)


def loss_of_batch(run, split, indices, statistics=None):
    """Read one batch with its own or with given statistics, in float64."""
    return reference.losses(run, split, indices, statistics).mean().item()


@pytest.mark.parametrize("n", [2, 4, 64, 1024])
@pytest.mark.parametrize("split", KINDS)
def test_losses_are_those_of_each_batch_by_itself(explorer, run, dataset, split, n):
    examples = getattr(dataset, split)
    fixed = {
        "batch": None,
        "running": bn.running_statistics(run, 0.001),
        "calibrated": bn.calibrate(run, dataset.train),
    }
    several = batches(examples, n)
    shown = [*range(min(20, len(several))), len(several) - 1]
    for name, statistics in fixed.items():
        losses = explorer.losses[name, split, n]
        assert losses.shape == (DRAWS // n,)
        expected = [loss_of_batch(run, examples, several[i], statistics) for i in shown]
        np.testing.assert_allclose(losses[shown], expected, atol=1e-4)


@pytest.mark.parametrize(
    "changes",
    [{"depth": 2}, {"correction": 0, "hidden_bias": False}, {"eps": 0.5, "dtype": "float64"}],
    ids=str,
)
def test_the_network_may_have_another_structure(dataset, changes):
    run = bn.train(dataset, replace(RECIPE, **changes))
    explorer = CalibrationExplorer(run, dataset)
    calibrated = bn.calibrate(run, dataset.train)
    for n in (4, 1024):
        for i, indices in enumerate(batches(dataset.val, n)[:8]):
            own = loss_of_batch(run, dataset.val, indices)
            fixed = loss_of_batch(run, dataset.val, indices, calibrated)
            assert explorer.losses["batch", "val", n][i] == pytest.approx(own, abs=1e-4)
            assert explorer.losses["calibrated", "val", n][i] == pytest.approx(fixed, abs=1e-6)


def test_means_are_the_same_for_every_size_with_fixed_statistics_but_not_with_own(explorer):
    for split in KINDS:
        own, running, calibrated = (
            explorer.compute({"statistics": name, "split": split, "size": 2}).curves
            for name in STATISTICS
        )
        for means in (running[0], calibrated[0]):
            np.testing.assert_allclose(means, means[0], rtol=1e-12)
        assert (np.diff(own[3][:6]) < 0).all()  # small batches are worse
        assert own[3][0] > 0.3
        losses = explorer.losses["calibrated", split, 2]
        noise = losses.std() / len(losses) ** 0.5
        assert abs(losses.mean() - explorer.levels[split]) < 4 * noise
        low, high = explorer._limits  # hold every curve
        for curves in (own, running, calibrated):
            assert low < curves[1].min() < curves[2].max() < high


@pytest.mark.parametrize("split", KINDS)
def test_the_level_is_the_calibrated_loss_of_the_split(explorer, run, dataset, split):
    stats = bn.calibrate(run, dataset.train)
    expected = bn.evaluate(run, getattr(dataset, split), stats)
    for name in STATISTICS:
        numbers = explorer.compute({"statistics": name, "split": split, "size": 8})
        assert numbers.level == pytest.approx(expected, abs=1e-9)


def test_the_running_statistics_take_the_momentum(run, dataset, explorer):
    other = CalibrationExplorer(run, dataset, momentum=0.1)
    stats = bn.running_statistics(run, 0.1)
    indices = batches(dataset.val, 64)[3]
    expected = loss_of_batch(run, dataset.val, indices, stats)
    assert other.losses["running", "val", 64][3] == pytest.approx(expected, abs=1e-6)
    assert explorer.losses["running", "val", 64][3] != pytest.approx(expected, abs=1e-3)
    other.state = {"statistics": "running"}
    assert "with the running statistics (momentum 0.1): loss" in other.text
    cumulative = CalibrationExplorer(run, dataset, momentum=None, state={"statistics": "running"})
    assert "(momentum None)" in cumulative.text


@pytest.mark.parametrize("n", [2, 8, 1024])
@pytest.mark.parametrize("name", STATISTICS)
def test_the_numbers_sum_up_the_losses(explorer, name, n):
    numbers = explorer.compute({"statistics": name, "split": "test", "size": n})
    losses, calibrated = (explorer.losses[kind, "test", n] for kind in (name, "calibrated"))
    defined = ~np.isnan(losses)
    assert (numbers.batches, numbers.undefined) == (DRAWS // n, (~defined).sum())
    low, high = (np.percentile(losses[defined], q) for q in (10, 90))
    excess = (losses - calibrated)[defined].mean()
    np.testing.assert_allclose(numbers.now, [losses[defined].mean(), low, high, excess], atol=1e-9)
    np.testing.assert_array_equal(numbers.now, numbers.curves[:, SIZES.index(n)])
    np.testing.assert_array_equal(
        numbers.reference[1],
        explorer.compute({"statistics": "calibrated", "split": "test", "size": n}).curves[1],
    )


@pytest.mark.parametrize("n", SIZES)
def test_no_batch_is_hidden(explorer, n):
    numbers = explorer.compute({"statistics": "batch", "split": "val", "size": n})
    losses = explorer.losses["batch", "val", n]
    low, high = explorer._limits
    below, above = numbers.outside
    assert (below, above) == ((losses < low).mean(), (losses > high).mean())
    counted = numbers.shares.sum() + below + above + numbers.undefined / numbers.batches
    assert counted == pytest.approx(1)
    edges = np.linspace(low, high, len(numbers.shares) + 1)
    fullest = numbers.shares.argmax()
    inside = (losses >= edges[fullest]) & (losses < edges[fullest + 1])
    assert numbers.shares[fullest] == pytest.approx(inside.mean(), abs=1.5 / len(losses))


# batches of equal examples

FEW = ["ox", "yak", "zebu", "gnu", "eland", "okapi", "kudu", "nyala", "oryx", "ibex"]


def same_context(split, n):
    contexts = split.contexts[batches(split, n)]  # (batches, n, T)
    return (contexts == contexts[:, :1]).all(dim=(1, 2)).numpy()


@pytest.fixture(scope="module")
def small():
    return bn.Dataset.from_words(FEW)  # equal contexts come often, also four at once


def test_batches_of_equal_contexts_have_no_finite_loss_and_are_counted(small):
    run = bn.train(small, bn.Recipe(steps=100))
    explorer = CalibrationExplorer(run, small)
    for n in (2, 4, 8):
        equal = same_context(small.val, n)
        np.testing.assert_array_equal(np.isnan(explorer.losses["batch", "val", n]), equal)
        explorer.state = {"size": n}
        assert explorer.numbers.undefined == equal.sum()
        told = f"{equal.sum():,} of the batches have equal values in a unit: no finite loss"
        assert (told in explorer.text) == bool(equal.any())
    assert same_context(small.val, 4).sum() > 10
    for name in ("running", "calibrated"):
        assert explorer.compute({"statistics": name, "split": "val", "size": 2}).undefined == 0


def test_rounding_does_not_give_equal_values_a_loss(small, monkeypatch):
    def rounding(*batches):  # as where the mean of four equal values is not that value
        return losses_of(*batches).nan_to_num()

    run, losses_of = bn.train(small, bn.Recipe(steps=100)), calibration.losses
    monkeypatch.setattr(calibration, "losses", rounding)
    for n in (2, 4):
        losses = calibration._losses_with_own(run, small.val, batches(small.val, n))
        np.testing.assert_array_equal(np.isnan(losses), same_context(small.val, n))


def test_with_eps_batches_of_equal_contexts_have_a_loss(small):
    run = bn.train(small, bn.Recipe(steps=100, eps=1e-5))
    explorer = CalibrationExplorer(run, small, state={"size": 2})
    assert same_context(small.val, 2).any()
    assert explorer.numbers.undefined == 0
    assert np.isfinite(explorer.losses["batch", "val", 2]).all()
    assert "no finite loss" not in explorer.text


def test_a_split_of_one_context_has_no_loss_with_own_statistics_at_all(small):
    run = bn.train(small, bn.Recipe(steps=100))
    one = replace(small.val, contexts=small.val.contexts[:1], targets=small.val.targets[:1])
    explorer = CalibrationExplorer(run, replace(small, val=one))
    assert explorer.numbers.undefined == explorer.numbers.batches
    assert "loss nan on average" in explorer.text
    explorer.state = {"statistics": "calibrated"}
    assert "nan" not in explorer.text


# as an explorer


def test_the_picture_shows_the_numbers(explorer):
    explorer.state = {"statistics": "batch", "split": "train", "size": 4}
    numbers = explorer.numbers
    shares, spread, bias = explorer.figure.axes
    heights, edges, _ = shares.patches[0].get_data()
    np.testing.assert_allclose(heights, numbers.shares / numbers.shares.max())
    assert (edges[0], edges[-1]) == shares.get_ylim() == spread.get_ylim() == explorer._limits
    mean, level = (line.get_ydata()[0] for line in shares.lines)
    assert (mean, level) == (numbers.now[0], numbers.level)
    drawn = [line.get_ydata() for line in spread.lines]
    expected = numbers.curves[0], *numbers.reference[1:3], [numbers.level] * 2
    for line, its in zip(drawn, expected, strict=False):
        np.testing.assert_array_equal(line, its)
    (path,) = spread.collections[0].get_paths()
    assert {tuple(point) for point in zip(SIZES, numbers.curves[2], strict=True)} <= {
        tuple(point) for point in path.vertices.tolist()
    }
    np.testing.assert_array_equal(bias.lines[0].get_ydata(), numbers.curves[3])
    assert spread.lines[-1].get_xydata().tolist() == [[4, numbers.now[0]]]
    assert bias.lines[-1].get_xydata().tolist() == [[4, numbers.now[3]]]
    assert [0, 0] in [list(line.get_ydata()) for line in bias.lines]
    below, above = numbers.outside
    assert above > 0
    texts = [text.get_text() for text in shares.texts]
    assert texts == [f"{below:.1%} below" if below else "", f"{above:.1%} above"]
    explorer.state = {"size": 256}
    assert [text.get_text() for text in shares.texts] == ["", ""]


def test_the_panels_have_their_axes_and_names(explorer):
    shares, spread, bias = explorer.figure.axes
    assert shares.patches[0].orientation == "horizontal"
    assert shares.get_xlim() == (0, 1.05)
    mean, level = shares.lines
    assert mean.get_linestyle() != level.get_linestyle()
    assert [text.get_text() for text in spread.get_legend().get_texts()] == [
        *("8 in 10 batches", "mean", "8 in 10, calibrated", "whole split, calibrated")
    ]
    assert (spread.get_xlabel(), spread.get_ylabel()) == ("batch size", "loss of a batch (nats)")
    assert (spread.get_xscale(), bias.get_xscale(), bias.get_yscale()) == ("log", "log", "symlog")
    labels = [text.get_text() for text in spread.get_xticklabels()]
    assert labels == ["4", "16", "64", "256", "1,024"]
    assert {text.get_text() for text in spread.get_xticklabels(minor=True)} == {""}
    assert {"0", "0.1"} <= {text.get_text() for text in bias.get_yticklabels()}


def test_the_text_says_what_is_seen(explorer):
    mean, low, high, excess = explorer.numbers.now
    told = [512, 8, mean, excess, low, high, 8, 10, explorer.levels["val"]]
    assert numbers_in(explorer.text) == pytest.approx(told, abs=0.006)
    assert "validation examples, each normalized with its own statistics: " in explorer.text
    explorer.state = {"statistics": "calibrated", "split": "test", "size": 1024}
    mean, low, high, _ = explorer.numbers.now
    told = [4, 1024, mean, low, high, 8, 10, explorer.levels["test"]]
    assert numbers_in(explorer.text) == pytest.approx(told, abs=0.006)
    assert "test examples, normalized with the statistics of the training split: " in explorer.text


def test_a_batch_size_that_the_slider_lacks_is_no_preset(dataset):
    run = bn.train(dataset, bn.Recipe(steps=20, batch_size=50))
    buttons = CalibrationExplorer(run, dataset).children[-1].children
    assert [b.description for b in buttons] == ["pairs", "pairs, calibrated", "Reset"]


def test_the_reader_gets_as_many_draws_as_the_docstring_says(few_draws):
    assert f"{few_draws:,} examples are drawn" in CalibrationExplorer.__doc__
    assert all(few_draws % n == 0 for n in SIZES)
