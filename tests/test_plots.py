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
DRAW = {
    plots.plot_loss: lambda ax: plots.plot_loss(CURVES, levels={"uniform": 3.3}, ax=ax),
    plots.plot_histograms: lambda ax: plots.plot_histograms(GROUPS, limits=(-2, 2), ax=ax),
    plots.plot_saturation: lambda ax: plots.plot_saturation(torch.zeros(3, 5), ax=ax),
    plots.plot_window: lambda ax: plots.plot_window("ox", WINDOW, ax=ax),
    plots.plot_shares: lambda ax: plots.plot_shares("ab", [0.5, 0.5], ax=ax),
    plots.plot_final_losses: lambda ax: plots.plot_final_losses(
        [1, 2], FINAL, xlabel="rate", ax=ax
    ),
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


def axes(drawn):
    """Return the axes of what a plot function returned: themselves, or with artists by name."""
    return getattr(drawn, "ax", drawn)


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@every_plot
def test_a_plot_draws_on_the_axes_it_is_given_and_returns_them(function, ax):
    assert axes(DRAW[function](ax)) is ax
    assert ax.has_data() or ax.texts
    assert not plt.gca().has_data()
    ax.figure.canvas.draw()


@every_plot
def test_without_axes_a_plot_takes_the_current_ones(function, ax):
    current = plt.gca()
    drawn = axes(DRAW[function](None))
    assert isinstance(drawn, Axes)
    assert drawn is current
    assert not ax.has_data()


@every_plot
def test_the_axes_are_a_keyword(function):
    parameters = inspect.signature(function).parameters["ax"]
    assert parameters.kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters.default is None


def test_loss_curves_show_the_data_in_the_look_of_their_networks(ax):
    lines = plots.plot_loss(CURVES, ax=ax).lines
    assert list(lines) == legend(ax) == ["plain", "batch norm"]
    assert [*lines.values()] == [*ax.lines]
    for label, (steps, losses) in CURVES.items():
        line = lines[label]
        np.testing.assert_array_equal(line.get_xdata(), steps)
        np.testing.assert_array_equal(line.get_ydata(), losses)
        look = plots.LOOK[label]
        assert same_color(line.get_color(), look["color"])
        assert line.get_linestyle() == look["linestyle"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss (nats)")


def test_one_loss_curve_needs_no_legend(ax):
    plots.plot_loss({"lr 0.1": CURVES["plain"]}, ax=ax)
    assert ax.get_legend() is None


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plots.plot_loss(CURVES, legend=False, ax=ax),
        lambda ax: plots.plot_histograms(GROUPS, limits=(-2, 2), legend=False, ax=ax),
        lambda ax: plots.plot_final_losses([1, 2], FINAL, xlabel="rate", legend=False, ax=ax),
    ],
)
def test_a_legend_can_be_left_out(ax, draw):
    draw(ax)
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
    named = {"limits": (-1, 1), "bins": 4, "xlabel": "output", "ax": ax}
    steps = plots.plot_histograms({"plain": values}, **named).steps["plain"]
    edges, shares = histogram(steps)
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5])
    np.testing.assert_allclose(shares, [0.5, 0, 0.25, 0.25])
    assert same_color(steps.get_edgecolor()[:3], plots.ORANGE)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("output", "share")
    assert ax.get_legend() is None


def test_histograms_count_what_lies_outside_in_the_outermost_bins(ax):
    values = torch.tensor([-50.0, -2.0, 0.1, 7.0])
    drawn = plots.plot_histograms({"plain": values}, limits=(-1, 1), bins=4, ax=ax)
    np.testing.assert_allclose(histogram(drawn.steps["plain"])[1], [0.5, 0, 0.25, 0.25])


def test_histograms_of_groups_of_any_size_add_up_to_one(ax):
    steps = plots.plot_histograms(GROUPS, limits=(-2, 2), ax=ax).steps
    assert [histogram(steps[label])[1].sum() for label in GROUPS] == pytest.approx([1, 1])
    assert legend(ax) == ["plain", "batch norm"]


def test_bins_count_everything_but_what_is_not_a_number():
    values = torch.tensor([[np.inf, -np.inf, np.nan], [-1.0, 1.0, 0.3], [0.0, 0.0, -0.2]])
    shares, edges = plots.bin_shares(values, limits=(-1, 1), bins=4)
    np.testing.assert_allclose(shares, [2 / 9, 1 / 9, 3 / 9, 2 / 9])
    np.testing.assert_allclose(edges, [-1, -0.5, 0, 0.5, 1])


def test_histograms_of_unknown_labels_differ_in_colour(ax):
    values = torch.tensor([0.5])
    steps = plots.plot_histograms({"start": values, "end": values}, limits=(0, 1), ax=ax).steps
    assert not same_color(steps["start"].get_facecolor(), steps["end"].get_facecolor())
    assert all(same_color(s.get_facecolor(), s.get_edgecolor()) for s in steps.values())


@pytest.mark.parametrize("scale", [0.01, 100])
def test_histograms_keep_their_limits_whatever_the_values(ax, scale):
    values = scale * torch.linspace(-1, 1, 101)
    plots.plot_histograms({"plain": values, "other": -values}, limits=(-3, 3), ax=ax)
    assert ax.get_xlim() == (-3, 3)


def test_saturation_is_black_beyond_the_threshold(ax):
    activations = torch.tensor([[0.98, -0.98, 0.97], [0.5, 0.0, -1.0]])
    image = plots.plot_saturation(activations, ax=ax).image
    assert image.get_array().tolist() == [[True, True, False], [False, False, True]]
    assert image.get_clim() == (0, 1)
    assert image.to_rgba(np.array([[0.0, 1.0]]))[0, :, 0].tolist() == [1, 0]  # white, black
    image = plots.plot_saturation(activations, threshold=0.4, ax=ax).image
    assert image.get_array().tolist() == [[True, True, True], [True, False, True]]


def test_saturation_of_no_or_all_units_keeps_its_colours(ax):
    image = plots.plot_saturation(torch.ones(2, 2), ax=ax).image
    assert (image.to_rgba(image.get_array())[..., :3] == 0).all()


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
    bars = plots.plot_shares(["a", "b", "."], torch.tensor([0.5, 0.3, 0.2]), ax=ax).bars
    assert [bar.get_height() for bar in bars] == pytest.approx([0.5, 0.3, 0.2])
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
    named = {"xlabel": "rate", "levels": {"uniform": 3.3}, "ax": ax}
    drawn = plots.plot_final_losses([0.1, 1.0], FINAL, **named)
    line, caps, (spread,) = drawn.errorbars["batch norm"]
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


def test_final_losses_above_the_limits_are_marked_at_the_edge_and_no_line_leads_there(ax):
    losses = {"plain": [[2.5, 9.0, 3.0]], "batch norm": [[2.0, 3.9, 9.0]]}
    limits = {"limits": (1.9, 4.0), "xlabel": "rate", "ax": ax}
    drawn = plots.plot_final_losses([0.1, 1, 10], losses, **limits)
    lines = [drawn.errorbars[label][0].get_ydata() for label in losses]
    np.testing.assert_array_equal(lines, [[2.5, np.nan, 3.0], [2.0, 3.9, np.nan]])
    marks = [line for line in ax.lines if line.get_marker() == 6 and len(line.get_xdata())]
    assert [line.get_xydata().tolist() for line in marks] == [[[1, 4.0]], [[10, 4.0]]]
    for mark, label in zip(marks, losses, strict=True):
        assert same_color(mark.get_color(), plots.LOOK[label]["color"])
        assert mark.get_linestyle() == "None"
    assert marks[0].get_markersize() > marks[1].get_markersize()  # where they fall together
    assert ax.get_ylim() == (1.9, 4.0)
    assert legend(ax) == ["off the picture", "plain", "batch norm"]


def test_final_losses_within_the_limits_need_no_mark(ax):
    plots.plot_final_losses([1, 2], FINAL, xlabel="rate", limits=(1, 5), ax=ax)
    assert legend(ax) == ["batch norm"]


def test_a_label_with_nothing_above_the_picture_takes_no_room():
    figure = plt.Figure(figsize=(6, 3), layout="constrained")
    far = {"plain": np.array([[9.0, 2.0]]), "batch norm": np.array([[2.0, 2.0]])}
    for ax in figure.subplots(1, 2, sharey=True):
        plots.plot_final_losses([1, 2], far, xlabel="rate", limits=(1, 5), ax=ax)
    figure.draw_without_rendering()  # a layout that finds no room warns, and a warning is an error
    assert ax.get_position().width > 0.3


@pytest.mark.parametrize("diverged", [float("nan"), float("inf")])
def test_final_losses_leave_out_what_diverged(ax, diverged):
    losses = torch.tensor([[2.0, diverged], [3.0, 4.0]])
    drawn = plots.plot_final_losses([1, 2], {"plain": losses}, xlabel="rate", ax=ax)
    line, *_ = drawn.errorbars["plain"]
    assert line.get_ydata()[0] == 2.5
    assert not np.isfinite(line.get_ydata()[1])
    ax.figure.canvas.draw()
