"""Blocks of work on threads or on any executor, with a progress bar, and stopping early."""

import sys
import threading
import time
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from functools import cache, partial
from itertools import zip_longest

from threadpoolctl import ThreadpoolController

CALLS_A_SECOND = 30  # of what shows the progress


class Watch:
    """What the thread that works on a block and the one that waits for it tell each other.

    Attributes
    ----------
    total, done : int
        Steps of all the block's runs together, and how many of them are done.
    stop : bool
        Set it to end the work early.
    loss : ndarray (steps done, R), or None
        The losses of the block's runs so far; None before the work begins, and where it is done
        elsewhere.
    """

    def __init__(self, total):
        self.total, self.done, self.stop = total, 0, False
        self.losses, self.steps = None, 0  # (all steps, R), and how many of them are done

    @property
    def loss(self):
        return None if self.losses is None else self.losses[: self.steps]


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
        There ``watch`` is a copy: the bar moves when a block is complete, and an interrupt or
        ``watch.stop`` cancels what has not begun.
    progress : bool or callable
        Show a bar; or call this with the list of watches, ``CALLS_A_SECOND`` times and once at the
        end, in the thread that called ``run_blocks``, which may be any. What it raises ends the
        work. Where it sets ``watch.stop``, the block ends as after an interrupt, but without being
        called one.

    Returns
    -------
    tuple of (list, bool)
        The results, and whether the work was interrupted.
    """
    work = [(block, Watch(total)) for block, total in zip(blocks, totals, strict=True)]
    if executor is not None:
        return _run(partial(_call_elsewhere, function), work, executor, progress)
    with one_blas_thread, ThreadPoolExecutor(max(1, min(threads, len(work)))) as pool:
        return _run(function, work, pool, progress)


def _run(function, work, executor, progress):
    jobs, interrupted = [], False
    try:
        for item in work:
            jobs.append(executor.submit(function, *item))
        _wait([watch for _, watch in work], jobs, progress)
    except KeyboardInterrupt:
        interrupted = True
    finally:  # after an error in one block the others need not go on
        stopped = [watch.stop for _, watch in work]
        for _, watch in work:
            watch.stop = True
        for job in jobs:
            job.cancel()
    results = []
    for item, job, expected in zip_longest(work, jobs, stopped):
        try:
            results.append(job.result() if job else function(*item))
        except (CancelledError, BrokenExecutor, KeyboardInterrupt):
            if not (interrupted or expected):
                raise
            results.append(function(*item))
    return results, interrupted


def _wait(watches, jobs, progress):
    with _reporter(progress, watches) as report:
        pending, due = set(jobs), 0.0
        while pending:
            done, pending = wait(pending, timeout=1 / CALLS_A_SECOND, return_when=FIRST_COMPLETED)
            for job in done:
                job.result()  # an error in a block ends the waiting
            for watch, job in zip(watches, jobs, strict=True):
                if job in done and not watch.stop:
                    watch.done = watch.total  # also of a run that diverged, or elsewhere
            if time.monotonic() >= due:
                report(watches)
                due = time.monotonic() + 1 / CALLS_A_SECOND
                pending -= _cancelled(watches, jobs)
        report(watches)


def _cancelled(watches, jobs):
    """Take back what shall be stopped and has not begun: set of jobs."""
    return {job for watch, job in zip(watches, jobs, strict=True) if watch.stop and job.cancel()}


@contextmanager
def _reporter(progress, watches):
    """Give what is to be called with the watches from time to time."""
    if callable(progress):
        yield progress
    elif not progress:
        yield lambda watches: None
    else:
        from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

        with tqdm(total=sum(watch.total for watch in watches), unit="step") as bar:
            yield lambda watches: bar.update(sum(watch.done for watch in watches) - bar.n)


def _call_elsewhere(function, block, watch):
    with one_blas_thread:
        return function(block, watch)


class _OneBlasThread:
    """Lets Python's threads share the cores well, as long as anybody computes inside of it.

    The matrix library gets one thread: these matrices are too small for two, and its locks cost
    more than a quarter of the speed; the results are then also the same on any number of cores.
    And a thread that waits for the interpreter lock asks for it after 0.1 ms, not 5: NumPy gives
    it up and takes it back within microseconds, so that a waiting thread could starve.
    """

    def __init__(self):
        self._lock, self._users = threading.Lock(), 0

    def __enter__(self):
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._interval = sys.getswitchinterval()
                sys.setswitchinterval(1e-4)
                self._limit = _in_a_thread(lambda: _controller().limit(limits=1, user_api="blas"))

    def __exit__(self, *_):
        with self._lock:
            self._users -= 1
            if not self._users:
                _in_a_thread(self._limit.restore_original_limits)
                sys.setswitchinterval(self._interval)


one_blas_thread = _OneBlasThread()  # of the process, like what it sets


def _in_a_thread(function):
    # threadpoolctl ignores all other threads as long as the one that set a limit is alive
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@cache
def _controller():
    return ThreadpoolController()  # finds the libraries, which takes milliseconds
