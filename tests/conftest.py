"""What the tests share: the data set, torch with one thread, executors, and an interrupt."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from jobs import PATIENCE, torch_threads, wait_until
from matplotlib.figure import Figure

import bn_tutorial as bn
from bn_tutorial import parallel, training


@pytest.fixture(scope="session")
def dataset():
    return bn.Dataset.from_words(bn.load_words())


@pytest.fixture
def ax():
    """Axes of a figure that nothing else knows of."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def one_thread():
    # torch's threads only wait for each other at these sizes: ten times as long on a busy machine
    with torch_threads(1):
        yield


@pytest.fixture(scope="session")
def process_pool():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as executor:
        yield executor


@pytest.fixture
def thread_pool():
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.fixture
def interrupt_after(monkeypatch):
    """Send this process one real SIGINT when a job has done so many steps.

    The job then waits until the interrupt has arrived, so that the count is exact.
    """
    watches, steps, waiting, wait = [], [], threading.Event(), parallel.wait

    class Interrupting(parallel.Watch):
        def __init__(self, total):
            super().__init__(total)
            watches.append(self)

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "done" and steps and value >= steps[0]:
                steps.clear()
                assert waiting.wait(PATIENCE)
                os.kill(os.getpid(), signal.SIGINT)
                wait_until(lambda: all(watch.stop for watch in watches))

    def waited(*args, **kwargs):
        waiting.set()
        return wait(*args, **kwargs)

    monkeypatch.setattr(training, "CHUNK_STEPS", 5)
    monkeypatch.setattr(parallel, "Watch", Interrupting)
    monkeypatch.setattr(parallel, "wait", waited)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield steps.append
    signal.signal(signal.SIGINT, before)
