"""What the depth explorer draws: profiles over the layers, and histograms of one of them."""

from itertools import pairwise

import numpy as np
from matplotlib.lines import Line2D

from bn_tutorial import plots
from bn_tutorial.diagnostics import SATURATED
from bn_tutorial.explorers.marks import CutSteps, stand_at
from bn_tutorial.explorers.probe import NORMS

MARKERS = {"plain": "o", "batch norm": "s", "layer norm": "s"}
DEPTHS = range(1, 11)
SPREADS = 1e-4, 2  # the axis of the activations' standard deviation
DECADES = -8, 4  # powers of ten: the axes of the gradients
TOP = 0.2  # of the histograms
PROFILES, HISTOGRAMS = ("std", "saturated", "gradient"), ("activations", "gradients")


class DepthPanels:
    """Three profiles over two histograms, of the present network and the plain one.

    Parameters
    ----------
    figure : Figure
    shown : Pass
        For the numbers of bins.
    """

    def __init__(self, figure, shown):
        rows = [np.repeat(PROFILES, 2).tolist(), np.repeat(HISTOGRAMS, 3).tolist()]
        axes = figure.subplot_mosaic(rows)
        ends = tuple(10.0**power for power in DECADES)
        limits = dict(zip(PROFILES, (SPREADS, (-0.03, 1.03), ends), strict=True))
        self._profiles = {name: _Profile(axes[name], limits[name]) for name in PROFILES}
        unit = _Profile(axes["std"], SPREADS, markersize=0, linewidth=1)
        self._panels = {"unit_std": unit} | self._profiles
        for name, ends_of_it in zip(HISTOGRAMS, ((-1, 1), DECADES), strict=True):
            self._panels[name] = _Histogram(axes[name], ends_of_it, len(getattr(shown, name)))
        self._set_axes(axes, ends)
        figure.legend(handles=_handles(), loc="outside upper center", ncols=6, frameon=False)
        self._chosen = [axes[name].axvline(1, color="black", linewidth=0.8) for name in PROFILES]
        self.artists = [*self._chosen, *(a for p in self._panels.values() for a in p.artists)]

    def _set_axes(self, axes, ends):
        """Set the titles and ticks."""
        axes["std"].set(title="std of the activations", yscale="log")
        axes["std"].set_yticks([1e-4, 0.01, 1], ["0.0001", "0.01", "1"])
        axes["saturated"].set(title=f"saturated: beyond \N{PLUS-MINUS SIGN}{SATURATED}")
        axes["gradient"].set(title="std of the gradient", yscale="log")
        axes["gradient"].set_yticks([10.0**power for power in range(*DECADES, 4)] + [ends[1]])
        for name in PROFILES:
            axes[name].minorticks_off()
            axes[name].grid(axis="y", alpha=0.3)
        axes["activations"].set(title="activations of the layer shown", xlabel="activation")
        powers = range(DECADES[0], DECADES[1] + 1, 2)
        axes["gradients"].set_xticks(powers, [f"$10^{{{power}}}$" for power in powers])
        axes["gradients"].set(
            title="gradient at the layer shown",
            xlabel="size (log scale; what is beyond counts at the ends)",
            ylabel="",
        )

    def show(self, norm, layer, shown, plain):
        """Show what the present network did, and the plain one, if it is another: Pass."""
        for name, panel in self._panels.items():
            panel.show(norm, getattr(shown, name), getattr(plain, name, None))
        for line in self._chosen:
            line.set_xdata([layer] * 2)

    def layer_at(self, x, y):
        """Return the layer next to a place in a profile, in pixels; None outside."""
        for profile in self._profiles.values():
            if profile.ax.bbox.contains(x, y):
                layer, _ = profile.ax.transData.inverted().transform((x, y))
                return int(np.clip(round(layer), DEPTHS[0], DEPTHS[-1]))
        return None


class _Profile:
    """A number of each layer, for the present network and the plain one."""

    def __init__(self, ax, limits, **look):
        self.ax, self._limits, look = ax, limits, {"markersize": 4} | look
        self._plain, self._shown = lines = [
            ax.plot([], [], marker=MARKERS[label], **plots.LOOK[label], **look)[0]
            for label in ("plain", "batch norm")
        ]
        ax.set(xlabel="hidden layer", xlim=(0.5, len(DEPTHS) + 0.5), xticks=DEPTHS, ylim=limits)
        marks = {"color": "black", "linestyle": "none", "markersize": 5, "zorder": 4}
        (self._low,), (self._high,) = (ax.plot([], [], marker=m, **marks) for m in (7, 6))
        self.artists = [*lines, self._low, self._high]

    def show(self, norm, values, plain):
        """Values of the present network and of the plain one, (L,); what is off, at the edge."""
        low, high = self._limits
        layers, both = np.arange(1, len(values) + 1), [values, values if plain is None else plain]
        shown, plainly = np.clip(both, low, high)
        self._shown.set(**plots.LOOK[norm], marker=MARKERS[norm], data=(layers, shown))
        self._plain.set(visible=plain is not None, data=(layers, plainly))
        stand_at(self._low, layers[np.less(both, low).any(axis=0)], low)
        stand_at(self._high, layers[np.greater(both, high).any(axis=0)], high)


class _Histogram:
    """A layer's histograms: of the present network, and as an outline of the plain one."""

    def __init__(self, ax, limits, bins):
        nothing = {"batch norm": np.full(1, np.nan), "plain": np.full(1, np.nan)}
        shown, outline = plots.plot_histograms(
            nothing, limits=limits, bins=bins, legend=False, ax=ax
        ).steps.values()
        ax.set_ylim(0, TOP)
        outline.set(fill=False, alpha=1, linewidth=1.2)
        thirds = list(pairwise(np.linspace(0, bins, 4).astype(int).tolist()))
        self._outline, self._shown = outline, CutSteps(shown, thirds, y=0.97, margin=0.06)
        self._plain = CutSteps(outline, thirds, y=0.8, margin=0.06)
        self.artists = [*self._shown.artists, *self._plain.artists]

    def show(self, norm, shares, plain):
        """Shares (bins,) of the present network and of the plain one, if it is another."""
        self._outline.set_visible(plain is not None)
        self._plain.show(np.zeros_like(shares) if plain is None else plain, plots.LOOK["plain"])
        self._shown.show(shares, plots.LOOK[norm])


def _handles():
    """Make the entries of the legend."""
    networks = [
        Line2D([], [], label=label, marker=MARKERS[label], **plots.LOOK[label]) for label in NORMS
    ]
    unit = Line2D([], [], color=plots.GREY, linewidth=1, label="std of one unit")
    look = {"color": "black", "linestyle": "none"}
    chosen = Line2D([], [], label="layer shown", marker="|", markersize=12, **look)
    off = Line2D([], [], label="off the axis", marker=7, **look)
    return [*networks, unit, chosen, off]
