"""Blocks of work on threads or on any executor, with a progress bar, and stopping early."""

import sys
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


class Watch:
    """What the thread that works on a block and the one that waits for it tell each other."""

    def __init__(self, total):
        self.total = total  # steps of all the block's runs together
        self.done = 0
        self.stop = False


def run_blocks(function, blocks, totals, *, threads=1, executor=None, progress=False):
    """Call ``function(block, watch)`` for every block and return the results in order.

    An interrupt sets ``watch.stop`` and waits for the blocks at work; those not begun are called
    with ``watch.stop`` set, so that every block gives a result.

    Parameters
    ----------
    function : callable
        Picklable where the executor needs it. It should look at ``watch.stop`` and count in
        ``watch.done``.
    blocks : list
    totals : list of int
        For the bar: the steps of each block.
    threads : int
        Used where there is no executor.
    executor : concurrent.futures.Executor, optional
        There ``watch`` is a copy: the bar moves when a block is complete, and an interrupt
        cancels what has not begun.
    progress : bool

    Returns
    -------
    tuple of (list, bool)
        The results, and whether the work was interrupted.
    """
    watches = [Watch(total) for total in totals]
    work = list(zip(blocks, watches, strict=True))
    if executor is not None:
        jobs = [executor.submit(_call_elsewhere, function, *item) for item in work]
        return _collect(function, work, jobs, progress)
    with _settings_for_threads(), ThreadPoolExecutor(max(1, min(threads, len(work)))) as pool:
        jobs = [pool.submit(function, *item) for item in work]
        return _collect(function, work, jobs, progress)


def _collect(function, work, jobs, progress):
    interrupted = False
    try:
        _wait(work, jobs, progress)
    except KeyboardInterrupt:
        interrupted = True
    finally:  # after an error in one block the others need not go on
        for (_, watch), job in zip(work, jobs, strict=True):
            watch.stop = True
            job.cancel()
    results = []
    for item, job in zip(work, jobs, strict=True):
        try:
            results.append(job.result())
        except (CancelledError, BrokenExecutor, KeyboardInterrupt):
            if not interrupted:
                raise
            results.append(function(*item))
    return results, interrupted


def _wait(work, jobs, progress):
    with _bar(sum(watch.total for _, watch in work), progress) as bar:
        pending = set(jobs)
        while pending:
            done, pending = wait(pending, timeout=0.1, return_when=FIRST_COMPLETED)
            for job in done:
                job.result()  # an error in a block ends the waiting
            if bar is not None:
                counts = [
                    watch.total if job.done() else watch.done
                    for (_, watch), job in zip(work, jobs, strict=True)
                ]
                bar.update(sum(counts) - bar.n)


@contextmanager
def _bar(total, progress):
    if not progress:
        yield None
        return
    from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

    with tqdm(total=total, unit="step") as bar:
        yield bar


def _call_elsewhere(function, block, watch):
    with _settings_for_threads():
        return function(block, watch)


@contextmanager
def _settings_for_threads():
    """Let Python's threads share the cores well.

    The matrix library gets one thread: these matrices are too small for two, and its locks cost
    more than a quarter of the speed; the results are then also the same on any number of cores.
    And a thread that waits for the interpreter lock asks for it after 0.1 ms, not 5: NumPy gives
    it up and takes it back within microseconds, so that a waiting thread could starve.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        with _controller().limit(limits=1, user_api="blas"):
            yield
    finally:
        sys.setswitchinterval(interval)


@cache
def _controller():
    return ThreadpoolController()  # finds the libraries, which takes milliseconds
