"""Wrong forward passes, ``fn(x, weight, bias, eps) -> y``: mean and variance."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

from bn_tutorial.checks.bug import Bug


def per_example(x, weight, bias, eps):
    mean = x.mean(dim=1, keepdim=True)
    var = x.var(dim=1, correction=0, keepdim=True)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def per_example_unbiased(x, weight, bias, eps):
    mean = x.mean(dim=1, keepdim=True)
    var = x.var(dim=1, keepdim=True)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def per_example_flat(x, weight, bias, eps):
    mean = x.mean(dim=1)
    var = x.var(dim=1, correction=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def per_example_flat_unbiased(x, weight, bias, eps):
    mean = x.mean(dim=1)
    var = x.var(dim=1)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def whole_array(x, weight, bias, eps):
    mean = x.mean()
    var = x.var(correction=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def whole_array_unbiased(x, weight, bias, eps):
    mean = x.mean()
    var = x.var()
    return weight * (x - mean) / (var + eps).sqrt() + bias


def unbiased_variance(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def variance_around_zero(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = (x**2).mean(dim=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def cancelling_variance(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = (x**2).mean(dim=0) - mean**2
    return weight * (x - mean) / (var + eps).sqrt() + bias


def squares_summed(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = ((x - mean) ** 2).sum(dim=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


def divided_by_variance(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / (var + eps) + bias


def mean_kept(x, weight, bias, eps):
    var = x.var(dim=0, correction=0)
    return weight * x / (var + eps).sqrt() + bias


def scale_kept(x, weight, bias, eps):
    mean = x.mean(dim=0)
    return weight * (x - mean) + bias


bug = partial(Bug, check="batch_norm_forward", chapter="03_batch_norm")

BUGS = (
    bug(
        name="per_example",
        symptom="Every example of x_hat has mean 0 over the units; a unit over the batch has not.",
        explanation="The statistics are taken over the units of each example. Batch norm takes "
        "them over the batch, for each unit: dim=0 of x (B, H).",
        code=per_example,
        variants=(per_example_unbiased, per_example_flat, per_example_flat_unbiased),
    ),
    bug(
        name="whole_array",
        symptom="x_hat as a whole has mean 0 and variance 1, its units have not.",
        explanation="There is one mean and one variance for the whole array. Every unit has its "
        "own, over the batch: dim=0.",
        code=whole_array,
        variants=(whole_array_unbiased,),
    ),
    bug(
        name="unbiased_variance",
        symptom="x_hat is too small by the same factor everywhere, 0.87 in batches of 4; in "
        "large batches one hardly sees it.",
        explanation="The variance divides by B - 1 (correction 1, the default of torch.var and "
        "torch.std). Here it divides by B: correction=0.",
        code=unbiased_variance,
    ),
    bug(
        name="variance_around_zero",
        symptom="The further a unit's mean is from 0, the smaller its x_hat.",
        explanation="The variance is the mean of x**2. It is the mean squared distance from the "
        "mean: center first, then square.",
        code=variance_around_zero,
    ),
    bug(
        name="cancelling_variance",
        symptom="All is well for numbers around 0; far from it y is noise, or NaN.",
        explanation="The variance is computed as E[x**2] - E[x]**2. With a large mean that is the "
        "difference of two huge, nearly equal numbers, and no digit of it is right. Subtract the "
        "mean first, then square.",
        code=cancelling_variance,
    ),
    bug(
        name="squares_summed",
        symptom="The larger the batch, the smaller the numbers of y.",
        explanation="The squares are summed, but the sum is not divided by B. The variance is "
        "their mean.",
        code=squares_summed,
    ),
    bug(
        name="divided_by_variance",
        symptom="Units with a large spread come out small, and those with a small spread large.",
        explanation="It divides by the variance. The standard deviation is its root.",
        code=divided_by_variance,
    ),
    bug(
        name="mean_kept",
        symptom="Every unit of y has the right spread, around a wrong center.",
        explanation="The mean is not subtracted: x_hat = (x - mean) / sqrt(var + eps).",
        code=mean_kept,
    ),
    bug(
        name="scale_kept",
        symptom="Every unit of y is centered as it should be, but keeps the spread that it had.",
        explanation="The centered x is not divided by sqrt(var + eps).",
        code=scale_kept,
    ),
)
