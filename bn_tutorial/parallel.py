"""Blocks of work on threads or on any executor, with a progress bar, and stopping early."""

import sys
import threading
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
        _wait(work, jobs, progress)
    except KeyboardInterrupt:
        interrupted = True
    finally:  # after an error in one block the others need not go on
        for _, watch in work:
            watch.stop = True
        for job in jobs:
            job.cancel()
    results = []
    for item, job in zip_longest(work, jobs):
        try:
            results.append(job.result() if job else function(*item))
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
