"""Wrong steps of a running average, ``fn(running, batch, momentum) -> running``."""
# ruff: noqa: D103 -- code that is shown: its docstring would tell too much

from bn_tutorial.checks.bugs.bug import bugs_from, named


def update(running, batch, momentum):
    return (1 - momentum) * running + momentum * batch


MIX = "(1 - momentum) * running + momentum * batch"

bug = bugs_from(update, check="running_update", chapter="05_running_statistics")

BUGS = named(
    momentum_reversed=bug(
        "The momentum is reversed: in PyTorch it is the weight of the new batch, in Keras that of "
        "the old value. Here it is (1 - momentum) * running + momentum * batch.",
        {"(1 - momentum) *": "momentum *", "+ momentum": "+ (1 - momentum)"},
        symptom="With momentum 0.1 the running mean follows every single batch; with 0.9 it is "
        "calm.",
    ),
    overwritten_by_batch=bug(
        "The new batch replaces the old value, so nothing is remembered. Mix them: (1 - momentum) "
        "* running + momentum * batch.",
        {MIX: "batch.clone()"},
        symptom="The running mean is always that of the last batch.",
    ),
    never_updated=bug(
        "The old value comes back: the batch plays no part. Add momentum * batch.",
        {MIX: "running.clone()"},
        symptom="The running mean stays where it started.",
    ),
    old_part_not_reduced=bug(
        "The old value keeps its full weight. The weights have to add up to 1: it is (1 - "
        "momentum) * running.",
        {"(1 - momentum) * ": ""},
        symptom="The running mean grows from step to step, far beyond any batch's mean.",
    ),
    new_part_not_reduced=bug(
        "The new batch has weight 1. The weights have to add up to 1: it is momentum * batch.",
        {"+ momentum * batch": "+ batch"},
        symptom="The running mean settles at 1 / momentum times the batches' mean.",
    ),
    old_part_lost=bug(
        "The old value is gone. Add (1 - momentum) * running.",
        {"(1 - momentum) * running + ": ""},
        symptom="The running mean is a small fraction of the last batch's mean.",
    ),
    momentum_hard_coded=bug(
        "The momentum is always 0.1, whatever is passed. Use the argument.",
        {"(1 - momentum)": "0.9", "+ momentum": "+ 0.1"},
        symptom="The memory is equally long with every momentum.",
    ),
    plain_average=bug(
        "Old and new count one half each. The new batch counts momentum, the old value 1 - "
        "momentum.",
        {MIX: "(running + batch) / 2"},
        symptom="After a few batches nothing is left of the older ones, with every momentum.",
    ),
    correction_reversed=bug(
        "The step goes away from the batch: it is running + momentum * (batch - running).",
        {MIX: "running + momentum * (running - batch)"},
        symptom="The running mean runs away from the batches' mean, faster and faster.",
    ),
    new_part_subtracted=bug(
        "The batch is subtracted. Add momentum * batch.",
        {"+": "-"},
        symptom="The running mean settles at minus the batches' mean.",
    ),
    momentum_weighs_both=bug(
        "Both parts are multiplied by the momentum. The old value counts 1 - momentum, so that the "
        "weights add up to 1.",
        {"(1 - momentum)": "momentum"},
        symptom="The running mean forgets its start at once and stays small.",
    ),
    old_part_weighed_twice=bug(
        "The new batch is reduced twice, by momentum and by 1 - momentum. Only the old value is "
        "multiplied by 1 - momentum.",
        {"running + momentum * batch": "(running + momentum * batch)"},
        symptom="With momentum 1 the running mean is 0.",
    ),
    running_overwritten=bug(
        "It changes its input in place. A layer may do that with its own buffer; a function that "
        "returns the new value leaves the old one alone.",
        {f"return {MIX}": "running *= 1 - momentum\nrunning += momentum * batch\nreturn running"},
        {f"return {MIX}": "batch *= momentum\nreturn (1 - momentum) * running + batch"},
        symptom="The new value is right, but whoever kept the old one has the new one now.",
    ),
)
