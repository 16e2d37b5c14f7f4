"""Work in the background, of which only the latest counts, and trainings that show themselves."""

import asyncio
import signal
import threading
import time
from contextlib import suppress

_working = []  # in an event loop, where the stop button ends them; touched in the loop alone
_before = signal.SIG_IGN  # what became of an interrupt before them


class Latest:
    """A thread that does what was asked for last, and begins anew when something else is.

    Where it was made in an event loop, as in a notebook, the kernel's stop button ends the work.

    Parameters
    ----------
    work : callable
        Called with a request and a function without arguments that says whether it is outdated.
        The work should look at that often, and end soon where it is; it may show something first,
        so that moves that come quicker than pictures don't keep all of them away.

    Examples
    --------
    >>> done = []
    >>> latest = Latest(lambda request, outdated: done.append(request))
    >>> latest.ask("this")
    >>> latest.wait()
    >>> done
    ['this']
    """

    def __init__(self, work):
        self._work, self._lock = work, threading.Lock()
        self._request = self._thread = self._loop = None
        if threading.current_thread() is threading.main_thread():  # others get no signals
            with suppress(RuntimeError):
                self._loop = asyncio.get_running_loop()

    def ask(self, request):
        """Do this, in place of what is being done."""
        with self._lock:
            self._request = request
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="latest work")
                self._thread.start()
                self._in_loop(_heed)

    def stop(self):
        """End what is being done."""
        with self._lock:
            self._request = None

    @property
    def busy(self):
        """Whether there is something to be done."""
        return self._thread is not None

    @property
    def stopped(self):
        """Whether nothing is asked for, so what is being done ends early."""
        return self._request is None

    def _in_loop(self, function):
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, self)

    def wait(self):
        """Wait until all is done."""
        while thread := self._thread:
            thread.join()

    def _run(self):
        request = None
        while (request := self._next(request)) is not None:
            try:
                self._work(request, lambda request=request: self._is_outdated(request))
            except BaseException:
                self._thread = None  # the next request gets another
                raise

    def _next(self, done):
        """Return what is to be done now; None, and end, where there is nothing."""
        with self._lock:
            if self._request is done or not threading.main_thread().is_alive():
                self._request = None
            if self._request is None:
                self._thread = None
                self._in_loop(_leave)
            return self._request

    def _is_outdated(self, request):
        return self._request is not request or not threading.main_thread().is_alive()


def _heed(latest):
    """Let an interrupt that comes between two cells, which a kernel ignores, end the work."""
    global _before
    if not _working:
        _before = signal.signal(signal.SIGINT, _stop_all)
    _working.append(latest)


def _leave(latest):
    if latest in _working:
        _working.remove(latest)
    if not _working and signal.getsignal(signal.SIGINT) is _stop_all:
        signal.signal(signal.SIGINT, _before)


def _stop_all(_signal, _frame):
    for latest in _working:
        latest.stop()


class Growing:
    """What a training calls with its watches: shows from time to time how far it has come.

    Parameters
    ----------
    outdated : callable
        Whether to end the training: once it has been shown.
    show : callable
        Called with the watches; returns whether there was anything to show.
    pause : float
        Seconds before the first picture, and between two.
    shown : bool
        Whether its beginning has been shown already.
    """

    def __init__(self, outdated, show, pause, *, shown=False):
        self._outdated, self._show, self._pause = outdated, show, pause
        self._shown, self._due = shown, time.monotonic() + pause

    def __call__(self, watches):
        if self._outdated() and self._shown:
            for watch in watches:
                watch.stop = True
        elif time.monotonic() > self._due and self._show(watches):
            self._shown, self._due = True, time.monotonic() + self._pause
