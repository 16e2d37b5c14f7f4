"""What the playground draws: how networks learn, what goes on inside, what they end with."""

import numpy as np

from bn_tutorial import plots
from bn_tutorial.explorers._playground_networks import LIMITS
from bn_tutorial.explorers.marks import LEVEL

LOSSES = {"log": (1.6, 30), "linear": (1.6, 5)}
ENDS = (2.0, 4.2)  # nats
GRADIENTS, UPDATES = (1e-9, 1), (-6, 1)
MARKERS = {"plain": "o", "batch norm": "s", "layer norm": "^"}
CROSS = {"marker": "x", "markersize": 10, "markeredgewidth": 2.5, "linestyle": "none"}
PANELS = [
    ["loss"] * 5 + ["ends"] * 3,
    ["into"] * 2 + ["out"] * 2 + ["gradient"] * 2 + ["updates"] * 2,
    ["words"] * 8,
]


class PlaygroundPanels:
    """Six panels and a few words of each network.

    Parameters
    ----------
    figure : Figure
    labels : iterable of str
        Of all networks that there may be.
    levels : dict of str to float
        Losses to compare with, in nats.

    Attributes
    ----------
    axes : dict of str to Axes
    networks : dict of str to NetworkArtists
    progress : Line2D
    artists : list
        All that moves.
    """

    def __init__(self, figure, labels, levels):
        self.axes = figure.subplot_mosaic(PANELS, height_ratios=(9, 8, 2.4))
        self._draw_levels(levels)
        self._set_up()
        self.networks = {label: NetworkArtists(self.axes, label) for label in labels}
        (self.progress,) = self.axes["loss"].plot(
            [], [], color=plots.GREY, linewidth=4, solid_capstyle="butt"
        )
        every = [artist for one in self.networks.values() for artist in one.artists]
        self.artists = [self.progress, *every]

    def _draw_levels(self, levels):
        ends = self.axes["ends"]
        for style, (label, level) in zip(("-.", ":"), levels.items(), strict=True):
            for ax in (self.axes["loss"], ends):
                ax.axhline(level, **LEVEL | {"linestyle": style})
            text = {"fontsize": 8, "color": plots.GREY, "ha": "right", "va": "bottom"}
            place = ends.get_yaxis_transform()
            ends.text(0.99, level, f"{label} {level:.2f}", transform=place, **text)

    def _set_up(self):
        """Set what holds for all states."""
        axes = self.axes
        axes["loss"].set(xlabel="step", title="training loss (nats)")
        axes["ends"].set(xlim=(-0.6, 2.6), ylim=ENDS, xticks=[])
        axes["ends"].set_title("loss at the end: ○ train, ● val")
        axes["into"].set(xlim=LIMITS["into"], ylim=(0, 0.2), ylabel="share")
        axes["out"].set(xlim=LIMITS["out"], ylim=(0, 0.3), title="out of it")
        axes["gradient"].set(yscale="log", ylim=GRADIENTS, xlabel="layer")
        axes["gradient"].set_title("std of the gradient")
        axes["updates"].set(ylim=UPDATES, xlabel="layer", title="update / weight (log10)")
        axes["updates"].axhline(-3, **LEVEL)
        axes["words"].set_axis_off()
        for ax in axes.values():
            ax.title.set_fontsize(11)

    def set_axes(self, labels, steps, depth, layer, scale):
        """Set what depends on the state."""
        loss, (low, high) = self.axes["loss"], LOSSES[scale]
        handles = [self.networks[label].curve for label in labels]
        loss.legend(handles, labels, loc="upper right", ncols=3, frameon=False, fontsize=9)
        loss.set(yscale=scale, ylim=(low, high), xlim=(0, max(1, steps)))
        ticks = [t for t in (2, 2.5, 3, 4, 5, 7, 10, 20) if low <= t <= high]
        loss.set_yticks(ticks, [f"{t:g}" for t in ticks])
        loss.minorticks_off()
        where = f" of layer {layer}" if depth > 1 else ""
        self.axes["into"].set_title(f"into the tanh{where}", fontsize=11)
        for name in ("gradient", "updates"):
            self.axes[name].set(xlim=(0.5, depth + 0.5), xticks=range(1, depth + 1))

    def show(self, numbers):
        """Move all that is of a network."""
        bottom, top = LOSSES[numbers.state["scale"]]
        done = min(one.done for one in numbers.networks.values()) if numbers.training else 0
        self.progress.set_data([0, done], [bottom, bottom])
        for label, artists in self.networks.items():
            artists.clear()
            if label in numbers.networks:
                place = list(numbers.networks).index(label)
                artists.show(numbers.networks[label], place, top)


class NetworkArtists:
    """All that moves of one network.

    Attributes
    ----------
    curve : Line2D
        Of the losses.
    cross : Line2D
        Where it diverged.
    panels : dict of str to Line2D
        Of what goes on inside, by name of the panel.
    train, val : Line2D
    saturated, number, words : Text
    artists : list
    """

    def __init__(self, axes, label):
        self._label, look = label, plots.LOOK[label]
        color = {"color": look["color"]}
        dot = {"marker": "o", "markersize": 9, "linestyle": "none", "clip_on": False} | color
        draw = {"linewidth": 1.4} | look
        (self.curve,) = axes["loss"].plot([], [], **draw)
        (self.cross,) = axes["loss"].plot([], [], clip_on=False, **CROSS, **color)
        self.panels = {
            name: axes[name].plot([], [], **draw)[0]
            for name in ("into", "out", "gradient", "updates")
        }
        for name in ("gradient", "updates"):
            self.panels[name].set(marker=MARKERS[label], markersize=4)
        (self.train,) = axes["ends"].plot([], [], markerfacecolor="white", **dot)
        (self.val,) = axes["ends"].plot([], [], **dot)
        self.number = axes["ends"].text(0, 0, "", ha="center", va="bottom", fontsize=9, **color)
        place = {"transform": axes["out"].transAxes, "ha": "center", "fontsize": 9}
        self.saturated = axes["out"].text(0.5, 0, "", **place, **color)
        self.words = axes["words"].text(0, 0, "", va="top", fontsize=9, **color)
        self._lines = [self.curve, self.cross, *self.panels.values(), self.train, self.val]
        self._texts = [self.saturated, self.number, self.words]
        self.artists = [*self._lines, *self._texts]

    def clear(self):
        """Show nothing."""
        for line in self._lines:
            line.set_data([], [])
        for text in self._texts:
            text.set_text("")

    def show(self, network, place, top):
        """Show a network, which is one of several, and where the losses' axis ends."""
        self.curve.set_data(network.steps, np.fmin(network.losses, top))
        if network.diverged is not None:
            self.cross.set_data([network.diverged], [top])
            return
        for name in ("into", "out"):
            shares = getattr(network, name)
            edges = np.linspace(*LIMITS[name], len(shares) + 1)
            self.panels[name].set_data(np.repeat(edges, 2)[1:-1], np.repeat(shares, 2))
        self.saturated.set_text(f"{network.saturated:.0%} saturated")
        self.saturated.set_y(0.88 - 0.1 * place)
        layers = np.arange(1, len(network.gradient) + 1)
        self.panels["gradient"].set_data(layers, np.clip(network.gradient, *GRADIENTS))
        self.panels["updates"].set_data(layers, np.clip(network.updates, *UPDATES))
        if network.val is not None:
            self._show_ends(network, place)

    def _show_ends(self, network, place):
        train, val = np.nan_to_num(np.clip([network.train, network.val], *ENDS), nan=ENDS[1])
        self.train.set_data([place], [train])
        self.val.set_data([place], [val])
        self.number.set_text(f"{network.val:.2f}")
        self.number.set_position((place + 0.3, min(val, ENDS[1] - 0.25)))
        if network.words:
            self.words.set_text(f"{self._label} writes: {', '.join(network.words)}")
            self.words.set_position((0, 1 - place / 3))
