"""Wrong backward passes, ``fn(dy, x, weight, eps) -> (dx, dweight, dbias)``: the terms of dx."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

from bn_tutorial.checks.bug import Bug


def statistics_detached(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * dy
    return dx, dweight, dbias


def mean_detached(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - x_hat * dweight / len(x))
    return dx, dweight, dbias


def variance_detached(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x))
    return dx, dweight, dbias


def terms_added(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy + dbias / len(x) + x_hat * dweight / len(x))
    return dx, dweight, dbias


def variance_term_added(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) + x_hat * dweight / len(x))
    return dx, dweight, dbias


def mean_term_added(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy + dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def terms_summed(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias - x_hat * dweight)
    return dx, dweight, dbias


def gain_left_out(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def scale_left_out(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


def unbiased_backward(dy, x, weight, eps):
    inv_std = (x.var(dim=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / (len(x) - 1))
    return dx, dweight, dbias


def corrections_mixed(dy, x, weight, eps):
    inv_std = (x.var(dim=0, correction=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / (len(x) - 1))
    return dx, dweight, dbias


def corrections_mixed_unbiased(dy, x, weight, eps):
    inv_std = (x.var(dim=0) + eps) ** -0.5
    x_hat = (x - x.mean(dim=0)) * inv_std
    dbias = dy.sum(dim=0)
    dweight = (dy * x_hat).sum(dim=0)
    dx = weight * inv_std * (dy - dbias / len(x) - x_hat * dweight / len(x))
    return dx, dweight, dbias


bug = partial(Bug, check="batch_norm_backward", chapter="07_backward_pass")

BUGS = (
    bug(
        name="statistics_detached",
        symptom="dweight and dbias are right; dx is dy times one number a unit.",
        explanation="Mean and variance are treated as constants. They are computed from x, so dx "
        "has two more terms: through the mean and through the variance.",
        code=statistics_detached,
    ),
    bug(
        name="mean_detached",
        symptom="dx does not sum to 0 over the batch, though a number added to all of x changes "
        "nothing.",
        explanation="The way through the mean is missing: subtract dbias / B inside the bracket.",
        code=mean_detached,
    ),
    bug(
        name="variance_detached",
        symptom="dx sums to 0 over the batch, but along x_hat there is something left of dy.",
        explanation="The way through the variance is missing: subtract x_hat * dweight / B inside "
        "the bracket.",
        code=variance_detached,
    ),
    bug(
        name="terms_added",
        symptom="What all examples of dy have in common is doubled in dx instead of removed, or "
        "the part along x_hat is.",
        explanation="A term has the wrong sign. Both the way through the mean and the one through "
        "the variance take something away from dy.",
        code=terms_added,
        variants=(variance_term_added, mean_term_added),
    ),
    bug(
        name="terms_summed",
        symptom="The larger the batch, the more dx is made of the other examples' gradients.",
        explanation="The two terms through the statistics are sums. They are means: divide dbias "
        "and dweight by B there.",
        code=terms_summed,
    ),
    bug(
        name="gain_left_out",
        symptom="At the start of training dx is right; later it is off by one factor a unit.",
        explanation="The gain is missing in dx: dx_hat = weight * dy.",
        code=gain_left_out,
    ),
    bug(
        name="scale_left_out",
        symptom="dx does not get smaller when x is multiplied by a large number.",
        explanation="The division by the standard deviation is missing in dx: multiply by "
        "1 / sqrt(var + eps).",
        code=scale_left_out,
    ),
    bug(
        name="unbiased_backward",
        symptom="All three gradients fit together, but they belong to another forward pass; in "
        "large batches one hardly sees it.",
        explanation="This is the backward pass of a variance with correction 1 (B - 1). Here the "
        "variance divides by B.",
        code=unbiased_backward,
    ),
    bug(
        name="corrections_mixed",
        symptom="dx keeps a small share of dy along x_hat, about 1 / B of it.",
        explanation="One place divides by B and another by B - 1. The variance and its term in dx "
        "belong together: here both divide by B.",
        code=corrections_mixed,
        variants=(corrections_mixed_unbiased,),
    ),
)
