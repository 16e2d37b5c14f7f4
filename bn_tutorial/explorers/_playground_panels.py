"""What the playground draws: how networks learn, what goes on inside, what they end with."""

from itertools import chain

import numpy as np

from bn_tutorial import plots
from bn_tutorial.explorers._playground_networks import LIMITS
from bn_tutorial.explorers.marks import LEVEL

BINS = 60
LOSSES = {"log": (1.6, 30), "linear": (1.6, 5)}
ENDS = (2.0, 4.2)  # nats
GRADIENTS, UPDATES = (1e-9, 1), (-6, 1)
PANELS = [
    ["loss"] * 5 + ["ends"] * 3,
    ["into"] * 2 + ["out"] * 2 + ["gradient"] * 2 + ["updates"] * 2,
]
PANELS += [["words"] * 8]


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
    artists : list
        All that moves.
    """

    def __init__(self, figure, labels, levels):
        axes = figure.subplot_mosaic(PANELS, height_ratios=(9, 8, 2.4))
        self.axes, self._labels, self._levels = axes, list(labels), levels
        style = {label: plots.LOOK[label] for label in labels}
        empty = [], []
        self._lines = {
            name: {
                label: axes[name].plot(*empty, linewidth=1.4, **style[label])[0] for label in labels
            }
            for name in ("loss", "into", "out", "gradient", "updates")
        }
        for name in ("gradient", "updates"):
            for label, line in self._lines[name].items():
                line.set(marker="o" if label == "plain" else "s", markersize=4)
        self._crosses = {
            label: axes["loss"].plot(
                *empty,
                "x",
                color=style[label]["color"],
                markersize=10,
                markeredgewidth=2.5,
                clip_on=False,
            )[0]
            for label in labels
        }
        (self._progress,) = axes["loss"].plot(
            *empty, color=plots.GREY, linewidth=4, solid_capstyle="butt"
        )
        marks = {"linestyle": "none", "markersize": 9, "clip_on": False}
        self._ends = {
            split: {
                label: axes["ends"].plot(
                    *empty,
                    "o",
                    color=style[label]["color"],
                    markerfacecolor=face(style[label]),
                    **marks,
                )[0]
                for label in labels
            }
            for split, face in (("train", lambda _: "white"), ("val", lambda look: look["color"]))
        }
        self._numbers = {
            label: axes["ends"].text(0, 0, "", ha="center", va="bottom", fontsize=9)
            for label in labels
        }
        self._words = [axes["words"].text(0, 0, "", fontsize=9, va="top") for _ in labels]
        for row, text in enumerate(self._words):
            text.set_position((0, 1 - row / len(self._words)))
        self._set_up(figure)
        lines = chain.from_iterable(lines.values() for lines in self._lines.values())
        ends = chain.from_iterable(ends.values() for ends in self._ends.values())
        others = *self._crosses.values(), *self._numbers.values(), *self._words
        self.artists = [self._progress, *lines, *ends, *others]

    def _set_up(self, figure):
        """Set what holds for all states."""
        axes = self.axes
        for name in ("loss", "ends"):
            for style, level in zip(("-.", ":"), self._levels.values(), strict=True):
                axes[name].axhline(level, **LEVEL | {"linestyle": style})
        for label, level in self._levels.items():
            axes["ends"].text(
                0.99,
                level,
                f"{label} {level:.2f}",
                fontsize=8,
                color=plots.GREY,
                ha="right",
                va="bottom",
                transform=axes["ends"].get_yaxis_transform(),
            )
        axes["loss"].set(xlabel="step", title="training loss (nats)")
        axes["ends"].set(ylim=ENDS, xticks=[], title="loss at the end: ○ train, ● val")
        axes["into"].set(xlim=LIMITS["into"], ylim=(0, 0.2), ylabel="share")
        axes["out"].set(xlim=LIMITS["out"], ylim=(0, 0.3))
        axes["gradient"].set(
            yscale="log", ylim=GRADIENTS, xlabel="layer", title="std of the gradient"
        )
        axes["updates"].set(ylim=UPDATES, xlabel="layer", title="update / weight (log10)")
        axes["updates"].axhline(-3, **LEVEL)
        axes["words"].set_axis_off()
        for ax in axes.values():
            ax.title.set_fontsize(11)

    def set_axes(self, labels, steps, depth, layer, scale):
        """Set what depends on the state."""
        loss = self.axes["loss"]
        handles = [self._lines["loss"][label] for label in labels]
        loss.legend(handles, labels, loc="upper right", ncols=3, frameon=False, fontsize=9)
        low, high = LOSSES[scale]
        loss.set(yscale=scale, ylim=(low, high), xlim=(0, steps))
        ticks = [t for t in (2, 2.5, 3, 4, 5, 7, 10, 20) if low <= t <= high]
        loss.set_yticks(ticks, [f"{t:g}" for t in ticks])
        loss.minorticks_off()
        where = f" of layer {layer}" if depth > 1 else ""
        self.axes["into"].set_title(f"into the tanh{where}")
        self.axes["out"].set_title("out of it")
        for name in ("gradient", "updates"):
            self.axes[name].set(xlim=(0.5, depth + 0.5), xticks=range(1, depth + 1))

    def show(self, numbers):
        """Move all that is of a network."""
        there, state = numbers.networks, numbers.state
        done = min(network.done for network in there.values()) if numbers.training else 0
        bottom = LOSSES[state["scale"]][0]
        self._progress.set_data([0, done], [bottom, bottom])
        for label in self._labels:
            self._show_network(label, there.get(label), LOSSES[state["scale"]][1])
        for place, (label, network) in enumerate(there.items()):
            self._show_ends(label, network, place)
        self.axes["ends"].set_xlim(-0.6, 2.6)
        for text, label in zip(self._words, [*there, *[None] * 3], strict=False):
            words = there[label].words if label else ()
            text.set_text(f"{label} writes: {', '.join(words)}" if words else "")
            if words:
                text.set_color(plots.LOOK[label]["color"])

    def _show_network(self, label, network, top):
        for lines in (*self._lines.values(), *self._ends.values()):
            lines[label].set_data([], [])
        self._crosses[label].set_data([], [])
        self._numbers[label].set_text("")
        if network is None:
            return
        self._lines["loss"][label].set_data(network.steps, np.fmin(network.losses, top))
        if network.diverged is not None:
            self._crosses[label].set_data([network.diverged], [top])
            return
        for name, shares in (("into", network.into), ("out", network.out)):
            edges = np.linspace(*LIMITS[name], BINS + 1)
            self._lines[name][label].set_data(np.repeat(edges, 2)[1:-1], np.repeat(shares, 2))
        layers = np.arange(1, len(network.gradient) + 1)
        self._lines["gradient"][label].set_data(layers, np.clip(network.gradient, *GRADIENTS))
        self._lines["updates"][label].set_data(layers, np.clip(network.updates, *UPDATES))

    def _show_ends(self, label, network, place):
        if network.val is None:
            return
        text, heights = self._numbers[label], []
        for split, loss in (("train", network.train), ("val", network.val)):
            heights.append(np.clip(np.nan_to_num(loss, nan=ENDS[1]), *ENDS))
            self._ends[split][label].set_data([place], [heights[-1]])
        text.set(text=f"{network.val:.2f}", color=plots.LOOK[label]["color"])
        text.set_position((place + 0.3, min(heights[-1], ENDS[1] - 0.25)))
