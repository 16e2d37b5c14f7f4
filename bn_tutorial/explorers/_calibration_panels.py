"""What the calibration explorer draws: losses of batches, and their mean and spread over sizes."""

import numpy as np

from bn_tutorial import plots
from bn_tutorial.explorers.marks import count_in_twos

MEAN = {"color": plots.BLUE, "marker": "."}
CALIBRATED = {"color": plots.ORANGE, "linestyle": "--", "linewidth": 1.2}
RANGE = {"color": "black", "linestyle": ":", "linewidth": 1}
MARK = {"color": plots.BLUE, "marker": "o", "markersize": 10, "markeredgecolor": "white"}


class CalibrationPanels:
    """A histogram of losses on its side, their mean and spread, and how biased the mean is.

    Parameters
    ----------
    figure : Figure
    sizes : list of int
        Of a batch, powers of two.
    limits : (float, float)
        Of the losses, in nats.
    bins : int
    excess : ndarray
        All that the third panel is to hold. It is linear within 0.01 of zero, logarithmic outside.
    """

    def __init__(self, figure, sizes, limits, bins, excess):
        shares, spread, bias = figure.subplots(1, 3, width_ratios=[1, 1.6, 1.6])
        shares.sharey(spread)
        self._sizes, nothing = sizes, np.zeros(len(sizes))
        self._build_shares(shares, np.linspace(*limits, bins + 1))
        self._range = spread.fill_between(
            sizes, nothing, nothing, color=plots.BLUE, alpha=0.25, linewidth=0
        )
        self._range.set_label("8 in 10 batches")
        (self._mean,) = spread.plot(sizes, nothing, label="mean", **MEAN)
        (self._low,) = spread.plot(sizes, nothing, label="8 in 10, calibrated", **RANGE)
        (self._high,) = spread.plot(sizes, nothing, **RANGE)
        level = spread.axhline(0, label="whole split, calibrated", **CALIBRATED)
        spread.legend(loc="upper right", fontsize="small", frameon=False)
        spread.set(title="mean and spread", ylabel="loss of a batch (nats)", ylim=limits)
        (self._excess,) = bias.plot(sizes, nothing, **MEAN)
        bias.axhline(0, **CALIBRATED)
        bias.set_yscale("symlog", linthresh=0.01)
        bias.yaxis.set_major_formatter("{x:g}")
        bias.grid(axis="y", alpha=0.3)
        bias.set(title="bias: mean minus calibrated", ylabel="difference (nats)")
        bias.set_ylim(min(-0.005, 2 * np.nanmin(excess)), max(0.1, 2 * np.nanmax(excess)))
        self._levels.append(level)
        self._marks = [ax.plot([], [], **MARK)[0] for ax in (spread, bias)]
        for ax in (spread, bias):
            count_in_twos(ax, sizes)
        lines = self._mean, self._low, self._high, self._excess, self._mean_of_now
        texts = self._below, self._above
        self.artists = [self._steps, self._range, *lines, *self._levels, *texts, *self._marks]

    def _build_shares(self, ax, edges):
        look = {"orientation": "horizontal", "fill": True, "color": plots.BLUE, "alpha": 0.35}
        self._steps = ax.stairs(np.zeros(len(edges) - 1), edges, **look)
        self._mean_of_now = ax.axhline(0, color=plots.BLUE, linewidth=1.5)
        self._levels = [ax.axhline(0, **CALIBRATED)]
        self._below, self._above = (
            ax.text(0.95, y, "", transform=ax.transAxes, ha="right", va=va, fontsize="small")
            for y, va in ((0.02, "bottom"), (0.98, "top"))
        )
        ax.set(xlim=(0, 1.05), xlabel="batches (fullest bin = 1)")
        ax.set(title="losses", ylabel="loss of a batch (nats)")

    def show(self, numbers):
        """Move the bars, the curves, the marks and the levels."""
        self._steps.set_data(numbers.shares / (numbers.shares.max() or 1))
        below, above = (f"{share:.1%}" if share else "" for share in numbers.outside)
        self._below.set_text(below and f"{below} below")
        self._above.set_text(above and f"{above} above")
        mean, low, high, excess = numbers.curves
        self._range.set_data(self._sizes, low, high)
        lines = self._mean, self._low, self._high, self._excess
        for line, y in zip(lines, (mean, *numbers.reference[1:3], excess), strict=True):
            line.set_ydata(y)
        self._mean_of_now.set_ydata([numbers.now[0]] * 2)
        for level in self._levels:
            level.set_ydata([numbers.level] * 2)
        for mark, y in zip(self._marks, numbers.now[[0, 3]], strict=True):
            mark.set_data([numbers.state["size"]], [y])
