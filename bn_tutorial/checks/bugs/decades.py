"""Wrong widths of the range of good rates, ``fn(rates, losses, within) -> float``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

import math

from bn_tutorial.checks.bugs.bug import bugs_from, named


def good_decades(rates, losses, within):
    means = losses.mean(dim=0)
    good = [rate for rate, mean in zip(rates, means, strict=True) if mean < means.min() + within]
    return math.log10(good[-1] / good[0])


DECADES = "math.log10(good[-1] / good[0])"

bug = bugs_from(good_decades, check="good_decades", chapter="06_learning_rate")

BUGS = named(
    natural_logarithm=bug(
        "A decade is a factor of 10: take the logarithm to base 10.",
        {"log10": "log"},
    ),
    factor_instead_of_decades=bug(
        "This is the factor between the largest and the smallest good rate: its logarithm to base "
        "10 gives the decades.",
        {DECADES: "good[-1] / good[0]"},
    ),
    difference_of_rates=bug(
        "This is the difference of the two rates: decades are about their ratio.",
        {DECADES: "good[-1] - good[0]"},
    ),
    number_of_good_rates=bug(
        "This counts the good rates: how far apart are the smallest and the largest?.",
        {DECADES: "float(len(good))"},
    ),
    mean_over_the_rates=bug(
        "The mean was taken over the rates: take it over the seeds, which are the rows.",
        {"dim=0": "dim=1"},
    ),
    best_seed_only=bug(
        "This takes the best seed of each rate: take the mean over the seeds.",
        {"losses.mean": "losses.amin"},
    ),
    worst_seed_only=bug(
        "This takes the worst seed of each rate: take the mean over the seeds.",
        {"losses.mean": "losses.amax"},
    ),
    median_for_mean=bug(
        "This takes the median over the seeds: take the mean.",
        {"losses.mean(": "losses.quantile(0.5, "},
    ),
    best_single_run=bug(
        "The rates are compared with the best single run: compare them with the best mean.",
        {"means.min()": "losses.min()", DECADES: f"{DECADES} if good else 0.0"},
    ),
    within_as_a_share=bug(
        "`within` is a difference in nats: it is not a share of the best loss.",
        {"means.min() + within": "means.min() * (1 + within)"},
    ),
    level_instead_of_distance=bug(
        "`within` is the distance from the best mean: here it was taken as the loss itself.",
        {"means.min() + within": "within", DECADES: f"{DECADES} if good else 0.0"},
    ),
)
