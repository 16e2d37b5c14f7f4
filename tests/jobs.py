"""Helpers of the tests of jobs: waiting, numbers of threads, functions and executors that stop."""

import time
from concurrent.futures import Executor, Future
from contextlib import contextmanager

import torch

PATIENCE = 20  # seconds until a test gives up waiting for what should happen at once


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


@contextmanager
def torch_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def stop_after(steps, jobs=slice(None)):
    """Return a function that ends some jobs when they have done so many steps together."""

    def look(watches):
        if sum(watch.done for watch in watches[jobs]) >= steps:
            for watch in watches[jobs]:
                watch.stop = True

    return look


class OneJob(Executor):
    """Does the first job; the others wait for ever, or end with an error."""

    def __init__(self, error=None, error_in_submit=None):
        self.error, self.error_in_submit, self.jobs = error, error_in_submit, []

    def submit(self, function, *args):
        if self.jobs and self.error_in_submit:
            raise self.error_in_submit
        job = Future()
        if not self.jobs:
            job.set_result(function(*args))
        elif self.error:
            job.set_exception(self.error)
        self.jobs.append(job)
        return job
