"""Wrong widths of the range of good rates, ``fn(rates, losses, within) -> float``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

import math
from functools import partial

from bn_tutorial.checks.bugs.bug import Bug


def good_decades(rates, losses, within):
    means = losses.mean(dim=0)
    good = [rate for rate, mean in zip(rates, means, strict=True) if mean < means.min() + within]
    return math.log10(good[-1] / good[0])


DECADES = "math.log10(good[-1] / good[0])"

bug = partial(Bug, check="good_decades", chapter="06_learning_rate", right=good_decades)

BUGS = (
    bug(
        name="natural_logarithm",
        explanation="A decade is a factor of 10: take the logarithm to base 10.",
        edits={"log10": "log"},
    ),
    bug(
        name="factor_instead_of_decades",
        explanation="This is the factor between the largest and the smallest good rate: its "
        "logarithm to base 10 gives the decades.",
        edits={DECADES: "good[-1] / good[0]"},
    ),
    bug(
        name="difference_of_rates",
        explanation="This is the difference of the two rates: decades are about their ratio.",
        edits={DECADES: "good[-1] - good[0]"},
    ),
    bug(
        name="number_of_good_rates",
        explanation="This counts the good rates: how far apart are the smallest and the largest?.",
        edits={DECADES: "float(len(good))"},
    ),
    bug(
        name="mean_over_the_rates",
        explanation="The mean was taken over the rates: take it over the seeds, which are the "
        "rows.",
        edits={"dim=0": "dim=1"},
    ),
    bug(
        name="best_seed_only",
        explanation="This takes the best seed of each rate: take the mean over the seeds.",
        edits={"losses.mean": "losses.amin"},
    ),
    bug(
        name="worst_seed_only",
        explanation="This takes the worst seed of each rate: take the mean over the seeds.",
        edits={"losses.mean": "losses.amax"},
    ),
    bug(
        name="median_for_mean",
        explanation="This takes the median over the seeds: take the mean.",
        edits={"losses.mean(": "losses.quantile(0.5, "},
    ),
    bug(
        name="best_single_run",
        explanation="The rates are compared with the best single run: compare them with the best "
        "mean.",
        edits={"means.min()": "losses.min()", DECADES: f"{DECADES} if good else 0.0"},
    ),
    bug(
        name="within_as_a_share",
        explanation="`within` is a difference in nats: it is not a share of the best loss.",
        edits={"means.min() + within": "means.min() * (1 + within)"},
    ),
    bug(
        name="level_instead_of_distance",
        explanation="`within` is the distance from the best mean: here it was taken as the loss "
        "itself.",
        edits={"means.min() + within": "within", DECADES: f"{DECADES} if good else 0.0"},
    ),
)
