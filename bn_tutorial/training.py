"""Training: the loop, for one run or for many side by side."""

import itertools
import warnings
from collections.abc import Iterable
from dataclasses import fields, replace
from functools import partial

import numpy as np
import torch

from bn_tutorial.history import History, Record
from bn_tutorial.model import Model, draw_parameters
from bn_tutorial.parallel import run_blocks
from bn_tutorial.recipe import Recipe

CHUNK = 64  # steps whose batches are drawn at once; a run that diverged is dropped after them
MAX_BLOCK = 16  # runs that share their operations: more would fall out of the cache
EXECUTOR_BLOCK = 8  # the same for an executor, of which we don't know how many workers it has

# the fields in which runs that share their operations may differ
FREE_FIELDS = {"learning_rate": 0.0, "hidden_gain": 1.0, "output_gain": 1.0, "seed": 0}


def train(dataset, recipe, *, progress=False, record="statistics"):
    """Train one network by plain SGD.

    An interrupt (Ctrl-C, a notebook's stop button) ends the training early and gives back the
    steps done, with a warning. So does, without one, a loss that is not finite.

    Parameters
    ----------
    dataset : Dataset
        It trains on ``dataset.train``.
    recipe : Recipe
    progress : bool or callable
        Show a bar; or call this, about 30 times a second and once at the end, in the thread that
        called ``train``. It gets a list of Watch, one for each block of runs that train together,
        here a single one: ``watch.done`` of ``watch.total`` steps are done, with the losses
        ``watch.loss``, ndarray (done, 1). With ``watch.stop = True`` the training ends early and
        gives back the steps done, without a warning.
    record : {"statistics", None} or Record
        What to keep beside the losses. ``"statistics"`` stands for ``Record(statistics=True)``:
        the mean and standard deviation of every batch, which ``running_statistics`` needs;
        40 MB for the seed recipe. Record says what else there is and what it costs.

    Returns
    -------
    Run

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> run = bn.train(dataset, bn.Recipe(steps=100))
    >>> run.loss.shape, run.parameters["hidden.0.weight"].shape, run.batch_mean[0].shape
    (torch.Size([100]), torch.Size([6, 100]), torch.Size([100, 100]))
    """
    return _train_all(dataset, [recipe], record, progress=progress)[0]


def sweep(dataset, recipe, *, progress=False, record=None, executor=None, **values):
    """Train a grid of recipes side by side.

    Runs that differ only in learning rate, gains or seed share their operations, in blocks that
    go to ``torch.get_num_threads()`` threads, or where an executor sends them. The results are
    those of training each run alone.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
        What the runs have in common.
    progress, record
        As for ``train``. The blocks' watches count the steps of all their runs; ``watch.loss`` is
        an ndarray (steps done, R) with a column for each of the block's runs, in the order of the
        grid, which means nothing after its first value that is not finite; or None where the block
        has not begun or an executor keeps it elsewhere. What is recorded costs its memory for every
        run.
    executor : concurrent.futures.Executor, optional
        A process pool, a Dask client's ``get_executor()``, ... What goes there must be picklable,
        so a schedule cannot be a lambda. An interrupt waits for the blocks at work there.
    **values
        Fields of the recipe, each with a list of its values. Several fields span a grid.

    Returns
    -------
    list of Run
        In the order of ``itertools.product(*values)``: the last field varies fastest.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> dataset = bn.Dataset.from_words(bn.load_words())
    >>> runs = bn.sweep(dataset, bn.Recipe(steps=100), learning_rate=[0.01, 0.1, 1.0])
    >>> [run.recipe.learning_rate for run in runs]
    [0.01, 0.1, 1.0]
    """
    known = [field.name for field in fields(Recipe)]
    if not values or not set(values) <= set(known):
        raise ValueError(
            f"sweep: expected fields of Recipe ({', '.join(known)}), each with a list of values, "
            f"got {', '.join(values) or 'none'}"
        )
    for name, several in values.items():
        if isinstance(several, str) or not isinstance(several, Iterable):
            raise ValueError(f"{name}: expected a list of values to sweep over, got {several!r}")
    recipes = [
        replace(recipe, **dict(zip(values, point, strict=True)))
        for point in itertools.product(*values.values())
    ]
    return _train_all(dataset, recipes, record, progress=progress, executor=executor)


def _train_all(dataset, recipes, record, progress=False, executor=None):
    if not len(dataset.train):
        raise ValueError("dataset: expected examples to train on, got an empty training split")
    record = _as_record(record)
    for recipe in {id(r.learning_rate): r for r in recipes}.values():
        recipe.learning_rates()  # a bad schedule is named before anything is trained
    threads = torch.get_num_threads()
    blocks = _blocks(recipes, threads, MAX_BLOCK if executor is None else EXECUTOR_BLOCK)
    results, interrupted = run_blocks(
        partial(_train_block, dataset, record),
        [[recipes[i] for i in block] for block in blocks],
        [sum(recipes[i].steps for i in block) for block in blocks],
        threads=threads,
        executor=executor,
        progress=progress,
    )
    numbered = zip(itertools.chain(*blocks), itertools.chain(*results), strict=True)
    runs = [run for _, run in sorted(numbered, key=lambda pair: pair[0])]
    if interrupted:
        done, total = sum(len(r.loss) for r in runs), sum(r.recipe.steps for r in runs)
        warnings.warn(f"interrupted: {done} of {total} steps done and kept", stacklevel=3)
    return runs


def _as_record(record):
    if record is None or record == "statistics":
        return Record(statistics=record is not None)
    if not isinstance(record, Record):
        raise ValueError(f'record: expected "statistics", None or a Record, got {record!r}')
    return record


def _blocks(recipes, threads, largest):
    """Group the recipes by structure and cut the groups into even blocks: lists of numbers."""
    groups = {}
    for number, recipe in enumerate(recipes):
        groups.setdefault(replace(recipe, **FREE_FIELDS), []).append(number)
    blocks = []
    for group in groups.values():
        parts = min(len(group), max(threads, -(-len(group) // largest)))
        blocks += [list(part) for part in np.array_split(group, parts)]
    return blocks


def _train_block(dataset, record, recipes, watch):
    """Train recipes of one structure side by side: list of Run, in their order."""
    split, recipe = dataset.train, recipes[0]
    generators = [torch.Generator().manual_seed(r.seed) for r in recipes]
    sizes = len(dataset.vocabulary), dataset.block_size
    model = Model(
        recipe,
        [draw_parameters(r, *sizes, g) for r, g in zip(recipes, generators, strict=True)],
    )
    rates = np.stack([r.learning_rates() for r in recipes], axis=1)[..., None]  # (steps, R, 1)
    probe = torch.linspace(0, len(split) - 1, min(record.probe, len(split))).long()
    history = History(
        recipes, record, (split.contexts[probe].numpy(), split.targets[probe].numpy())
    )
    watch.losses = history.loss
    runs, done = {}, 0
    with np.errstate(all="ignore"):  # a run that diverges is marked, not warned of
        rates = rates.astype(model.data.dtype)
        while done < recipe.steps and history.numbers and not watch.stop:
            steps = range(done, min(done + CHUNK, recipe.steps))
            batches = _draw_batches(model, split, generators, (len(steps), recipe.batch_size))
            done = _train_steps(model, history, steps, batches, rates, watch)
            alive = np.isfinite(history.loss[steps.start : done, history.numbers]).all(axis=0)
            if not alive.all():
                runs |= _cut(history, np.flatnonzero(~alive), done, model)
                keep = np.flatnonzero(alive).tolist()
                generators = [generators[r] for r in keep]
                rates = rates[:, keep]
                history.select(keep)
                if keep:
                    model = Model(recipe, [model.tensors(r) for r in keep])
    runs |= _cut(history, range(len(history.numbers)), done, model)
    return [runs[number] for number in sorted(runs)]


def _cut(history, places, steps, model):
    """Give some of the runs that go on, by their numbers."""
    return {history.numbers[r]: history.run(r, steps, model) for r in places}


def _draw_batches(model, split, generators, shape):
    """Draw the batches of some steps: places of contexts and of targets, (steps, R, B, ...)."""
    indices = torch.stack(
        [torch.randint(len(split), shape, generator=g) for g in generators], dim=1
    )
    return model.places(split.contexts[indices].numpy(), split.targets[indices].numpy())


def _train_steps(model, history, steps, batches, rates, watch):
    """Train some steps; return how many are done in all."""
    for step, contexts, targets in zip(steps, *batches, strict=True):
        if watch.stop:
            return step
        history.before(step, model)
        loss = model.loss.forward(model.forward(contexts), targets)
        model.backward()
        history.after(step, loss, model.norms)
        model.update(rates[step])
        watch.done += len(loss)
        watch.steps = step + 1
    return steps.stop
