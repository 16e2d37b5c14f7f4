"""Threads to compute in, and one for the matrix library, as long as anybody computes."""

import threading
from concurrent.futures import Executor, Future
from functools import cache
from queue import SimpleQueue


class Threads(Executor):
    """A number of threads that wait for work.

    Python's own pool refuses work while the interpreter ends, and keeps it from ending.
    """

    def __init__(self, count: int):
        self._work = SimpleQueue()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, function, *args):
        self._work.put((job := Future(), function, args))
        return job

    def shutdown(self, wait=True):
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self):
        while work := self._work.get():
            job, function, args = work
            if job.set_running_or_notify_cancel():
                try:
                    job.set_result(function(*args))
                except BaseException as error:
                    job.set_exception(error)


class _OneBlasThread:
    """Gives the matrix libraries one thread, and back what they had when the last user leaves.

    These matrices are too small for two threads, and with one the results are the same on any
    number of cores. What is set belongs to the process, and so does the count of its users: one
    ``with`` may stand inside another, and in several threads at once. An interrupt in between
    leaves nothing set.
    """

    def __init__(self):
        self._lock, self._users, self._limit = threading.Lock(), 0, None

    def __enter__(self):
        counted = False
        try:
            with self._lock:
                self._users += 1
                counted = True
                if self._limit is None:
                    _in_a_thread(self._set)
        except BaseException:
            if counted:
                self.__exit__()
            raise

    def __exit__(self, *_):
        with self._lock:
            self._users -= 1
            if not self._users and self._limit is not None:
                _in_a_thread(self._restore)

    def _set(self):
        self._limit = _controller().limit(limits=1, user_api="blas")

    def _restore(self):
        self._limit.restore_original_limits()
        self._limit = None


one_blas_thread = _OneBlasThread()


def _in_a_thread(function):
    # threadpoolctl ignores all other threads as long as the one that set a limit is alive, and
    # what has begun here is finished even if the main thread is interrupted
    with Threads(1) as pool:
        pool.submit(function).result()


@cache
def _controller():
    import scipy.linalg.cython_blas  # noqa: F401  what compiled code calls must be loaded to be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()  # takes milliseconds
