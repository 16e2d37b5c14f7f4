"""A worker process: started, asked one thing at a time, and stopped."""

import contextlib
import os
import secrets
import selectors
import signal
import subprocess
import tempfile
import time

from bn_tutorial.grading import sandbox
from bn_tutorial.grading.box import wire
from bn_tutorial.grading.sandbox import SandboxError

LAST_BREATH = 5  # seconds for what is killed to be gone


class WorkerFailure(Exception):  # noqa: N818 - a fact about a student's code, no error of ours
    """Why a worker can't go on: it was too slow, it died, or its answer is none."""

    def __init__(self, reason, *, timed_out=False):
        super().__init__(reason)
        self.timed_out = timed_out


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
        hello = {"do": "run", "name": "start", "source": "", "from_master": True}
        with tempfile.TemporaryFile() as errors:
            self._process = self._start(limits, errors)
            try:
                self.ask(hello, limits.start)
            except WorkerFailure as failure:
                errors.seek(0)
                said = errors.read(1_000).decode(errors="replace").strip()
                raise SandboxError(f"no worker can be started: {failure}. {said}") from None

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

        Raises
        ------
        WorkerFailure
            If there is no answer in time, or none to this request, or if the process has ended.
            The worker is closed then.
        """
        request = {**request, "id": secrets.token_hex(8)}
        try:
            return self._exchange(request, time.monotonic() + seconds)
        except TimeoutError:
            reason, timed_out = f"it took longer than {seconds:g} seconds", True
        except wire.WireError:
            reason, timed_out = "it wrote into the grader's messages", False
        except (BrokenPipeError, EOFError):
            reason = "it ended its Python process (by an exit, a crash, or a limit of the sandbox)"
            timed_out = False
        self.close()
        raise WorkerFailure(reason, timed_out=timed_out)

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
            _wait(self._process.stdin, selectors.EVENT_WRITE, deadline)
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._process.stdin.fileno(), data) :]

    def _receive(self, size, deadline):
        received = bytearray()
        while len(received) < size:
            _wait(self._process.stdout, selectors.EVENT_READ, deadline)
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
                    self._receive(1 << 16, time.monotonic() + LAST_BREATH)
        self._process.stdin.close()
        self._process.stdout.close()


def _wait(pipe, event, deadline):
    left = deadline - time.monotonic()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if left <= 0 or not selector.select(left):
            raise TimeoutError
