"""The workers of one submission: started when needed, started again after one was lost."""

from bn_tutorial.grading._process import Worker, WorkerFailure
from bn_tutorial.grading._proxy import clean
from bn_tutorial.grading.box import wire
from bn_tutorial.grading.sandbox import SandboxError

CELL = 3  # how much more time a cell has than a statement or a call
MOST = 50  # failures, and names, that a worker may tell of a cell


class Session:
    """Runs the cells of a submission and calls its functions, within its share of time.

    Parameters
    ----------
    steps : list of Step
        The cells to run, in order.
    limits : Limits
    confined : bool
        Whether the workers are in a sandbox.

    Attributes
    ----------
    failures : dict of str to list of (str, set of str)
        The student's cells in which something failed: how, and what it would have bound.
    """

    def __init__(self, steps, limits, *, confined):
        self.failures = {}
        self._steps = steps
        self._limits, self._confined = limits, confined
        self._worker, self._ran, self._lost = None, 0, set()
        self._spent, self._out_of_time = 0.0, "out of time"

    def prepare(self, count):
        """Have a worker that has run the first ``count`` steps.

        A cell that a worker did not survive is left out of the next one.

        Raises
        ------
        WorkerFailure
            If the submission has no time left.
        SandboxError
            If a worker can't be started.
        """
        while self._worker is None or self._ran < count:
            if self._worker is None:
                self._check_time()
                self._worker, self._ran = self._started(), 0
            if self._ran < count:
                if self._ran not in self._lost:
                    self._run(self._steps[self._ran])
                self._ran += 1

    def _started(self):
        try:
            return Worker(self._limits, confined=self._confined)
        except SandboxError:  # a machine may be out of something for a moment
            return Worker(self._limits, confined=self._confined)

    def _run(self, step):
        request = {"do": "run", "name": step.name, "source": step.source}
        try:
            seconds = min(CELL * self._limits.call, self._limits.submission - self._spent)
            answer = self.ask({**request, "seconds": self._limits.call}, seconds)
            failures = list(_failures(answer))
        except WorkerFailure as failure:
            self._lost.add(self._ran)
            failures = [(str(failure), set())]
        except wire.WireError:
            failures = [("it wrote into the grader's messages", set())]
        if step.students and failures:
            self.failures[step.name] = failures

    def ask(self, request, seconds=None):
        """Ask the worker for something; after a failure there is none any more.

        ``seconds`` of processor time are those of a call, if not given.

        Raises
        ------
        WorkerFailure
        """
        self._check_time()
        if self._worker is None:
            raise WorkerFailure("it ended its Python process")
        seconds = self._limits.call if seconds is None else seconds
        before = self._worker.spent
        try:
            answer = self._worker.ask(request, seconds)
        except WorkerFailure as failure:
            self._worker = None
            # exactly the limit, so that the same submission always has the same time left
            self._spent += 0 if failure.kind == "no answer" else seconds
            self._out_of_time = "no end" if failure.kind == "no end" else self._out_of_time
            raise
        self._spent += self._worker.spent - before
        return answer

    def _check_time(self):
        if self._spent >= self._limits.submission:
            raise WorkerFailure(
                f"the whole notebook took longer than {self._limits.submission:g} seconds of "
                "processor time",
                self._out_of_time,
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


def _failures(answer):
    """Yield what failed in a cell: how, and the names that it would have bound."""
    told = answer.get("failed", [answer.get("error")])
    if not isinstance(told, list):
        raise wire.WireError("expected a list of failures")
    for each in told[:MOST]:
        if not isinstance(each, dict):
            raise wire.WireError("expected a failure")
        names = each.get("names")
        names = {str(name)[:100] for name in names[:MOST]} if isinstance(names, list) else set()
        yield clean(f"{each.get('type')}: {each.get('message')}"), names
