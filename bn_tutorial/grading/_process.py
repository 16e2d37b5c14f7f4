"""A worker process: started, asked one thing at a time, and stopped."""

import contextlib
import math
import os
import secrets
import selectors
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

import psutil

from bn_tutorial.grading import sandbox
from bn_tutorial.grading.box import wire
from bn_tutorial.grading.sandbox import SandboxError

LAST_BREATH = 5  # seconds for what is killed to be gone
LOOK = 0.25  # seconds after which a worker's processor time is looked at


class WorkerFailure(Exception):  # noqa: N818 - a fact about a student's code, no error of ours
    """Why a worker can't go on: it was too slow, it died, or its answer is none.

    ``kind`` is that of the ``Result``: ``"no answer"``, ``"out of time"``, or ``"no end"``, where
    the clock ended it and not its processor time, so that on another day it may be another.
    """

    def __init__(self, reason, kind="no answer"):
        super().__init__(reason)
        self.kind = kind


class _OutOfTimeError(Exception):
    pass


class Worker:
    """A process that runs a student's code.

    Where it is not confined it is an ordinary process of the user, with limits where the system has
    ``prlimit``.

    Raises
    ------
    SandboxError
        If it doesn't start.
    """

    def __init__(self, limits, *, confined=True):
        if confined:
            sandbox.check()
        self._folder = None if confined else tempfile.TemporaryDirectory(prefix="bn-grading-")
        self._patience, self._python = limits.patience, None
        with tempfile.TemporaryFile() as errors:
            self._process = self._start(limits, errors)
            try:
                self.ask({"do": "run", "name": "start", "source": "", "seconds": 1}, limits.start)
            except WorkerFailure as failure:
                errors.seek(0)
                said = errors.read(1_000).decode(errors="replace").strip()
                raise SandboxError(f"no worker can be started: {failure}. {said}") from None
        started = psutil.Process(self._process.pid)  # bubblewrap, and in it Python
        self._python = [started, *started.children(recursive=True)][-1]

    @property
    def spent(self):
        """The processor time that it has used, in seconds, since it was started."""
        try:
            times = self._python.cpu_times()
        except (AttributeError, psutil.Error):  # not there yet, or no more
            return 0.0
        return times.user + times.system

    def _start(self, limits, errors):
        if self._folder:
            fd, home = None, self._folder.name
            command, variables = sandbox.unconfined(limits), sandbox.unconfined_variables(home)
        else:
            fd, home = sandbox.filter_fd(), "/"
            command, variables = sandbox.confined(limits, fd), {"PATH": os.environ.get("PATH", "")}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        fds = [] if fd is None else [fd]
        try:
            process = subprocess.Popen(
                command, **pipes, env=variables, cwd=home, pass_fds=fds, start_new_session=True
            )
        except OSError as error:
            raise SandboxError(f"no worker can be started: {error}") from None
        finally:
            for fd in fds:
                os.close(fd)
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        return process

    def ask(self, request, seconds):
        """Send a request, a dict, and return the answer, another one.

        ``seconds`` are of processor time.

        Raises
        ------
        WorkerFailure
            If there is no answer in time, or none to this request, or if the process has ended.
            The worker is closed then.
        """
        request = {**request, "id": secrets.token_hex(8)}
        kind, clock = "no answer", self._patience * seconds
        try:
            deadline = _Deadline(self, self.spent + seconds, time.monotonic() + clock)
            return self._exchange(request, deadline)
        except _OutOfTimeError:
            reason = f"it took longer than {seconds:g} seconds of processor time"
            kind = "out of time"
        except TimeoutError:
            reason = f"it took longer than {clock:g} seconds by the clock"
            kind = "no end"
        except wire.WireError:
            reason = "it wrote into the grader's messages"
        except (BrokenPipeError, EOFError):
            reason = "it ended its Python process (by an exit, a crash, or a limit of the sandbox)"
        self.close()
        raise WorkerFailure(reason, kind)

    def _exchange(self, request, deadline):
        self._send(wire.pack(request), deadline)
        [size] = wire.HEADER.unpack(self._receive(wire.HEADER.size, deadline))
        if size > wire.LARGEST:
            raise wire.WireError(f"expected at most {wire.LARGEST} bytes, got {size}")
        answer = wire.unpack(self._receive(size, deadline))
        if answer.get("id") != request["id"]:
            raise wire.WireError("expected the answer to this request")
        return answer

    def _send(self, data, deadline):
        while data:
            deadline.wait(self._process.stdin, selectors.EVENT_WRITE)
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._process.stdin.fileno(), data) :]

    def _receive(self, size, deadline):
        received = bytearray()
        while len(received) < size:
            deadline.wait(self._process.stdout, selectors.EVENT_READ)
            with contextlib.suppress(BlockingIOError):
                part = os.read(self._process.stdout.fileno(), min(size - len(received), 1 << 20))
                if not part:
                    raise EOFError
                received += part
        return bytes(received)

    def close(self):
        """End the process and, in a sandbox, everything that it started."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # the session it was started in
        self._process.wait()
        if self._folder:
            self._folder.cleanup()
        else:  # bubblewrap's children die with it, and with the last of them the pipe
            with contextlib.suppress(TimeoutError, EOFError):
                while True:
                    deadline = _Deadline(self, math.inf, time.monotonic() + LAST_BREATH)
                    self._receive(1 << 16, deadline)
        self._process.stdin.close()
        self._process.stdout.close()


@dataclass(frozen=True)
class _Deadline:
    """When a worker must have answered: by its processor time, and by the clock."""

    worker: Worker
    spent: float
    clock: float

    def wait(self, pipe, event):
        """Wait for a pipe, or raise what says which of the two ended it."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, event)
            while (left := self.clock - time.monotonic()) > 0:
                if selector.select(min(LOOK, left)):
                    return
                if self.worker.spent > self.spent:
                    raise _OutOfTimeError
        raise TimeoutError
