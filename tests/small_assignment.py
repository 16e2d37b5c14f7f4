"""An assignment with one task, so that grading takes seconds, and a run of it."""

import csv

import nbformat

UPDATE = "def update(running, batch, momentum):\n    return running + momentum * (batch - running)"
CHECK = {"check": "running_update", "function": "update", "solution": "update"}


def cell(kind, source, grade_id, ours=None, **flags):
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}[kind]
    new = make(source)
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False}
    new.metadata["nbgrader"] = {"grade_id": grade_id, **plain, **flags}
    if ours:
        new.metadata["bn_tutorial"] = dict(ours)
    return new


def small(source=UPDATE):
    """Return the assignment as a notebook, with this answer."""
    test = "checks.running_update(update).score(2)"
    cells = [
        nbformat.v4.new_markdown_cell("# Small"),
        cell("code", "import torch", "setup", locked=True),
        cell("code", source, "update", solution=True),
        cell("code", test, "test_update", CHECK, grade=True, locked=True, points=2),
        cell("markdown", "Because.", "why", grade=True, solution=True, points=3),
    ]
    return nbformat.v4.new_notebook(cells=cells)


def write(path, notebook):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(nbformat.writes(notebook).encode())
    return path


def rows_of(out):
    """Return grades.csv: dict of student to dict."""
    with open(out / "grades.csv", encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}
