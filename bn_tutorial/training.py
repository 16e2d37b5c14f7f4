"""Training: one network, or many that differ in some fields of their recipe."""

import itertools
import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from dataclasses import fields, replace
from functools import partial

import torch

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import Dataset
from bn_tutorial.network import NUMPY, Network, compile_training, draw_parameters
from bn_tutorial.parallel import run_jobs
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import History, Record, Run
from bn_tutorial.threads import one_blas_thread

# a call of the compiled loop: some milliseconds, so that an interrupt needn't wait
CHUNK_STEPS = 256
CHUNK_WORK = 2**25  # parameters times examples
SIZES = "depth", "hidden", "embedding", "batch_size", "steps"  # what the memory depends on


def train(
    dataset: Dataset,
    recipe: Recipe,
    *,
    progress: bool | Callable = False,
    record: str | Record | None = "statistics",
) -> Run:
    """Train one network by plain SGD.

    An interrupt (Ctrl-C, a notebook's stop button) ends the training early and gives back the
    steps done, with a warning. So does, without one, a loss that is not finite.

    Parameters
    ----------
    dataset : Dataset
        It trains on ``dataset.train``.
    recipe : Recipe
    progress : bool or callable
        Show a bar; or call this, about 60 times a second and once at the end, in the thread that
        called ``train``. It gets a list of Watch, one for each run, here a single one:
        ``watch.done`` of ``watch.total`` steps are done, with the losses ``watch.loss``, ndarray
        (done,). With ``watch.stop = True`` the training ends early and gives back the steps done,
        without a warning.
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
    return _train_all(dataset, recipe, {}, record, progress=progress)[0]


def sweep(
    dataset: Dataset,
    recipe: Recipe,
    *,
    progress: bool | Callable = False,
    record: str | Record | None = None,
    executor: Executor | None = None,
    **values: Iterable,
) -> list[Run]:
    """Train a grid of recipes side by side; the results are those of training each alone.

    They go to ``torch.get_num_threads()`` threads, or where an executor sends them.

    Parameters
    ----------
    dataset : Dataset
    recipe : Recipe
        What the runs have in common.
    progress, record
        As for ``train``, with a watch for each run in the order of the grid; its ``loss`` is None
        where the run has not begun or an executor keeps it elsewhere. Nothing is recorded unless
        it is asked for: it costs its memory for every run.
    executor : concurrent.futures.Executor, optional
        A process pool, a Dask client's ``get_executor()``, ... What goes there must be picklable,
        so a schedule cannot be a lambda. An interrupt waits for the runs at work there. If a
        worker dies, the runs done are given back, with a warning.
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
    _expect_fields(values)
    expect_kind("executor", executor, (Executor, type(None)))
    return _train_all(dataset, recipe, values, record, progress=progress, executor=executor)


def _expect_fields(values):
    known = [field.name for field in fields(Recipe)]
    if not values or not set(values) <= set(known):
        raise ValueError(
            f"sweep: expected fields of Recipe ({', '.join(known)}), each with a list of values, "
            f"got {', '.join(values) or 'none'}"
        )


def _train_all(dataset, recipe, values, record, progress, executor=None):
    expect_kind("dataset", dataset, Dataset)
    expect_kind("recipe", recipe, Recipe)
    if not len(dataset.train):
        raise ValueError("dataset: expected examples to train on, got an empty training split")
    record = _as_record(record)
    grid = itertools.product(*(_as_list(name, several) for name, several in values.items()))
    recipes = [replace(recipe, **dict(zip(values, point, strict=True))) for point in grid]
    for recipe in recipes:
        _expect_to_fit(recipe, record, dataset)
    work = [(recipe, recipe.learning_rates()) for recipe in recipes]  # names a bad schedule
    runs, trouble = run_jobs(
        partial(_train_one, dataset, record),
        work,
        [recipe.steps for recipe in recipes],
        threads=torch.get_num_threads(),
        executor=executor,
        progress=progress,
    )
    if trouble:
        done, total = sum(len(run.loss) for run in runs), sum(recipe.steps for recipe in recipes)
        warnings.warn(f"{trouble}: {done} of {total} steps done and kept", stacklevel=3)
    return runs


def _as_record(record):
    if record is None or record == "statistics":
        return Record(statistics=record is not None)
    if not isinstance(record, Record):
        raise ValueError(f'record: expected "statistics", None or a Record, got {record!r}')
    return record


def _as_list(name, several):
    try:
        listed = [] if isinstance(several, str | bytes) else list(several)
    except TypeError:
        listed = []
    if not listed:
        raise ValueError(f"{name}: expected a list of values to sweep over, got {several!r}")
    return listed


def _expect_to_fit(recipe, record, dataset):
    """Refuse snapshots that the recipe never comes to, and more than the machine can hold."""
    if (last := max(record.snapshots, default=-1)) >= recipe.steps:
        raise ValueError(
            f"record.snapshots: expected steps below the recipe's {recipe.steps}, got {last}"
        )
    symbols, fan_in = len(dataset.vocabulary), dataset.block_size * recipe.embedding
    layers, statistics = recipe.depth * recipe.hidden, record.statistics and recipe.norm == "batch"
    weights = (fan_in + layers - recipe.hidden + symbols) * recipe.hidden
    numbers = 2 * weights + 2 * layers * (recipe.batch_size + recipe.steps * statistics)
    needed = (numbers + recipe.steps) * NUMPY[recipe.dtype].itemsize  # roughly
    if needed > (memory := _memory()):
        sizes = ", ".join(f"{name}={getattr(recipe, name)}" for name in SIZES)
        raise ValueError(
            f"recipe: expected a training that fits into {memory / 1e9:,.1f} GB of memory, "
            f"got one of {needed / 1e9:,.1f} GB: {sizes}"
        )


def _memory():
    """Return how many bytes of memory the machine has, or 1 TB where it doesn't tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):
        return 2**40


def _train_one(dataset, record, work, watch):
    """Train one recipe at given learning rates (steps,): Run."""
    (recipe, rates), split = work, dataset.train
    generator = torch.Generator().manual_seed(recipe.seed)
    sizes = len(dataset.vocabulary), dataset.block_size
    with watch.compiling():
        compile_training(recipe.dtype)
    network = Network(recipe, draw_parameters(recipe, *sizes, generator))
    history = History(recipe, record, split)
    examples = split.contexts.numpy(), split.targets.numpy()
    chunk = max(1, min(CHUNK_STEPS, CHUNK_WORK // (recipe.batch_size * len(network))))
    with one_blas_thread:
        while history.done < recipe.steps and not history.diverged and not watch.stop:
            steps = min(history.before(network), chunk)
            batches = torch.randint(len(split), (steps, recipe.batch_size), generator=generator)
            part = rates[history.done : history.done + steps]
            keep = history.statistics
            history.after(*network.train(*examples, batches.numpy(), part, statistics=keep))
            watch.show(history.loss[: history.done], partial(history.run, network))
    return history.run(network)
