"""Independent jobs on threads or on any executor, with a progress bar, and stopping early."""

import atexit
import os
import signal
import sys
import threading
import time
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, wait
from contextlib import contextmanager
from functools import partial

import torch

from bn_tutorial.threads import Threads

CALLS_A_SECOND = 60  # of what shows the progress: an explorer's first picture waits for one
NOTICED = 1.0  # seconds after which a reader is told what she is waiting for


class Watch:
    """What the thread that does a job and the one that waits for it tell each other.

    Attributes
    ----------
    total, done : int
        Steps of the job, and how many of them are done.
    stop : bool
        Set it to end the job early.
    loss : ndarray (steps done,), or None
        The losses so far, to be read only; None before the job begins, and where it is done
        elsewhere.
    asked : bool
        Set it to get, from time to time, ...
    run : Run or None
        ... the run as far as it has come, parameters and all.
    """

    def __init__(self, total):
        self.total, self.done, self.stop, self.asked = total, 0, False, False
        self.loss = self.run = self.compiling_since = None

    def show(self, loss, make_run):
        """Let the other thread see the losses of the steps done, and the run where it asked."""
        self.loss = loss.view()
        self.loss.flags.writeable = False
        self.done = len(loss)
        if self.asked:
            self.run, self.asked = make_run(), False

    @contextmanager
    def compiling(self):
        """Say that the job waits for the compiler, as long as it does."""
        self.compiling_since = time.monotonic()
        try:
            yield
        finally:
            self.compiling_since = None


def run_jobs(function, items, totals, *, threads=1, executor=None, progress=False):
    """Call ``function(item, watch)`` for every item and return the results in order.

    An interrupt sets ``watch.stop`` and waits for the jobs at work; those not begun are called
    with ``watch.stop`` set, so that every item gives a result. So are those that a process pool
    lost because a worker died, as long as it has done any.

    Parameters
    ----------
    function : callable
        Picklable where the executor needs it. It should look at ``watch.stop`` and count in
        ``watch.done``.
    items : list
    totals : list of int
        For the bar: the steps of each job.
    threads : int
        Used where there is no executor.
    executor : concurrent.futures.Executor, optional
        There ``watch`` is a copy: the bar moves when a job is complete, and an interrupt or
        ``watch.stop`` cancels what has not begun.
    progress : bool or callable
        Show a bar; or call this with the list of watches, ``CALLS_A_SECOND`` times and once at the
        end, in the thread that called ``run_jobs``, which may be any. What it raises ends the
        work. Where it sets ``watch.stop``, the job ends as after an interrupt, but without being
        called one.

    Returns
    -------
    tuple of (list, str or None)
        The results, and what ended the work early, if anything did.
    """
    work = [(item, Watch(total)) for item, total in zip(items, totals, strict=True)]
    if executor is not None:
        return _run(partial(_call_elsewhere, function, os.getpid()), work, executor, progress)
    with Threads(min(threads, len(work))) as pool:
        ending = threading.Event()
        end = partial(_end, work, pool, ending)
        atexit.register(end)  # a daemon thread cut off in torch's code would abort the process
        try:
            return _run(function, work, pool, progress)
        finally:
            atexit.unregister(end)
            if ending.is_set():  # so this is one: it may touch no tensor any more
                threading.Event().wait()


def _end(work, pool, ending):
    ending.set()
    _stop(work)
    pool.shutdown()


def _stop(work):
    for _, watch in work:
        watch.stop = True


def _run(function, work, executor, progress):
    jobs, trouble = [], None
    try:
        for item in work:
            jobs.append(executor.submit(function, *item))
        _wait([watch for _, watch in work], jobs, progress)
    except KeyboardInterrupt:
        trouble = "interrupted"
    except BrokenExecutor:
        if not any(_succeeded(job) for job in jobs):
            raise
        trouble = "a worker died"
    finally:  # after an error in one job the others need not go on
        _stop(work)
        for job in jobs:
            job.cancel()
    jobs += [None] * (len(work) - len(jobs))
    return [_result(function, *one) for one in zip(work, jobs, strict=True)], trouble


def _succeeded(job):
    return job.done() and not job.cancelled() and job.exception() is None


def _result(function, item, job):
    """Return what a job gives, or what it gives where it stops at once, if it never will."""
    while job is not None:
        try:
            return job.result()
        except (CancelledError, BrokenExecutor):
            break
        except KeyboardInterrupt:  # a second one: the job has been told to stop, so it will end
            if job.done() and not _succeeded(job):
                break
    return function(*item)


def _wait(watches, jobs, progress):
    with _reporter(progress, watches) as report:
        pending, due = set(jobs), 0.0
        while pending:
            done, pending = wait(pending, timeout=1 / CALLS_A_SECOND, return_when=FIRST_COMPLETED)
            for job in done:
                job.result()  # an error in a job ends the waiting
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
    """Return what is to be called with the watches from time to time."""
    if callable(progress):
        yield progress
    elif not progress or sys.stderr is None:
        yield lambda watches: None
    else:
        from tqdm.auto import tqdm  # imports ipywidgets where there is a notebook

        with tqdm(total=sum(watch.total for watch in watches), unit="step") as bar:
            yield partial(_move, bar)


def _move(bar, watches):
    since = [w.compiling_since for w in watches if w.compiling_since is not None]
    compiling = bool(since) and time.monotonic() - min(since) > NOTICED
    if compiling != bool(bar.desc):
        bar.set_description("compiling, once" if compiling else None)
    bar.update(sum(watch.done for watch in watches) - bar.n)


def _call_elsewhere(function, home, item, watch):
    """Call the function, perhaps in a worker of a process pool."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if os.getpid() == home or not in_main_thread:
        return function(item, watch)
    # after a fork torch's other threads are not there: to wait for them would be for ever, even
    # while the result is being sent back
    torch.set_num_threads(1)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C comes here too
    try:
        return function(item, watch)
    finally:
        signal.signal(signal.SIGINT, before)
