"""What several explorers draw: levels, error bars that move, histograms that are cut off."""

import numpy as np

from bn_tutorial import plots

LEVEL = {"color": plots.GREY, "linewidth": 1, "linestyle": (0, (1, 2))}  # of uniform guessing


def over_seeds(losses):
    """(seeds, values) -> mean, least and greatest of those that are there: (values,)."""
    with np.errstate(invalid="ignore"):  # 0 / 0 where there is none
        mean = np.nansum(losses, axis=0) / (~np.isnan(losses)).sum(axis=0)
    return mean, np.fmin.reduce(losses), np.fmax.reduce(losses)


def move_errorbar(errorbar, x, mean, low, high, *, several=slice(None)):
    """Give an error bar its data: ndarrays (values,). Only ``several`` of them have a range."""
    line, caps, (ranges,) = errorbar
    line.set_data(x, mean)
    x, ends = x[several], np.stack([low, high])[:, several]
    for cap, end in zip(caps, ends, strict=True):
        cap.set_data(x, end)
    ranges.set_segments(np.stack([[x, x], ends], axis=2).transpose(1, 0, 2))  # (several, 2, x y)


def artists_of(errorbars):
    """List the artists of error bars, lines first."""
    return [a for line, caps, ranges in errorbars.values() for a in (line, *caps, *ranges)]


def stand_at(marks, x, y):
    """Put marks at one height."""
    marks.set_data(x, np.full(len(x), y))


def count_in_twos(ax, sizes):
    """Let an axis of batch sizes, which are powers of two, name every other one."""
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes[1::2], [f"{n:,}" for n in sizes[1::2]])
    ax.set_xticks(sizes, [""] * len(sizes), minor=True)
    ax.set(xlim=(sizes[0] / 1.3, sizes[-1] * 1.3), xlabel="batch size")


class CutSteps:
    """The steps of a histogram, and texts that say how high those reach that the axes cut off.

    Parameters
    ----------
    steps : StepPatch
    spans : list of (first bin, last bin + 1)
        For the tallest of these bins there is a text.
    y : float
        Height of the texts: a share of the axes'.
    margin : float
        How near to the sides a text may come: a share of the width.
    """

    def __init__(self, steps, spans, *, y, margin):
        self._steps, self._spans, self._margin, ax = steps, spans, margin, steps.axes
        look = {"ha": "center", "va": "top", "size": "small", "bbox": {"color": "white", "pad": 1}}
        self.cuts = [ax.text(0.5, y, "", transform=ax.transAxes, **look) for _ in spans]
        self.artists = [steps, *self.cuts]

    def show(self, shares, look):
        """Show shares (bins,) in the look of a network."""
        self._steps.set(**look, facecolor=look["color"], data=shares)
        _, top = self._steps.axes.get_ylim()
        for (start, end), cut in zip(self._spans, self.cuts, strict=True):
            tallest = start + shares[start:end].argmax()
            place = np.clip((tallest + 0.5) / len(shares), self._margin, 1 - self._margin)
            text = f"▲ {shares[tallest]:.0%}" if shares[tallest] > top else ""
            cut.set(x=place, text=text, color=look["color"])
