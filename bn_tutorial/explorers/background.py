"""Work in the background, of which only the latest counts."""

import asyncio
import signal
import threading
from contextlib import suppress


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
        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()

    def ask(self, request):
        """Do this, in place of what is being done."""
        with self._lock:
            self._request = request
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="latest training")
                self._thread.start()
                self._heed(lambda *_: self.stop())

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

    def _heed(self, handler):
        """Let a handler have the interrupts that come between two cells, which a kernel ignores."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(signal.signal, signal.SIGINT, handler)

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
                self._heed(signal.SIG_IGN)
            return self._request

    def _is_outdated(self, request):
        return self._request is not request or not threading.main_thread().is_alive()
