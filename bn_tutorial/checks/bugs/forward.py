"""Wrong forward passes, ``fn(x, weight, bias, eps) -> y``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


def forward(x, weight, bias, eps):
    mean = x.mean(dim=0)
    var = x.var(dim=0, correction=0)
    return weight * (x - mean) / (var + eps).sqrt() + bias


MEAN, VAR, ROOT = "x.mean(dim=0)", "x.var(dim=0, correction=0)", "(var + eps).sqrt()"

bug = bugs_from(forward, check="batch_norm_forward", chapter="03_batch_norm")

BUGS = named(
    per_example=bug(
        "The statistics are taken over the units of each example. Batch norm takes them over the "
        "batch, for each unit: dim=0 of x (B, H).",
        {MEAN: "x.mean(dim=1, keepdim=True)", VAR: "x.var(dim=1, correction=0, keepdim=True)"},
        {MEAN: "x.mean(dim=1, keepdim=True)", VAR: "x.var(dim=1, keepdim=True)"},
        {MEAN: "x.mean(dim=1)", VAR: "x.var(dim=1, correction=0)"},
        {MEAN: "x.mean(dim=1)", VAR: "x.var(dim=1)"},
        symptom="Every example of x_hat has mean 0 over the units; a unit over the batch has not.",
    ),
    whole_array=bug(
        "There is one mean and one variance for the whole array. Every unit has its own, over the "
        "batch: dim=0.",
        {MEAN: "x.mean()", VAR: "x.var(correction=0)"},
        {MEAN: "x.mean()", VAR: "x.var()"},
        symptom="x_hat as a whole has mean 0 and variance 1, its units have not.",
    ),
    unbiased_variance=bug(
        "The variance divides by B - 1 (correction 1, the default of torch.var and torch.std). "
        "Here it divides by B: correction=0.",
        {", correction=0": ""},
        symptom="x_hat is too small by the same factor everywhere, 0.87 in batches of 4; in large "
        "batches one hardly sees it.",
    ),
    variance_around_zero=bug(
        "The variance is the mean of x**2. It is the mean squared distance from the mean: center "
        "first, then square.",
        {VAR: "(x**2).mean(dim=0)"},
        symptom="The further a unit's mean is from 0, the smaller its x_hat.",
    ),
    cancelling_variance=bug(
        "The variance is computed as E[x**2] - E[x]**2. With a large mean that is the difference "
        "of two huge, nearly equal numbers, and no digit of it is right. Subtract the mean first, "
        "then square.",
        {VAR: "(x**2).mean(dim=0) - mean**2"},
        symptom="All is well for numbers around 0; far from it y is noise, or NaN.",
    ),
    squares_summed=bug(
        "The squares are summed, but the sum is not divided by B. The variance is their mean.",
        {VAR: "((x - mean) ** 2).sum(dim=0)"},
        symptom="The larger the batch, the smaller the numbers of y.",
    ),
    divided_by_variance=bug(
        "It divides by the variance. The standard deviation is its root.",
        {".sqrt()": ""},
        symptom="Units with a large spread come out small, and those with a small spread large.",
    ),
    mean_kept=bug(
        "The mean is not subtracted: x_hat = (x - mean) / sqrt(var + eps).",
        {f"mean = {MEAN}": "", "(x - mean)": "x"},
        symptom="Every unit of y has the right spread, around a wrong center.",
    ),
    scale_kept=bug(
        "The centered x is not divided by sqrt(var + eps).",
        {f"var = {VAR}": "", " / (var + eps).sqrt()": ""},
        symptom="Every unit of y is centered as it should be, but keeps the spread that it had.",
    ),
    eps_outside_root=bug(
        "eps is added to the standard deviation. It belongs inside the root: sqrt(var + eps).",
        {ROOT: "(var.sqrt() + eps)"},
        {VAR: "x.var(dim=0)", ROOT: "(var.sqrt() + eps)"},
        symptom="All is well for ordinary numbers; with a tiny spread x_hat comes out too large, "
        "and with a large eps too small.",
    ),
    eps_ignored=bug(
        "eps is not used, so a unit without spread is divided by 0. It is added to the variance, "
        "inside the root.",
        {"(var + eps)": "var"},
        {VAR: "x.var(dim=0)", "(var + eps)": "var"},
        symptom="A unit that is the same for all examples comes out as NaN.",
    ),
    eps_hard_coded=bug(
        "eps is always 1e-5, whatever is passed. Use the argument.",
        {"+ eps": "+ 1e-5"},
        symptom="The result does not depend on the eps that is passed.",
    ),
    gain_ignored=bug(
        "The gain is missing: x_hat is to be multiplied by weight.",
        {"weight * ": ""},
        symptom="At the start of training nothing is wrong; later the units of y still have the "
        "variance 1.",
    ),
    shift_ignored=bug(
        "The shift is missing: bias is to be added at the end.",
        {" + bias": ""},
        symptom="At the start of training nothing is wrong; later the units of y still have the "
        "mean 0.",
    ),
    gain_and_shift_ignored=bug(
        "This is x_hat. Gain and shift are missing: y = weight * x_hat + bias.",
        {"weight * ": "", " + bias": ""},
        symptom="At the start of training nothing is wrong; later y still has mean 0 and variance "
        "1, whatever was learned.",
    ),
    gain_and_shift_exchanged=bug(
        "weight is added and bias multiplied. It is y = weight * x_hat + bias.",
        {"weight *": "bias *", "+ bias": "+ weight"},
        symptom="With the usual start of weight and bias, 1 and 0, every number of y is 1.",
    ),
    shift_before_gain=bug(
        "The shift is added before the gain multiplies, so it is scaled as well. First the gain, "
        "then the shift.",
        {f"(x - mean) / {ROOT} + bias": f"((x - mean) / {ROOT} + bias)"},
        symptom="The mean of each unit of y is weight * bias.",
    ),
    input_overwritten=bug(
        "It changes x in place, and x belongs to the caller. Write x = x - mean instead of x -= "
        "mean.",
        {"mean = x": "x -= x", VAR: "(x**2).mean(dim=0)", "(x - mean)": "x"},
        {
            "mean = x": "x -= x",
            f"var = {VAR}": "x /= ((x**2).mean(dim=0) + eps).sqrt()",
            f"(x - mean) / {ROOT}": "x",
        },
        {
            "mean = x": "x -= x",
            f"var = {VAR}": "x /= ((x**2).mean(dim=0) + eps).sqrt()",
            f"return weight * (x - mean) / {ROOT} + bias": "x *= weight\nx += bias\nreturn x",
        },
        symptom="y is right, but calling it a second time with the same tensor gives another y.",
    ),
)
