"""Draw the README's picture: ``python tools/readme_picture.py``. Prints the numbers it shows."""

import math
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import torch

import bn_tutorial as bn
from bn_tutorial import plots

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "learning_rates.png"
RATES = [0.03, 0.1, 0.3, 1.0, 3.0, 10.0]
SEEDS = [23, 24, 25, 26, 27]
STEPS = 3_000


def final_losses(dataset, gain):
    """Train both networks at every rate and seed: dict of label to losses (seeds, rates)."""
    losses = {}
    for label, norm in (("plain", None), ("batch norm", "batch")):
        recipe = bn.Recipe(norm=norm, steps=STEPS, hidden_gain=gain)
        runs = bn.sweep(dataset, recipe, seed=SEEDS, learning_rate=RATES, progress=True)
        losses[label] = torch.tensor(
            [
                bn.evaluate(run, dataset.train, bn.calibrate(run, dataset.train) if norm else None)
                for run in runs
            ]
        ).reshape(len(SEEDS), len(RATES))
    return losses


def main():
    """Train, print, draw and save."""
    matplotlib.use("Agg")
    dataset = bn.Dataset.from_words(bn.load_words())
    fig, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for ax, gain in zip(axes, (1.0, 5.0), strict=True):
        losses = final_losses(dataset, gain)
        for label, values in losses.items():
            print(f"hidden gain {gain}, {label:10}", *(f"{m:6.2f}" for m in values.mean(dim=0)))
        plots.plot_final_losses(
            RATES,
            losses,
            xlabel="learning rate",
            levels={"uniform": math.log(len(dataset.vocabulary))},
            limits=(2.3, 6),
            ax=ax,
        )
        ax.set_title(f"hidden gain {gain:g}")
        ax.legend(loc="upper left")
    axes[1].set_ylabel("")
    fig.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    main()
