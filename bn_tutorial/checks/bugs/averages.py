"""Wrong weights in a running average: ``leftover``, ``batch_weights`` and ``momentum_for``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from functools import partial

from bn_tutorial.checks.bugs.bug import Bug


def leftover(momentum, steps):
    return (1 - momentum) ** steps


def batch_weights(momentum, steps):
    return [momentum * (1 - momentum) ** (steps - 1 - t) for t in range(steps)]


def momentum_for(weight, steps):
    return 1 - weight ** (1 / steps)


POWER = "(1 - momentum) ** steps"
ROOT = "weight ** (1 / steps)"

of_leftover = partial(Bug, check="leftover", chapter="05_running_statistics", right=leftover)
of_weights = partial(
    Bug, check="batch_weights", chapter="05_running_statistics", right=batch_weights
)
of_momentum = partial(
    Bug, check="momentum_for", chapter="05_running_statistics", right=momentum_for
)

BUGS = (
    of_leftover(
        name="momentum_reversed",
        explanation="The momentum is reversed: in PyTorch it is the weight of the new batch, so "
        "the old value is multiplied by 1 - momentum.",
        edits={"(1 - momentum)": "momentum"},
    ),
    of_leftover(
        name="one_step_too_many",
        explanation="This is the weight after steps + 1 updates.",
        edits={"** steps": "** (steps + 1)"},
    ),
    of_leftover(
        name="one_step_too_few",
        explanation="This is the weight after steps - 1 updates.",
        edits={"** steps": "** (steps - 1)"},
    ),
    of_leftover(
        name="weight_of_the_batches",
        explanation="This is the weight of all batches together: the start value has the rest.",
        edits={"(1 - momentum)": "1 - (1 - momentum)"},
    ),
    of_leftover(
        name="weight_of_the_first_batch",
        explanation="This is the weight of the first batch, not of the value before it.",
        edits={POWER: "momentum * (1 - momentum) ** (steps - 1)"},
    ),
    of_leftover(
        name="weights_subtracted",
        explanation="Each update multiplies the old weight by 1 - momentum: it does not subtract "
        "momentum.",
        edits={POWER: "1 - momentum * steps"},
        others=({POWER: "max(0.0, 1 - momentum * steps)"},),
    ),
    of_leftover(
        name="only_for_small_momentum",
        explanation="exp(-momentum * steps) is close for a small momentum, but not exact.",
        edits={POWER: "math.exp(-momentum * steps)"},
    ),
    of_weights(
        name="newest_first",
        explanation="The order is reversed: the oldest batch comes first, and it weighs the least.",
        edits={"steps - 1 - t": "t"},
    ),
    of_weights(
        name="momentum_reversed",
        explanation="The momentum is reversed: in PyTorch it is the weight of the new batch.",
        edits={"momentum * (1 - momentum)": "(1 - momentum) * momentum"},
    ),
    of_weights(
        name="newest_batch_factor_forgotten",
        explanation="The newest batch has the weight 1 here: it enters with the weight momentum.",
        edits={"momentum * (1": "(1"},
    ),
    of_weights(
        name="one_update_too_many",
        explanation="All weights are too small by the factor 1 - momentum: no update comes after "
        "the newest batch.",
        edits={"steps - 1 - t": "steps - t"},
    ),
    of_weights(
        name="start_value_included",
        explanation="There is one weight too many: the start value is not a batch.",
        edits={"return [": "return [(1 - momentum) ** steps] + ["},
    ),
    of_weights(
        name="scaled_to_sum_to_1",
        explanation="The batches' weights don't sum to 1: the start value keeps the rest.",
        edits={"- t)": "- t) / (1 - (1 - momentum) ** steps)"},
    ),
    of_weights(
        name="all_alike",
        explanation="All batches have the same weight here: an old batch is multiplied by 1 - "
        "momentum with each update.",
        edits={"momentum * (1 - momentum) ** (steps - 1 - t)": "1 / steps"},
    ),
    of_momentum(
        name="momentum_reversed",
        explanation="This is the weight of the old value, as Keras calls its momentum: PyTorch's "
        "is the weight of the new batch.",
        edits={"1 - ": ""},
    ),
    of_momentum(
        name="only_for_small_momentum",
        explanation="-ln(weight) / steps is close for many steps, but not exact: solve the "
        "equation.",
        edits={f"1 - {ROOT}": "-math.log(weight) / steps"},
    ),
    of_momentum(
        name="weight_of_the_batches",
        explanation="At this momentum the batches have this weight together, and the start value "
        "the rest.",
        edits={ROOT: "(1 - weight) ** (1 / steps)"},
    ),
    of_momentum(
        name="power_for_root",
        explanation="This raises the weight to the power of steps: you need the root.",
        edits={"(1 / steps)": "steps"},
    ),
    of_momentum(
        name="weights_subtracted",
        explanation="Each update multiplies the old weight by 1 - momentum: it does not subtract "
        "momentum.",
        edits={f"1 - {ROOT}": "(1 - weight) / steps"},
    ),
    of_momentum(
        name="one_step_too_many",
        explanation="At this momentum the start value has that weight after steps + 1 updates.",
        edits={"1 / steps": "1 / (steps + 1)"},
    ),
)
