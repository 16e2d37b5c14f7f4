"""Wrong statistics of a split, ``fn(x) -> (mean, std)``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


def measure(x):
    return x.mean(dim=0), x.std(dim=0)


STD = "x.std(dim=0)"
RETURN = f"return x.mean(dim=0), {STD}"
BATCHES = """\
parts = [part for part in x.split(64) if len(part) > 1]
means = torch.stack([part.mean(dim=0) for part in parts])
stds = torch.stack([part.std(dim=0) for part in parts])
return means.mean(dim=0), stds.mean(dim=0)"""

bug = bugs_from(measure, check="calibrate", chapter="04_calibration")

BUGS = named(
    measured_per_example=bug(
        "The statistics are taken over the units of each example. Every unit has its own, over all "
        "examples: dim=0.",
        {RETURN: "return x.mean(dim=1), x.std(dim=1)"},
        {RETURN: "return x.mean(dim=1), x.std(dim=1, correction=0)"},
        {RETURN: "return x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True)"},
        symptom="There are as many means as examples.",
    ),
    measured_as_one=bug(
        "The statistics are taken over the whole array. Every unit has its own, over all examples: "
        "dim=0.",
        {RETURN: "return x.mean(), x.std()"},
        {RETURN: "return x.mean(), x.std(correction=0)"},
        symptom="There is one mean and one standard deviation for all units.",
    ),
    variance_for_std=bug(
        "The second result is the variance. The standard deviation is its root.",
        {STD: "x.var(dim=0)"},
        {STD: "x.var(dim=0, correction=0)"},
        symptom="Units with a large spread come out small, and those with a small spread large.",
    ),
    mean_and_std_exchanged=bug(
        "The order of the results is (mean, std). (torch.std_mean has the other one.)",
        {RETURN: "return x.std(dim=0), x.mean(dim=0)"},
        {RETURN: "return x.std(dim=0, correction=0), x.mean(dim=0)"},
        {RETURN: "return torch.std_mean(x, dim=0)"},
        symptom="Some of the standard deviations are negative.",
    ),
    spread_around_zero=bug(
        "The root of the mean of x**2 measures the distance from 0. Subtract the mean before "
        "squaring.",
        {STD: "(x**2).mean(dim=0).sqrt()"},
        {STD: "((x**2).sum(dim=0) / (len(x) - 1)).sqrt()"},
        symptom="The further a unit's mean is from 0, the larger its standard deviation.",
    ),
    cancelling_spread=bug(
        "The variance is computed as E[x**2] - E[x]**2. With a large mean that is the difference "
        "of two huge, nearly equal numbers, and no digit of it is right. Subtract the mean first, "
        "then square.",
        {RETURN: "mean = x.mean(dim=0)\nreturn mean, ((x**2).mean(dim=0) - mean**2).sqrt()"},
        {
            RETURN: "mean, n = x.mean(dim=0), len(x)\n"
            "return mean, (((x**2).sum(dim=0) - n * mean**2) / (n - 1)).sqrt()"
        },
        symptom="All is well for numbers around 0; far from it the spread is noise, 0 or NaN.",
    ),
    standard_error=bug(
        "It is divided by the root of N: that is how uncertain the mean is, not how far the "
        "examples are spread.",
        {STD: "x.std(dim=0) / len(x) ** 0.5"},
        {STD: "x.std(dim=0, correction=0) / len(x) ** 0.5"},
        symptom="The more examples are measured, the smaller the standard deviation.",
    ),
    squares_not_averaged=bug(
        "The squares are summed, but the sum is not divided by N - 1 (or N).",
        {RETURN: "mean = x.mean(dim=0)\nreturn mean, ((x - mean) ** 2).sum(dim=0).sqrt()"},
        symptom="The more examples are measured, the larger the standard deviation.",
    ),
    absolute_distance=bug(
        "This is the mean absolute distance. For the standard deviation square the distances, take "
        "the mean, and then the root.",
        {RETURN: "mean = x.mean(dim=0)\nreturn mean, (x - mean).abs().mean(dim=0)"},
        symptom="Every standard deviation is somewhat too small, each by another factor.",
    ),
    averaged_over_batches=bug(
        "The standard deviations of batches are averaged. That misses how far the batches' means "
        "are apart, and counts a smaller last batch too much. Measure all examples as one batch.",
        {RETURN: BATCHES},
        {RETURN: BATCHES.replace("64", "32")},
        symptom="The statistics depend on the order of the examples.",
    ),
    first_batch_only=bug(
        "Only the first batch is measured. Take all examples.",
        {RETURN: "first = x[:64]\nreturn first.mean(dim=0), first.std(dim=0)"},
        {RETURN: "first = x[:32]\nreturn first.mean(dim=0), first.std(dim=0)"},
        symptom="Small splits come out right; in a large one all later examples could be changed "
        "without a trace.",
    ),
    eps_in_std=bug(
        "eps is part of the standard deviation. Give it without: eps is added where the statistics "
        "are used.",
        {STD: "(x.var(dim=0) + 1e-5).sqrt()"},
        {STD: "(x.var(dim=0, correction=0) + 1e-5).sqrt()"},
        symptom="No standard deviation is ever below 0.003.",
    ),
    split_overwritten=bug(
        "It changes x in place, and x belongs to the caller. Write x - mean to a new tensor.",
        {
            RETURN: "mean = x.mean(dim=0)\nx -= mean\n"
            "return mean, ((x**2).sum(dim=0) / (len(x) - 1)).sqrt()"
        },
        {RETURN: "mean = x.mean(dim=0)\nx -= mean\nreturn mean, (x**2).mean(dim=0).sqrt()"},
        symptom="Measured a second time, every mean is 0.",
    ),
)
