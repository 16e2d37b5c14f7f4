import inspect

import matplotlib
import numpy as np
import pytest
import torch

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import same_color

from bn_tutorial import plots

CURVES = {"plain": ([0, 1, 2], torch.tensor([3.0, 2.0, 1.0])), "batch norm": ([0, 2], [3.0, 0.5])}
GROUPS = {"plain": torch.zeros(4, 2), "batch norm": torch.ones(3)}
FINAL = {"batch norm": torch.tensor([[2.0, 3.0], [2.5, 4.0], [3.0, 4.4]])}  # (seeds, values)
WINDOW = [("...", "o"), ("..o", "x"), (".ox", ".")]
SIDEWAYS = [0.1, 0.4, 0.2], [1.5, 2.0, 2.5, 3.0]  # shares, edges
SPREAD = [2, 4, 8], [[3.0, 2.5, 2.2], [2.0, 2.1, 2.1], [4.0, 3.0, 2.5]], [[1, 2, 2], [3, 2, 2]]
DRAW = {
    plots.plot_loss: lambda ax: plots.plot_loss(CURVES, levels={"uniform": 3.3}, ax=ax),
    plots.plot_histograms: lambda ax: plots.plot_histograms(GROUPS, limits=(-2, 2), ax=ax),
    plots.plot_saturation: lambda ax: plots.plot_saturation(torch.zeros(3, 5), ax=ax),
    plots.plot_window: lambda ax: plots.plot_window("ox", WINDOW, ax=ax),
    plots.plot_shares: lambda ax: plots.plot_shares("ab", [0.5, 0.5], ax=ax),
    plots.plot_final_losses: lambda ax: plots.plot_final_losses(
        [1, 2], FINAL, xlabel="rate", ax=ax
    ),
    plots.plot_normalization: lambda ax: plots.plot_normalization([3.0, 5.0], [-1.0, 1.0], ax=ax),
    plots.plot_probabilities: lambda ax: plots.plot_probabilities("ab", {"p": [0.3, 0.7]}, ax=ax),
    plots.plot_tracking: lambda ax: plots.plot_tracking(
        [1, 2], [[0, 1], [2, 3]], [1, 2], level=1.5, ax=ax
    ),
    plots.plot_weights: lambda ax: plots.plot_weights([1, 10], [0.1, 0.01], left=0.5, ax=ax),
    plots.plot_by_layer: lambda ax: plots.plot_by_layer({"plain": [0.5, 0.2]}, ax=ax),
    plots.plot_bars: lambda ax: plots.plot_bars({"one": 1.0, "two": 2.0}, ylabel="loss", ax=ax),
    plots.plot_sideways: lambda ax: plots.plot_sideways(*SIDEWAYS, mean=2.4, level=2.1, ax=ax),
    plots.plot_spread: lambda ax: plots.plot_spread(*SPREAD, level=2.1, ax=ax),
    plots.plot_excess: lambda ax: plots.plot_excess([2, 4, 8], [1.0, 0.2, -0.001], ax=ax),
    plots.plot_noise: lambda ax: plots.plot_noise([2, 4], [0.8, 0.5], [0.7, 0.5], ax=ax),
}
every_plot = pytest.mark.parametrize("function", DRAW, ids=lambda function: function.__name__)


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("a plot neither shows nor saves")

    for name in ("show", "savefig"):
        monkeypatch.setattr(plt, name, forbidden)
        monkeypatch.setattr(matplotlib.figure.Figure, name, forbidden)
    yield
    plt.close("all")


@pytest.fixture
def ax():
    _, (left, _) = plt.subplots(1, 2)  # the current axes are the right ones
    return left


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@every_plot
def test_a_plot_draws_on_the_axes_it_is_given_and_returns_them(function, ax):
    assert DRAW[function](ax) is ax
    assert ax.has_data() or ax.texts
    assert not plt.gca().has_data()
    ax.figure.canvas.draw()


@every_plot
def test_without_axes_a_plot_takes_the_current_ones(function, ax):
    current = plt.gca()
    drawn = DRAW[function](None)
    assert isinstance(drawn, Axes)
    assert drawn is current
    assert not ax.has_data()


@every_plot
def test_the_axes_are_a_keyword(function):
    parameters = inspect.signature(function).parameters["ax"]
    assert parameters.kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters.default is None


def test_loss_curves_show_the_data_in_the_look_of_their_networks(ax):
    plots.plot_loss(CURVES, ax=ax)
    assert [line.get_label() for line in ax.lines] == legend(ax) == ["plain", "batch norm"]
    for line, (steps, losses) in zip(ax.lines, CURVES.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), steps)
        np.testing.assert_array_equal(line.get_ydata(), losses)
        look = plots.LOOK[line.get_label()]
        assert same_color(line.get_color(), look["color"])
        assert line.get_linestyle() == look["linestyle"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats)")


def test_one_loss_curve_needs_no_legend(ax):
    plots.plot_loss({"lr 0.1": CURVES["plain"]}, ax=ax)
    assert ax.get_legend() is None


def test_unknown_labels_differ_in_colour(ax):
    plots.plot_loss({"lr 0.1": CURVES["plain"], "lr 1": CURVES["plain"]}, ax=ax)
    assert not same_color(*(line.get_color() for line in ax.lines))


def test_levels_stand_at_their_height_with_their_name(ax):
    plots.plot_loss(CURVES, levels={"uniform": 3.3, "val": 2.6}, ax=ax)
    assert [list(line.get_ydata()) for line in ax.lines[2:]] == [[3.3, 3.3], [2.6, 2.6]]
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [("uniform", 3.3), ("val", 2.6)]
    assert legend(ax) == ["plain", "batch norm"]


def test_looks_differ_in_colour_and_in_line_style():
    looks = plots.LOOK.values()
    assert len({look["color"] for look in looks}) == len(looks)
    assert len({look["linestyle"] for look in looks}) == len(looks)


def histogram(patch):
    """Give the bins' edges and heights of a filled step."""
    shares, edges, _ = patch.get_data()
    return edges[:-1], shares


def test_histograms_show_the_share_of_each_bin(ax):
    values = torch.tensor([[-0.9, -0.8], [0.1, 0.9]])
    plots.plot_histograms({"plain": values}, limits=(-1, 1), bins=4, xlabel="output", ax=ax)
    edges, shares = histogram(ax.patches[0])
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5])
    np.testing.assert_allclose(shares, [0.5, 0, 0.25, 0.25])
    assert same_color(ax.patches[0].get_edgecolor()[:3], plots.ORANGE)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("output", "share")
    assert ax.get_legend() is None


def test_histograms_count_what_lies_outside_in_the_outermost_bins(ax):
    values = torch.tensor([-50.0, -2.0, 0.1, 7.0])
    plots.plot_histograms({"plain": values}, limits=(-1, 1), bins=4, ax=ax)
    np.testing.assert_allclose(histogram(ax.patches[0])[1], [0.5, 0, 0.25, 0.25])


def test_histograms_of_groups_of_any_size_add_up_to_one(ax):
    plots.plot_histograms(GROUPS, limits=(-2, 2), ax=ax)
    assert [histogram(patch)[1].sum() for patch in ax.patches] == pytest.approx([1, 1])
    assert legend(ax) == ["plain", "batch norm"]


def test_bins_count_everything_but_what_is_not_a_number():
    values = torch.tensor([[np.inf, -np.inf, np.nan], [-1.0, 1.0, 0.3], [0.0, 0.0, -0.2]])
    shares, edges = plots.bin_shares(values, limits=(-1, 1), bins=4)
    np.testing.assert_allclose(shares, [2 / 9, 1 / 9, 3 / 9, 2 / 9])
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5, 1])


def test_histograms_of_unknown_labels_differ_in_colour(ax):
    values = torch.tensor([0.5])
    plots.plot_histograms({"start": values, "end": values}, limits=(0, 1), ax=ax)
    first, second = ax.patches
    assert not same_color(first.get_facecolor(), second.get_facecolor())
    assert all(same_color(p.get_facecolor(), p.get_edgecolor()) for p in ax.patches)


@pytest.mark.parametrize("scale", [0.01, 100])
def test_histograms_keep_their_limits_whatever_the_values(ax, scale):
    values = scale * torch.linspace(-1, 1, 101)
    plots.plot_histograms({"plain": values, "other": -values}, limits=(-3, 3), ax=ax)
    assert ax.get_xlim() == (-3, 3)


def test_saturation_is_black_beyond_the_threshold(ax):
    activations = torch.tensor([[0.98, -0.98, 0.97], [0.5, 0.0, -1.0]])
    plots.plot_saturation(activations, ax=ax)
    (image,) = ax.images
    assert image.get_array().tolist() == [[True, True, False], [False, False, True]]
    assert image.get_clim() == (0, 1)
    assert image.to_rgba(np.array([[0.0, 1.0]]))[0, :, 0].tolist() == [1, 0]  # white, black
    plots.plot_saturation(activations, threshold=0.4, ax=ax)
    assert ax.images[1].get_array().tolist() == [[True, True, True], [True, False, True]]


def test_saturation_of_no_or_all_units_keeps_its_colours(ax):
    plots.plot_saturation(torch.ones(2, 2), ax=ax)
    assert (ax.images[0].to_rgba(ax.images[0].get_array())[..., :3] == 0).all()


def test_window_shows_every_symbol_and_marks_the_targets(ax):
    plots.plot_window("ox", WINDOW, ax=ax)
    rows = [ax.texts[i : i + 4] for i in (0, 4, 8)]
    assert ["".join(t.get_text() for t in row) for row in rows] == ["...o", "..ox", ".ox."]
    for number, row in enumerate(rows):
        assert [t.get_position() for t in row] == [(number + c, -number) for c in range(4)]
        blue = [same_color(t.get_bbox_patch().get_facecolor(), plots.BLUE) for t in row]
        assert blue == [False, False, False, True]
    assert ax.get_title().startswith("ox: ")
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert all(
        left < x < right and bottom < y < top for x, y in (t.get_position() for t in ax.texts)
    )


def test_shares_are_bars_with_their_labels(ax):
    plots.plot_shares(["a", "b", "."], torch.tensor([0.5, 0.3, 0.2]), ax=ax)
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.5, 0.3, 0.2])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "."]
    assert ax.get_xlim() == (-0.7, 2.7)
    assert not ax.lines
    assert ax.get_legend() is None


@pytest.mark.parametrize("level", [0.0, 0.25])
def test_shares_are_compared_with_a_level(ax, level):
    plots.plot_shares("ab", [0.5, 0.5], level=level, level_name="uniform", ax=ax)
    assert list(ax.lines[0].get_ydata()) == [level, level]
    assert legend(ax) == ["uniform"]


def test_shares_are_compared_with_a_level_without_a_name(ax):
    plots.plot_shares("ab", [0.5, 0.5], level=0.25, ax=ax)
    assert list(ax.lines[0].get_ydata()) == [0.25, 0.25]


def test_final_losses_show_mean_and_spread_of_the_seeds(ax):
    plots.plot_final_losses([0.1, 1.0], FINAL, xlabel="rate", levels={"uniform": 3.3}, ax=ax)
    (bars,) = ax.containers
    line, caps, (spread,) = bars
    np.testing.assert_allclose(line.get_xydata(), [[0.1, 2.5], [1.0, 3.8]], rtol=1e-6)
    low, high = (cap.get_ydata().astype(float) for cap in caps)
    np.testing.assert_allclose([low, high], [[2.0, 3.0], [3.0, 4.4]], rtol=1e-6)
    np.testing.assert_allclose(spread.get_segments()[1], [[1, 3.0], [1, 4.4]], rtol=1e-6)
    assert same_color(line.get_color(), plots.BLUE)
    assert line.get_linestyle() == "--"
    assert legend(ax) == ["batch norm"]
    assert (ax.get_xscale(), ax.get_xlabel(), ax.get_ylabel()) == ("log", "rate", "loss (nats)")
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [("uniform", 3.3)]


def test_final_losses_may_be_the_same_for_all_seeds(ax):
    values = torch.linspace(2, 3, 50, dtype=torch.float64)  # the mean of three may be rounded down
    plots.plot_final_losses(range(1, 51), {"plain": values.expand(3, 50)}, xlabel="rate", ax=ax)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), values)


@pytest.mark.parametrize("diverged", [float("nan"), float("inf")])
def test_final_losses_leave_out_what_diverged(ax, diverged):
    losses = torch.tensor([[2.0, diverged], [3.0, 4.0]])
    plots.plot_final_losses([1, 2], {"plain": losses}, xlabel="rate", ax=ax)
    assert ax.lines[0].get_ydata()[0] == 2.5
    assert not np.isfinite(ax.lines[0].get_ydata()[1])
    ax.figure.canvas.draw()


def test_tracking_shows_the_range_of_the_batches_the_running_value_and_the_level(ax):
    plots.plot_tracking([1, 2], [[0, 1], [2, 3]], [1, 2], level=1.5, ax=ax)
    (envelope,) = ax.collections
    assert {tuple(point) for point in envelope.get_paths()[0].vertices} == {
        *((1, 0), (2, 1), (1, 2), (2, 3))
    }
    running, level = ax.lines
    assert running.get_xydata().tolist() == [[1, 1], [2, 2]]
    assert level.get_ydata() == [1.5, 1.5]
    assert running.get_linestyle() != level.get_linestyle()
    assert legend(ax) == ["batches", "running", "calibrated"]


def test_weights_stand_on_logarithmic_axes_and_the_start_value_at_the_oldest_batch(ax):
    plots.plot_weights([1, 10], [0.1, 0.01], left=0.5, ax=ax)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    batches, start = ax.lines
    assert batches.get_xydata().tolist() == [[1, 0.1], [10, 0.01]]
    assert start.get_xydata().tolist() == [[10, 0.5]]
    assert legend(ax) == ["batch", "start value"]


def test_bars_have_their_names_and_differ_in_colour(ax):
    plots.plot_bars({"one": 1.0, "two": 2.0}, ylabel="loss (nats)", ax=ax)
    assert [bar.get_height() for bar in ax.patches] == [1.0, 2.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["one", "two"]
    assert not same_color(*(bar.get_facecolor() for bar in ax.patches))
    assert ax.get_ylabel() == "loss (nats)"


def test_normalization_joins_the_two_places_of_each_example(ax):
    plots.plot_normalization([3.0, 5.0, 4.0], torch.tensor([-1.0, 1.0, 0.0]), ax=ax)
    joins = [[[3, 1], [-1, 0]], [[5, 1], [1, 0]], [[4, 1], [0, 0]]]
    (lines,), (dots,) = ax.collections, ax.lines
    np.testing.assert_array_equal(lines.get_segments(), joins)
    np.testing.assert_array_equal(dots.get_xydata(), np.reshape(joins, (6, 2)))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["before", "after"]
    assert list(ax.get_yticks()) == [1, 0]


def test_normalization_may_wait_for_its_numbers(ax):
    plots.plot_normalization([], [], ax=ax)
    assert len(ax.collections[0].get_segments()) == len(ax.lines[0].get_xydata()) == 0
    ax.figure.canvas.draw()


def test_probabilities_are_bars_with_their_ranges_and_marks(ax):
    plots.plot_probabilities(
        "ab.",
        {"these mates": torch.tensor([0.5, 0.3, 0.2])},
        ranges={"all batches": [[0.4, 0.2, 0.1], [0.6, 0.5, 0.4]]},
        marks={"calibrated": [0.45, 0.35, 0.1], "undragged": [0.1, 0.2, 0.3]},
        ax=ax,
    )
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([0.5, 0.3, 0.2])
    ends = [[[0, 0.4], [0, 0.6]], [[1, 0.2], [1, 0.5]], [[2, 0.1], [2, 0.4]]]
    np.testing.assert_allclose(ax.collections[0].get_segments(), ends)
    assert [list(line.get_ydata()) for line in ax.lines] == [[0.45, 0.35, 0.1], [0.1, 0.2, 0.3]]
    assert len({line.get_marker() for line in ax.lines}) == 2
    assert [text.get_text() for text in ax.get_xticklabels()] == ["a", "b", "."]
    assert legend(ax) == ["these mates", "all batches", "calibrated", "undragged"]
    assert ax.get_ylabel() == "probability"


def test_probabilities_alone_need_no_legend(ax):
    plots.plot_probabilities("ab", {"p": [0.3, 0.7]}, ax=ax)
    assert ax.get_legend() is None


def test_a_histogram_on_its_side_reaches_to_one(ax):
    plots.plot_sideways(*SIDEWAYS, mean=2.4, level=2.1, ax=ax)
    (bars,) = ax.patches
    heights, edges, _ = bars.get_data()
    np.testing.assert_allclose(heights, [0.25, 1, 0.5])
    assert edges.tolist() == SIDEWAYS[1]
    assert bars.orientation == "horizontal"
    assert [line.get_ydata()[0] for line in ax.lines] == [2.4, 2.1]
    assert len({line.get_linestyle() for line in ax.lines}) == 2
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 1.05), (1.5, 3.0))


def test_a_histogram_on_its_side_may_be_empty(ax):
    plots.plot_sideways([0, 0], [1, 2, 3], mean=float("nan"), level=2, ax=ax)
    assert ax.patches[0].get_data().values.tolist() == [0, 0]
    ax.figure.canvas.draw()


def test_spread_shows_mean_range_reference_and_level(ax):
    sizes, (mean, low, high), reference = SPREAD
    plots.plot_spread(*SPREAD, level=2.1, ax=ax)
    assert [list(line.get_ydata()) for line in ax.lines] == [mean, *reference, [2.1, 2.1]]
    vertices = {tuple(point) for point in ax.collections[0].get_paths()[0].vertices.tolist()}
    assert set(zip(sizes * 2, low + high, strict=True)) <= vertices
    assert legend(ax) == [
        "8 in 10 batches",
        "mean",
        "8 in 10, calibrated",
        "whole split, calibrated",
    ]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("batch size", "loss of a batch (nats)")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4"]
    assert {text.get_text() for text in ax.get_xticklabels(minor=True)} == {""}


def test_excess_shows_numbers_of_either_sign(ax):
    plots.plot_excess([2, 4, 8], [1.0, 0.2, -0.001], ax=ax)
    assert [list(line.get_ydata()) for line in ax.lines] == [[1.0, 0.2, -0.001], [0, 0]]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "symlog")
    ax.figure.canvas.draw()
    assert {"0", "0.1", "1"} <= {text.get_text() for text in ax.get_yticklabels()}


def test_numbers_by_layer_count_from_one_and_differ_in_marks(ax):
    values = {"plain": [0.5, 0.2, 0.1], "batch norm": torch.tensor([0.6, 0.6])}
    plots.plot_by_layer(values, ylabel="std", ax=ax)
    assert [list(line.get_xdata()) for line in ax.lines] == [[1, 2, 3], [1, 2]]
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [0.6, 0.6])
    assert [line.get_marker() for line in ax.lines] == ["o", "s"]
    assert list(ax.get_xticks()) == [1, 2, 3]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("hidden layer", "std")
    assert legend(ax) == ["plain", "batch norm"]


def test_the_noise_of_a_statistic_stands_beside_its_law(ax):
    sizes, spread, law = [2, 8, 32], [0.72, 0.34, 0.18], [0.71, 0.35, 0.18]
    plots.plot_noise(sizes, torch.tensor(spread, dtype=torch.float64), law, ax=ax)
    measured, expected = ax.lines
    assert measured.get_xdata().tolist() == expected.get_xdata().tolist() == sizes
    assert measured.get_ydata().tolist() == spread
    assert expected.get_ydata().tolist() == law
    assert (measured.get_linestyle(), measured.get_marker()) == ("None", "o")
    assert expected.get_linestyle() == "--"
    assert not same_color(measured.get_color(), expected.get_color())
    assert legend(ax) == ["measured", "expected"]
    assert (ax.get_xscale(), ax.get_yscale(), ax.get_xlabel()) == ("log", "log", "batch size")
