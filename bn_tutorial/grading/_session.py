"""The workers of one submission: started when needed, started again after one was lost."""

import time

from bn_tutorial.grading._process import Worker, WorkerFailure
from bn_tutorial.grading.notebook import as_python


class Session:
    """Runs the cells of a submission and calls its functions, within its share of time.

    Parameters
    ----------
    code : list of (str, str or None)
        The assignment's cells to run: name, and source where it is the master's.
    submission : Submission
    limits : Limits
    confined : bool
        Whether the workers are in a sandbox.

    Attributes
    ----------
    errors : dict of str to str
        The student's cells that ended with an exception or did not end, and how.
    """

    def __init__(self, code, submission, limits, *, confined):
        self.errors = {}
        self._code = list(_to_run(code, submission))
        self._limits, self._confined = limits, confined
        self._worker, self._ran, self._lost, self._spent = None, 0, set(), 0.0

    def prepare(self, solution):
        """Have a worker that has run all cells up to and including this one.

        A cell that a worker did not survive is left out of the next one.

        Raises
        ------
        WorkerFailure
            If the submission has no time left.
        SandboxError
            If a worker can't be started.
        """
        last = [name for name, _, _ in self._code].index(solution)
        while self._worker is None or self._ran <= last:
            if self._worker is None:
                self._check_time()
                self._worker, self._ran = Worker(self._limits, confined=self._confined), 0
            name, source, from_master = self._code[self._ran]
            self._ran += 1
            if source is not None and name not in self._lost:
                self._run(name, source, from_master)

    def _run(self, name, source, from_master):
        request = {"do": "run", "name": name, "from_master": from_master}
        try:
            answer = self.ask({**request, "source": as_python(source)})
        except WorkerFailure as failure:
            self._lost.add(name)
            self.errors[name] = str(failure)
            return
        error = answer.get("error")
        if isinstance(error, dict):
            self.errors[name] = f"{error.get('type')}: {error.get('message')}"

    def ask(self, request):
        """Ask the worker for something; after a failure there is none any more.

        Raises
        ------
        WorkerFailure
        """
        self._check_time()
        if self._worker is None:
            raise WorkerFailure("it ended its Python process")
        begun = time.monotonic()
        try:
            answer = self._worker.ask(request, self._limits.call)
        except WorkerFailure as failure:
            self._worker = None
            # exactly the limit, so that the same submission always has the same time left
            used = self._limits.call if failure.timed_out else time.monotonic() - begun
            self._spent += used
            raise
        self._spent += time.monotonic() - begun
        return answer

    def _check_time(self):
        if self._spent >= self._limits.submission:
            raise WorkerFailure(
                f"the whole notebook took longer than {self._limits.submission:g} seconds"
            )

    def close(self):
        """End the worker."""
        if self._worker:
            self._worker.close()
        self._worker = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _to_run(code, submission):
    """Yield the cells in order: name, source or None, and whether it is the master's."""
    for name, source in code:
        if source is not None:
            yield name, source, True
        else:
            if above := submission.above.get(name):
                yield f"above {name}", above, False
            yield name, submission.cells.get(name), False
