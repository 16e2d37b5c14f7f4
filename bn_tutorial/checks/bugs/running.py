"""Wrong steps of a running average, ``fn(running, batch, momentum) -> running``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from functools import partial

from bn_tutorial.checks.bugs.bug import Bug


def update(running, batch, momentum):
    return (1 - momentum) * running + momentum * batch


MIX = "(1 - momentum) * running + momentum * batch"

bug = partial(Bug, check="running_update", chapter="05_running_statistics", right=update)

BUGS = (
    bug(
        name="momentum_reversed",
        symptom="With momentum 0.1 the running mean follows every single batch; with 0.9 it is "
        "calm.",
        explanation="The momentum is reversed: in PyTorch it is the weight of the new batch, in "
        "Keras that of the old value. Here it is (1 - momentum) * running + momentum * batch.",
        edits={"(1 - momentum) *": "momentum *", "+ momentum": "+ (1 - momentum)"},
    ),
    bug(
        name="overwritten_by_batch",
        symptom="The running mean is always that of the last batch.",
        explanation="The new batch replaces the old value, so nothing is remembered. Mix them: (1 "
        "- momentum) * running + momentum * batch.",
        edits={MIX: "batch.clone()"},
    ),
    bug(
        name="never_updated",
        symptom="The running mean stays where it started.",
        explanation="The old value comes back: the batch plays no part. Add momentum * batch.",
        edits={MIX: "running.clone()"},
    ),
    bug(
        name="old_part_not_reduced",
        symptom="The running mean grows from step to step, far beyond any batch's mean.",
        explanation="The old value keeps its full weight. The weights have to add up to 1: it is "
        "(1 - momentum) * running.",
        edits={"(1 - momentum) * ": ""},
    ),
    bug(
        name="new_part_not_reduced",
        symptom="The running mean settles at 1 / momentum times the batches' mean.",
        explanation="The new batch has weight 1. The weights have to add up to 1: it is momentum "
        "* batch.",
        edits={"+ momentum * batch": "+ batch"},
    ),
    bug(
        name="old_part_lost",
        symptom="The running mean is a small fraction of the last batch's mean.",
        explanation="The old value is gone. Add (1 - momentum) * running.",
        edits={"(1 - momentum) * running + ": ""},
    ),
    bug(
        name="momentum_hard_coded",
        symptom="The memory is equally long with every momentum.",
        explanation="The momentum is always 0.1, whatever is passed. Use the argument.",
        edits={"(1 - momentum)": "0.9", "+ momentum": "+ 0.1"},
    ),
    bug(
        name="plain_average",
        symptom="After a few batches nothing is left of the older ones, with every momentum.",
        explanation="Old and new count one half each. The new batch counts momentum, the old "
        "value 1 - momentum.",
        edits={MIX: "(running + batch) / 2"},
    ),
    bug(
        name="correction_reversed",
        symptom="The running mean runs away from the batches' mean, faster and faster.",
        explanation="The step goes away from the batch: it is running + momentum * (batch - "
        "running).",
        edits={MIX: "running + momentum * (running - batch)"},
    ),
    bug(
        name="new_part_subtracted",
        symptom="The running mean settles at minus the batches' mean.",
        explanation="The batch is subtracted. Add momentum * batch.",
        edits={"+": "-"},
    ),
    bug(
        name="momentum_weighs_both",
        symptom="The running mean forgets its start at once and stays small.",
        explanation="Both parts are multiplied by the momentum. The old value counts 1 - "
        "momentum, so that the weights add up to 1.",
        edits={"(1 - momentum)": "momentum"},
    ),
    bug(
        name="old_part_weighed_twice",
        symptom="With momentum 1 the running mean is 0.",
        explanation="The new batch is reduced twice, by momentum and by 1 - momentum. Only the "
        "old value is multiplied by 1 - momentum.",
        edits={"running + momentum * batch": "(running + momentum * batch)"},
    ),
    bug(
        name="running_overwritten",
        symptom="The new value is right, but whoever kept the old one has the new one now.",
        explanation="It changes its input in place. A layer may do that with its own buffer; a "
        "function that returns the new value leaves the old one alone.",
        edits={
            f"return {MIX}": "running *= 1 - momentum\nrunning += momentum * batch\nreturn running"
        },
        others=({f"return {MIX}": "batch *= momentum\nreturn (1 - momentum) * running + batch"},),
    ),
)
