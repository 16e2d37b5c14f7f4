"""Wrong statistics of a split: ``fn(x) -> (mean, std)``."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

import torch

from bn_tutorial.checks.bug import Bug


def measured_per_example(x):
    return x.mean(dim=1), x.std(dim=1)


def measured_per_example_biased(x):
    return x.mean(dim=1), x.std(dim=1, correction=0)


def measured_per_example_kept(x):
    return x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True)


def measured_as_one(x):
    return x.mean(), x.std()


def measured_as_one_biased(x):
    return x.mean(), x.std(correction=0)


def variance_for_std(x):
    return x.mean(dim=0), x.var(dim=0)


def variance_for_std_biased(x):
    return x.mean(dim=0), x.var(dim=0, correction=0)


def mean_and_std_exchanged(x):
    return x.std(dim=0), x.mean(dim=0)


def mean_and_std_exchanged_biased(x):
    return x.std(dim=0, correction=0), x.mean(dim=0)


def mean_and_std_exchanged_by_torch(x):
    return torch.std_mean(x, dim=0)


def spread_around_zero(x):
    return x.mean(dim=0), (x**2).mean(dim=0).sqrt()


def spread_around_zero_unbiased(x):
    return x.mean(dim=0), ((x**2).sum(dim=0) / (len(x) - 1)).sqrt()


def cancelling_spread(x):
    mean = x.mean(dim=0)
    return mean, ((x**2).mean(dim=0) - mean**2).sqrt()


def cancelling_spread_unbiased(x):
    mean, n = x.mean(dim=0), len(x)
    return mean, (((x**2).sum(dim=0) - n * mean**2) / (n - 1)).sqrt()


def standard_error(x):
    return x.mean(dim=0), x.std(dim=0) / len(x) ** 0.5


def standard_error_biased(x):
    return x.mean(dim=0), x.std(dim=0, correction=0) / len(x) ** 0.5


def squares_not_averaged(x):
    mean = x.mean(dim=0)
    return mean, ((x - mean) ** 2).sum(dim=0).sqrt()


def absolute_distance(x):
    mean = x.mean(dim=0)
    return mean, (x - mean).abs().mean(dim=0)


def averaged_over_batches(x):
    parts = [part for part in x.split(64) if len(part) > 1]
    means = torch.stack([part.mean(dim=0) for part in parts])
    stds = torch.stack([part.std(dim=0) for part in parts])
    return means.mean(dim=0), stds.mean(dim=0)


def averaged_over_batches_of_32(x):
    parts = [part for part in x.split(32) if len(part) > 1]
    means = torch.stack([part.mean(dim=0) for part in parts])
    stds = torch.stack([part.std(dim=0) for part in parts])
    return means.mean(dim=0), stds.mean(dim=0)


def first_batch_only(x):
    first = x[:64]
    return first.mean(dim=0), first.std(dim=0)


def first_batch_of_32_only(x):
    first = x[:32]
    return first.mean(dim=0), first.std(dim=0)


def eps_in_std(x):
    return x.mean(dim=0), (x.var(dim=0) + 1e-5).sqrt()


def eps_in_std_biased(x):
    return x.mean(dim=0), (x.var(dim=0, correction=0) + 1e-5).sqrt()


def split_overwritten(x):
    mean = x.mean(dim=0)
    x -= mean
    return mean, ((x**2).sum(dim=0) / (len(x) - 1)).sqrt()


def split_overwritten_biased(x):
    mean = x.mean(dim=0)
    x -= mean
    return mean, (x**2).mean(dim=0).sqrt()


bug = partial(Bug, check="calibrate", chapter="04_calibration")

BUGS = (
    bug(
        name="measured_per_example",
        symptom="There are as many means as examples.",
        explanation="The statistics are taken over the units of each example. Every unit has its "
        "own, over all examples: dim=0.",
        code=measured_per_example,
        variants=(measured_per_example_biased, measured_per_example_kept),
    ),
    bug(
        name="measured_as_one",
        symptom="There is one mean and one standard deviation for all units.",
        explanation="The statistics are taken over the whole array. Every unit has its own, over "
        "all examples: dim=0.",
        code=measured_as_one,
        variants=(measured_as_one_biased,),
    ),
    bug(
        name="variance_for_std",
        symptom="Units with a large spread come out small, and those with a small spread large.",
        explanation="The second result is the variance. The standard deviation is its root.",
        code=variance_for_std,
        variants=(variance_for_std_biased,),
    ),
    bug(
        name="mean_and_std_exchanged",
        symptom="Some of the standard deviations are negative.",
        explanation="The order of the results is (mean, std). (torch.std_mean has the other one.)",
        code=mean_and_std_exchanged,
        variants=(mean_and_std_exchanged_biased, mean_and_std_exchanged_by_torch),
    ),
    bug(
        name="spread_around_zero",
        symptom="The further a unit's mean is from 0, the larger its standard deviation.",
        explanation="The root of the mean of x**2 measures the distance from 0. Subtract the mean "
        "before squaring.",
        code=spread_around_zero,
        variants=(spread_around_zero_unbiased,),
    ),
    bug(
        name="cancelling_spread",
        symptom="All is well for numbers around 0; far from it the spread is noise, 0 or NaN.",
        explanation="The variance is computed as E[x**2] - E[x]**2. With a large mean that is the "
        "difference of two huge, nearly equal numbers, and no digit of it is right. Subtract the "
        "mean first, then square.",
        code=cancelling_spread,
        variants=(cancelling_spread_unbiased,),
    ),
    bug(
        name="standard_error",
        symptom="The more examples are measured, the smaller the standard deviation.",
        explanation="It is divided by the root of N: that is how uncertain the mean is, not how "
        "far the examples are spread.",
        code=standard_error,
        variants=(standard_error_biased,),
    ),
    bug(
        name="squares_not_averaged",
        symptom="The more examples are measured, the larger the standard deviation.",
        explanation="The squares are summed, but the sum is not divided by N - 1 (or N).",
        code=squares_not_averaged,
    ),
    bug(
        name="absolute_distance",
        symptom="Every standard deviation is somewhat too small, each by another factor.",
        explanation="This is the mean absolute distance. For the standard deviation square the "
        "distances, take the mean, and then the root.",
        code=absolute_distance,
    ),
    bug(
        name="averaged_over_batches",
        symptom="The statistics depend on the order of the examples.",
        explanation="The standard deviations of batches are averaged. That misses how far the "
        "batches' means are apart, and counts a smaller last batch too much. Measure all examples "
        "as one batch.",
        code=averaged_over_batches,
        variants=(averaged_over_batches_of_32,),
    ),
    bug(
        name="first_batch_only",
        symptom="Small splits come out right; in a large one all later examples could be changed "
        "without a trace.",
        explanation="Only the first batch is measured. Take all examples.",
        code=first_batch_only,
        variants=(first_batch_of_32_only,),
    ),
    bug(
        name="eps_in_std",
        symptom="No standard deviation is ever below 0.003.",
        explanation="eps is part of the standard deviation. Give it without: eps is added where "
        "the statistics are used.",
        code=eps_in_std,
        variants=(eps_in_std_biased,),
    ),
    bug(
        name="split_overwritten",
        symptom="Measured a second time, every mean is 0.",
        explanation="It changes x in place, and x belongs to the caller. Write x - mean to a new "
        "tensor.",
        code=split_overwritten,
        variants=(split_overwritten_biased,),
    ),
)
