"""Who tests the tests? A learner's test, run against layers of which we know what they have."""

import ctypes
import time
from dataclasses import dataclass, field
from threading import Thread

import torch

from bn_tutorial.checks.bugs import Bug, bugs_of
from bn_tutorial.checks.bugs.layer_memory import STALE_BIAS
from bn_tutorial.checks.clinic_layers import HEALTHY
from bn_tutorial.checks.guard import describe, isolated

LIMIT, TOTAL = 2.0, 30.0  # seconds for one layer, and for all of them
SHOWN = 6  # symptoms in the text of a report, from all over the list


class TestTookTooLongError(BaseException):
    """Ends a test that does not end by itself; no Exception, so that few handlers catch it."""

    __test__ = False  # pytest need not collect it


@dataclass(frozen=True, repr=False)
class Report:
    """What a test is worth.

    Attributes
    ----------
    bugs : int
        How many wrong layers there were.
    slipped : list of Bug
        Those that the test let pass.
    rejected : dict of str to str
        The healthy layers that it did not let pass, and how it rejected them.
    healthy : int
    attempted : bool
        False where the test says nothing at all about any layer.
    """

    bugs: int
    slipped: list[Bug] = field(default_factory=list)
    rejected: dict[str, str] = field(default_factory=dict)
    healthy: int = len(HEALTHY)
    attempted: bool = True

    @property
    def caught(self):
        """How many bugs the test caught."""
        return self.bugs - len(self.slipped)

    @property
    def score(self):
        """The share of bugs caught; 0 for a test that rejects a healthy layer."""
        return 0.0 if self.rejected else self.caught / self.bugs

    def __repr__(self):
        if not self.attempted:
            return "not attempted yet (it returns None for every layer, sick or healthy)"
        lines = [
            f"caught {self.caught} of {self.bugs} bugs, "
            f"rejected {len(self.rejected)} of {self.healthy} healthy layers: "
            f"score {100 * self.score:.0f}%"
        ]
        if self.rejected:
            lines.append("It is wrong about these healthy layers:")
            lines += [f"* {name}: {how}" for name, how in self.rejected.items()]
        elif self.slipped:
            lines.append("Among what slipped through:")
            n = len(self.slipped)
            some = [self.slipped[at] for at in sorted({i * n // SHOWN for i in range(SHOWN)})]
            lines += [f"* {bug.symptom} ({bug.chapter})" for bug in some]
            if n > SHOWN:
                lines.append(f"and {n - SHOWN} more: see .slipped")
        return "\n".join(lines)


@isolated
def judge(test, *, limit=LIMIT, total=TOTAL):
    """Run a test against all wrong layers and against healthy ones, and return the ``Report``.

    Parameters
    ----------
    test : callable
        ``test(layer_class)``. It rejects a layer if it returns False or raises, and accepts it if
        it returns True or None. The class is made by ``layer_class(num_features, eps=1e-5,
        momentum=0.1)`` and has PyTorch's ``weight``, ``bias``, ``running_mean`` and
        ``running_var`` if it is healthy. torch's generator has the same seed for each.
    limit, total : float
        Seconds that the test may take for one layer and for all. Where it takes longer it has
        accepted nothing and rejected nothing: a bug slipped through, a healthy layer was rejected.
    """
    deadline = time.monotonic() + total
    sick = [*bugs_of("batch_norm_layer"), STALE_BIAS]

    def run(code):
        return _run(test, code, min(limit, deadline - time.monotonic()))

    healthy = {name: run(cls) for name, cls in HEALTHY.items()}
    found = [[run(code) for code in (bug.code, *bug.variants)] for bug in sick]
    silent = {*healthy.values()}.union(*found) == {"silent"}
    slipped = [bug for bug, ways in zip(sick, found, strict=True) if not all(map(_caught, ways))]
    rejected = {name: how for name, how in healthy.items() if how not in ("accepts", "silent")}
    return Report(len(sick), slipped, rejected, attempted=not silent)


def _caught(what):
    return what not in ("accepts", "silent") and not what.startswith("it took")


def _run(test, code, seconds):
    """Return what a test does with a layer: "accepts", "silent" (None), or how it rejects it."""
    said = []

    def work():
        try:
            answer = test(type("Layer", (code,), {"__module__": __name__}))
            silent = answer is None or answer is ...
            said.append("silent" if silent else "accepts" if answer else "it returns False")
        except TestTookTooLongError:
            pass
        except BaseException as error:
            said.append(describe(error))

    torch.manual_seed(12)
    thread = Thread(target=work, daemon=True)  # so that the user's Ctrl-C stays the user's
    if seconds > 0:
        thread.start()
        thread.join(seconds)
        if thread.is_alive():
            _end(thread)
    return said[0] if said else "it took too long"


def _end(thread):
    """Raise an exception in a thread; one that swallows it is left behind."""
    kind = ctypes.py_object(TestTookTooLongError)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), kind)
    thread.join(0.5)
