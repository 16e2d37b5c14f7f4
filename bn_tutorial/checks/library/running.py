"""Wrong steps of a running average: ``fn(running, batch, momentum) -> running``."""
# ruff: noqa: D103 -- the code is shown as a patient: a docstring would name the disease

from functools import partial

from bn_tutorial.checks.bug import Bug


def momentum_reversed(running, batch, momentum):
    return momentum * running + (1 - momentum) * batch


def overwritten_by_batch(running, batch, momentum):
    return batch.clone()


def never_updated(running, batch, momentum):
    return running.clone()


def old_part_not_reduced(running, batch, momentum):
    return running + momentum * batch


def new_part_not_reduced(running, batch, momentum):
    return (1 - momentum) * running + batch


def old_part_lost(running, batch, momentum):
    return momentum * batch


def momentum_hard_coded(running, batch, momentum):
    return 0.9 * running + 0.1 * batch


def plain_average(running, batch, momentum):
    return (running + batch) / 2


def correction_reversed(running, batch, momentum):
    return running + momentum * (running - batch)


def new_part_subtracted(running, batch, momentum):
    return (1 - momentum) * running - momentum * batch


def old_part_weighed_twice(running, batch, momentum):
    return (1 - momentum) * (running + momentum * batch)


def momentum_weighs_both(running, batch, momentum):
    return momentum * running + momentum * batch


def running_overwritten(running, batch, momentum):
    running *= 1 - momentum
    running += momentum * batch
    return running


def batch_overwritten(running, batch, momentum):
    batch *= momentum
    return (1 - momentum) * running + batch


bug = partial(Bug, check="running_update", chapter="05_running_statistics")

BUGS = (
    bug(
        name="momentum_reversed",
        symptom="With momentum 0.1 the running mean follows every single batch; with 0.9 it is "
        "calm.",
        explanation="The momentum is reversed: in PyTorch it is the weight of the new batch, in "
        "Keras that of the old value. Here it is (1 - momentum) * running + momentum * batch.",
        code=momentum_reversed,
    ),
    bug(
        name="overwritten_by_batch",
        symptom="The running mean is always that of the last batch.",
        explanation="The new batch replaces the old value, so nothing is remembered. Mix them: "
        "(1 - momentum) * running + momentum * batch.",
        code=overwritten_by_batch,
    ),
    bug(
        name="never_updated",
        symptom="The running mean stays where it started.",
        explanation="The old value comes back: the batch plays no part. Add momentum * batch.",
        code=never_updated,
    ),
    bug(
        name="old_part_not_reduced",
        symptom="The running mean grows from step to step, far beyond any batch's mean.",
        explanation="The old value keeps its full weight. The weights have to add up to 1: it is "
        "(1 - momentum) * running.",
        code=old_part_not_reduced,
    ),
    bug(
        name="new_part_not_reduced",
        symptom="The running mean settles at 1 / momentum times the batches' mean.",
        explanation="The new batch has weight 1. The weights have to add up to 1: it is "
        "momentum * batch.",
        code=new_part_not_reduced,
    ),
    bug(
        name="old_part_lost",
        symptom="The running mean is a small fraction of the last batch's mean.",
        explanation="The old value is gone. Add (1 - momentum) * running.",
        code=old_part_lost,
    ),
    bug(
        name="momentum_hard_coded",
        symptom="The memory is equally long with every momentum.",
        explanation="The momentum is always 0.1, whatever is passed. Use the argument.",
        code=momentum_hard_coded,
    ),
    bug(
        name="plain_average",
        symptom="After a few batches nothing is left of the older ones, with every momentum.",
        explanation="Old and new count one half each. The new batch counts momentum, the old "
        "value 1 - momentum.",
        code=plain_average,
    ),
    bug(
        name="correction_reversed",
        symptom="The running mean runs away from the batches' mean, faster and faster.",
        explanation="The step goes away from the batch: it is running + momentum * (batch - "
        "running).",
        code=correction_reversed,
    ),
    bug(
        name="new_part_subtracted",
        symptom="The running mean settles at minus the batches' mean.",
        explanation="The batch is subtracted. Add momentum * batch.",
        code=new_part_subtracted,
    ),
    bug(
        name="momentum_weighs_both",
        symptom="The running mean forgets its start at once and stays small.",
        explanation="Both parts are multiplied by the momentum. The old value counts "
        "1 - momentum, so that the weights add up to 1.",
        code=momentum_weighs_both,
    ),
    bug(
        name="old_part_weighed_twice",
        symptom="With momentum 1 the running mean is 0.",
        explanation="The new batch is reduced twice, by momentum and by 1 - momentum. Only the "
        "old value is multiplied by 1 - momentum.",
        code=old_part_weighed_twice,
    ),
    bug(
        name="running_overwritten",
        symptom="The new value is right, but whoever kept the old one has the new one now.",
        explanation="It changes its input in place. A layer may do that with its own buffer; a "
        "function that returns the new value leaves the old one alone.",
        code=running_overwritten,
        variants=(batch_overwritten,),
    ),
)
