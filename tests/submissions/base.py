"""What a case is, and how A1 with other answers is made from the authored notebook."""

import json
from dataclasses import dataclass
from pathlib import Path

from bn_tutorial._files import ASSIGNMENTS

A1 = ASSIGNMENTS / "A1" / "A1.ipynb"
ALL, WITHOUT_FORWARD = 14, 9  # points of the tests of A1, and without those of the forward pass
FORWARD = "test_batch_norm_forward"
NO_TASK = None  # a reason that is the whole submission's

RIGHT = """
def batch_norm_forward(x, weight, bias, eps):
    mean = x.mean(0)
    var = ((x - mean) ** 2).mean(0)
    return weight * (x - mean) / torch.sqrt(var + eps) + bias
"""
WRONG = """
def batch_norm_forward(x, weight, bias, eps):
    return x * 0
"""


@dataclass(frozen=True)
class Case:
    """A submission, what it must get, and words of the reason.

    Attributes
    ----------
    files : dict of str to bytes
        What lies in the student's folder; a ``Path`` is what a link points to.
    points : float
        In total.
    reason : tuple of str
        Each must stand in the reason; of the task ``task``, or of the submission if that is None.
    kind : str or None
        ``Result.kind`` of that task.
    """

    files: dict[str, bytes | Path]
    points: float
    reason: tuple[str, ...] = ()
    kind: str | None = None
    task: str | None = FORWARD
    bug: str | None = None


def master():
    """Return the authored notebook."""
    return json.loads(A1.read_text(encoding="utf-8"))


def written(notebook):
    return json.dumps(notebook).encode()


def find(notebook, grade_id):
    [cell] = [c for c in notebook["cells"] if named(c) == grade_id]
    return cell


def named(cell):
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def answers(**sources):
    """Return A1 with its own solutions and these cells instead of some of them."""
    notebook = master()
    for grade_id, source in sources.items():
        find(notebook, grade_id)["source"] = source
    return notebook


def own_cell(source):
    return {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": None,
        "id": "own",
    }


def with_own_cell(source, solution):
    notebook = answers(batch_norm_forward=solution)
    index = notebook["cells"].index(find(notebook, "batch_norm_forward"))
    notebook["cells"].insert(index, own_cell(source))
    return {"A1.ipynb": written(notebook)}


def forward(source, **others):
    return {"A1.ipynb": written(answers(batch_norm_forward=source, **others))}


def wrong(source, *reason, kind="wrong", bug=None):
    """Return a case whose forward pass gets nothing, and everything else all."""
    return Case(forward(source), WITHOUT_FORWARD, reason, kind, bug=bug)


def inside(statements, then="return x"):
    """Return a forward pass that does something when it is called."""
    body = "\n".join(f"    {line}" for line in [*statements.splitlines(), then])
    return f"def batch_norm_forward(x, weight, bias, eps):\n{body}\n"
