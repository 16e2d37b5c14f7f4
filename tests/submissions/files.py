"""Files that are no notebook, or not as they should be."""

import copy
from pathlib import Path

from submissions.base import (
    ALL,
    NO_TASK,
    RIGHT,
    WITHOUT_FORWARD,
    WRONG,
    Case,
    answers,
    find,
    forward,
    inside,
    own_cell,
    written,
)


def nothing(content, *reason, file="A1.ipynb"):
    """Return a case in which there is nothing to grade."""
    return Case({file: content}, 0, reason, task=NO_TASK)


def no_notebooks(others_file):
    right = forward(RIGHT)["A1.ipynb"]
    latin = right.replace(b"mean", "m\u00e9an".encode("latin-1"), 1)
    return {
        "broken_json": nothing(right[:-100], "broken JSON"),
        "empty": nothing(b"", "empty"),
        "not_utf8": nothing(latin, "UTF-8"),
        "too_large": nothing(right + b" " * (50 << 20), "larger than 10 MB", "50 MB"),
        "nested": nothing(b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        "a_list": nothing(b"[1, 2]", "no list of cells"),
        "another": nothing(written({"cells": [own_cell("x = 1")]}), "none of its cells"),
        "a_link": nothing(Path("/etc/passwd"), "link"),
        "anothers_file": nothing(others_file, "link"),
        "a_linked_folder": nothing(others_file.parent, "link", file=""),
        "no_notebook": nothing(b"%PDF", "no notebook", file="A1.pdf"),
    }


def broken_files(others_file):
    right, good = forward(RIGHT)["A1.ipynb"], answers()
    twice, twice_wrong, deleted = answers(), answers(), answers()
    cells = twice["cells"]
    first = copy.deepcopy(find(twice, "batch_norm_forward"))
    first["source"] = WRONG
    cells.insert(cells.index(find(twice, "batch_norm_forward")), first)
    twice_wrong["cells"].append(first)
    too_late = answers(batch_norm_forward="def batch_norm_forward(*_): pass")
    too_late["cells"].append({**first, "source": RIGHT})
    deleted["cells"].remove(find(deleted, "batch_norm_forward"))
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    scripts = answers(baselines_in_words=script)
    find(scripts, "batch_norm_forward")["source"] = inside(f"raise ValueError({script!r})")
    for cell in good["cells"]:
        if isinstance(cell["source"], str):
            cell["source"] = cell["source"].splitlines(True)
    odd_cells = [3, None, {"source": {}}, {"metadata": {"nbgrader": {"grade_id": [1]}}}]
    odd = {**good, "metadata": 3, "cells": [*good["cells"], *odd_cells]}
    attempts = {
        "old/A1.ipynb": forward(WRONG)["A1.ipynb"],
        "old/A1-10.ipynb": right,
        "old/A1-9.ipynb": b"",
        "x.ipynb": written({"cells": []}),
    }

    def without_forward(notebook, kind, *reason):
        return Case({"A1.ipynb": written(notebook)}, WITHOUT_FORWARD, reason, kind)

    return {
        **no_notebooks(others_file),
        "odd_metadata": Case({"A1.ipynb": written(odd)}, ALL),
        "renamed": Case({"Final (2) ä.ipynb.txt": right}, ALL),
        "duplicated": Case({"A1.ipynb": written(twice)}, ALL),
        "duplicated_wrong": Case({"A1.ipynb": written(twice_wrong)}, ALL),
        "duplicated_too_late": without_forward(too_late, "not attempted", "twice"),
        "deleted": without_forward(deleted, "missing", "not in the notebook"),
        "script": without_forward(scripts, "wrong", "<script>"),
        "lines": Case({"A1.ipynb": b"\xef\xbb\xbf" + written(good)}, ALL),
        "several": Case(attempts, ALL),
    }
