"""Wrong weights in a running average: ``leftover``, ``batch_weights`` and ``momentum_for``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


def leftover(momentum, steps):
    return (1 - momentum) ** steps


def batch_weights(momentum, steps):
    return [momentum * (1 - momentum) ** (steps - 1 - t) for t in range(steps)]


def momentum_for(weight, steps):
    return 1 - weight ** (1 / steps)


POWER = "(1 - momentum) ** steps"
ROOT = "weight ** (1 / steps)"

bug = bugs_from(leftover, check="leftover", chapter="05_running_statistics")

BUGS = named(
    momentum_reversed=bug(
        "The momentum is reversed: in PyTorch it is the weight of the new batch, so the old value "
        "is multiplied by 1 - momentum.",
        {"(1 - momentum)": "momentum"},
    ),
    one_step_too_many=bug(
        "This is the weight after steps + 1 updates.",
        {"** steps": "** (steps + 1)"},
    ),
    one_step_too_few=bug(
        "This is the weight after steps - 1 updates.",
        {"** steps": "** (steps - 1)"},
    ),
    weight_of_the_batches=bug(
        "This is the weight of all batches together: the start value has the rest.",
        {"(1 - momentum)": "1 - (1 - momentum)"},
    ),
    weight_of_the_first_batch=bug(
        "This is the weight of the first batch, not of the value before it.",
        {POWER: "momentum * (1 - momentum) ** (steps - 1)"},
    ),
    weights_subtracted=bug(
        "Each update multiplies the old weight by 1 - momentum: it does not subtract momentum.",
        {POWER: "1 - momentum * steps"},
        {POWER: "max(0.0, 1 - momentum * steps)"},
    ),
    only_for_small_momentum=bug(
        "exp(-momentum * steps) is close for a small momentum, but not exact.",
        {POWER: "math.exp(-momentum * steps)"},
    ),
)

bug = bugs_from(batch_weights, check="batch_weights", chapter="05_running_statistics")

BUGS += named(
    newest_first=bug(
        "The order is reversed: the oldest batch comes first, and it weighs the least.",
        {"steps - 1 - t": "t"},
    ),
    momentum_reversed=bug(
        "The momentum is reversed: in PyTorch it is the weight of the new batch.",
        {"momentum * (1 - momentum)": "(1 - momentum) * momentum"},
    ),
    newest_batch_factor_forgotten=bug(
        "The newest batch has the weight 1 here: it enters with the weight momentum.",
        {"momentum * (1": "(1"},
    ),
    one_update_too_many=bug(
        "All weights are too small by the factor 1 - momentum: no update comes after the newest "
        "batch.",
        {"steps - 1 - t": "steps - t"},
    ),
    start_value_included=bug(
        "There is one weight too many: the start value is not a batch.",
        {"return [": "return [(1 - momentum) ** steps] + ["},
    ),
    scaled_to_sum_to_1=bug(
        "The batches' weights don't sum to 1: the start value keeps the rest.",
        {"- t)": "- t) / (1 - (1 - momentum) ** steps)"},
    ),
    all_alike=bug(
        "All batches have the same weight here: an old batch is multiplied by 1 - momentum with "
        "each update.",
        {"momentum * (1 - momentum) ** (steps - 1 - t)": "1 / steps"},
    ),
)

bug = bugs_from(momentum_for, check="momentum_for", chapter="05_running_statistics")

BUGS += named(
    momentum_reversed=bug(
        "This is the weight of the old value, as Keras calls its momentum: PyTorch's is the weight "
        "of the new batch.",
        {"1 - ": ""},
    ),
    only_for_small_momentum=bug(
        "-ln(weight) / steps is close for many steps, but not exact: solve the equation.",
        {f"1 - {ROOT}": "-math.log(weight) / steps"},
    ),
    weight_of_the_batches=bug(
        "At this momentum the batches have this weight together, and the start value the rest.",
        {ROOT: "(1 - weight) ** (1 / steps)"},
    ),
    power_for_root=bug(
        "This raises the weight to the power of steps: you need the root.",
        {"(1 / steps)": "steps"},
    ),
    weights_subtracted=bug(
        "Each update multiplies the old weight by 1 - momentum: it does not subtract momentum.",
        {f"1 - {ROOT}": "(1 - weight) / steps"},
    ),
    one_step_too_many=bug(
        "At this momentum the start value has that weight after steps + 1 updates.",
        {"1 / steps": "1 / (steps + 1)"},
    ),
)
