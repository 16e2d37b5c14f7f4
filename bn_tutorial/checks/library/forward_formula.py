"""Wrong forward passes, ``fn(x, weight, bias, eps) -> y``: eps, gain, shift, and the input."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

from bn_tutorial.checks.bug import Bug


def eps_outside_root(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / (var.sqrt() + eps) + bias


def eps_outside_root_unbiased(x, weight, bias, eps):
    return weight * (x - x.mean(dim=0)) / (x.std(dim=0) + eps) + bias


def eps_ignored(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / var.sqrt() + bias


def eps_ignored_unbiased(x, weight, bias, eps):
    return weight * (x - x.mean(dim=0)) / x.std(dim=0) + bias


def eps_hard_coded(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / (var + 1e-5).sqrt() + bias


def gain_ignored(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return (x - mean) / (var + eps).sqrt() + bias


def shift_ignored(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / (var + eps).sqrt()


def gain_and_shift_ignored(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return (x - mean) / (var + eps).sqrt()


def gain_and_shift_exchanged(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return bias * (x - mean) / (var + eps).sqrt() + weight


def shift_before_gain(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * ((x - mean) / (var + eps).sqrt() + bias)


def input_overwritten(x, weight, bias, eps):
    x -= x.mean(dim=0)
    var = (x**2).mean(dim=0)
    return weight * x / (var + eps).sqrt() + bias


def input_overwritten_whole(x, weight, bias, eps):
    x -= x.mean(dim=0)
    x /= ((x**2).mean(dim=0) + eps).sqrt()
    return weight * x + bias


def input_overwritten_throughout(x, weight, bias, eps):
    x -= x.mean(dim=0)
    x /= ((x**2).mean(dim=0) + eps).sqrt()
    x *= weight
    x += bias
    return x


bug = partial(Bug, check="batch_norm_forward", chapter="03_batch_norm")

BUGS = (
    bug(
        name="eps_outside_root",
        symptom="All is well for ordinary numbers; with a tiny spread x_hat comes out too large, "
        "and with a large eps too small.",
        explanation="eps is added to the standard deviation. It belongs inside the root: "
        "sqrt(var + eps).",
        code=eps_outside_root,
        variants=(eps_outside_root_unbiased,),
    ),
    bug(
        name="eps_ignored",
        symptom="A unit that is the same for all examples comes out as NaN.",
        explanation="eps is not used, so a unit without spread is divided by 0. It is added to "
        "the variance, inside the root.",
        code=eps_ignored,
        variants=(eps_ignored_unbiased,),
    ),
    bug(
        name="eps_hard_coded",
        symptom="The result does not depend on the eps that is passed.",
        explanation="eps is always 1e-5, whatever is passed. Use the argument.",
        code=eps_hard_coded,
    ),
    bug(
        name="gain_ignored",
        symptom="At the start of training nothing is wrong; later the units of y still have the "
        "variance 1.",
        explanation="The gain is missing: x_hat is to be multiplied by weight.",
        code=gain_ignored,
    ),
    bug(
        name="shift_ignored",
        symptom="At the start of training nothing is wrong; later the units of y still have the "
        "mean 0.",
        explanation="The shift is missing: bias is to be added at the end.",
        code=shift_ignored,
    ),
    bug(
        name="gain_and_shift_ignored",
        symptom="At the start of training nothing is wrong; later y still has mean 0 and variance "
        "1, whatever was learned.",
        explanation="This is x_hat. Gain and shift are missing: y = weight * x_hat + bias.",
        code=gain_and_shift_ignored,
    ),
    bug(
        name="gain_and_shift_exchanged",
        symptom="With the usual start of weight and bias, 1 and 0, every number of y is 1.",
        explanation="weight is added and bias multiplied. It is y = weight * x_hat + bias.",
        code=gain_and_shift_exchanged,
    ),
    bug(
        name="shift_before_gain",
        symptom="The mean of each unit of y is weight * bias.",
        explanation="The shift is added before the gain multiplies, so it is scaled as well. "
        "First the gain, then the shift.",
        code=shift_before_gain,
    ),
    bug(
        name="input_overwritten",
        symptom="y is right, but calling it a second time with the same tensor gives another y.",
        explanation="It changes x in place, and x belongs to the caller. Write x = x - mean "
        "instead of x -= mean.",
        code=input_overwritten,
        variants=(input_overwritten_whole, input_overwritten_throughout),
    ),
)
