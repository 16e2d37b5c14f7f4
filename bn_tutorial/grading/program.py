"""A submission as something to run: its cells in the notebook's order, as Run All takes them."""

from dataclasses import dataclass

from bn_tutorial.grading.tasks import CheckedTask


@dataclass(frozen=True)
class Step:
    """A cell to run; its name, for messages, and whether the student wrote it."""

    name: str
    source: str
    students: bool


def program(assignment, submission):
    """Return the steps and the tasks of a submission, a list, each task where it is tested.

    Of a task that is tested twice the last test counts, as in the notebook; one whose test is not
    there is tested at the end. The master's own cells run as the master has them, where the student
    has them, and first where not; what the student changed in them runs too.
    """
    masters = {name: source for name, source in assignment.code if source is not None}
    there = {cell.grade_id for cell in submission.cells}
    tasks = {task.name: task for task in assignment.tasks}
    last = {cell.grade_id: i for i, cell in enumerate(submission.cells) if cell.grade_id in tasks}
    steps = [Step(name, masters[name], False) for name in masters if name not in there]
    own = 0
    for i, cell in enumerate(submission.cells):
        if cell.grade_id in tasks:
            steps += [tasks[cell.grade_id]] if last[cell.grade_id] == i else []
        elif cell.kind == "code":
            name = cell.grade_id
            if name in masters:
                steps.append(Step(name, masters[name], False))
            elif name is None:
                own += 1
                name = f"{own} of your own"
            if cell.source != masters.get(name):
                steps.append(Step(name, cell.source, True))
    return steps + [task for task in assignment.tasks if task.name not in last]


def is_task(step):
    """Return whether it is a task, and no cell to run."""
    return isinstance(step, CheckedTask)
