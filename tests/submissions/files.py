"""Files that are no notebook, or not as they should be."""

import json
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


def broken_files(others_file):
    right, good = forward(RIGHT)["A1.ipynb"], answers()
    twice, twice_wrong, deleted = answers(), answers(), answers()
    cells = twice["cells"]
    first = json.loads(json.dumps(find(twice, "batch_norm_forward")))
    first["source"] = WRONG
    cells.insert(cells.index(find(twice, "batch_norm_forward")), first)
    twice_wrong["cells"].append(first)
    deleted["cells"].remove(find(deleted, "batch_norm_forward"))
    script = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    scripts = answers(baselines_in_words=script)
    find(scripts, "batch_norm_forward")["source"] = inside(f"raise ValueError({script!r})")
    for cell in good["cells"]:
        cell["source"] = (
            cell["source"].splitlines(True) if isinstance(cell["source"], str) else cell["source"]
        )
    nothing = {"task": NO_TASK}
    return {
        "broken_json": Case({"A1.ipynb": right[:-100]}, 0, ("broken JSON",), **nothing),
        "empty": Case({"A1.ipynb": b""}, 0, ("empty",), **nothing),
        "not_utf8": Case(
            {"A1.ipynb": right.replace(b"mean", "m\u00e9an".encode("latin-1"), 1)},
            0,
            ("UTF-8",),
            **nothing,
        ),
        "too_large": Case(
            {"A1.ipynb": right + b" " * (50 << 20)}, 0, ("larger than 10 MB", "50 MB"), **nothing
        ),
        "nested": Case(
            {"A1.ipynb": b"[" * 200_000 + b"]" * 200_000}, 0, ("nested too deeply",), **nothing
        ),
        "a_list": Case({"A1.ipynb": b"[1, 2]"}, 0, ("no list of cells",), **nothing),
        "another": Case(
            {"A1.ipynb": written({"cells": [own_cell("x = 1")]})},
            0,
            ("none of its cells",),
            **nothing,
        ),
        "odd_metadata": Case(
            {
                "A1.ipynb": written(
                    {
                        **good,
                        "metadata": 3,
                        "cells": [
                            *good["cells"],
                            3,
                            None,
                            {"source": {}},
                            {"metadata": {"nbgrader": {"grade_id": [1]}}},
                        ],
                    }
                )
            },
            ALL,
        ),
        "a_link": Case({"A1.ipynb": Path("/etc/passwd")}, 0, ("link",), **nothing),
        "anothers_file": Case({"A1.ipynb": others_file}, 0, ("link",), **nothing),
        "a_linked_folder": Case({"": others_file.parent}, 0, ("link",), **nothing),
        "no_notebook": Case({"A1.pdf": b"%PDF"}, 0, ("no notebook",), **nothing),
        "renamed": Case({"Final (2) ä.ipynb.txt": right}, ALL),
        "duplicated": Case({"A1.ipynb": written(twice)}, ALL),
        "duplicated_wrong": Case({"A1.ipynb": written(twice_wrong)}, WITHOUT_FORWARD, (), "wrong"),
        "deleted": Case(
            {"A1.ipynb": written(deleted)}, WITHOUT_FORWARD, ("not in the notebook",), "missing"
        ),
        "script": Case({"A1.ipynb": written(scripts)}, WITHOUT_FORWARD, ("<script>",), "wrong"),
        "lines": Case({"A1.ipynb": b"\xef\xbb\xbf" + written(good)}, ALL),
        "several": Case(
            {
                "old/A1.ipynb": forward(WRONG)["A1.ipynb"],
                "old/A1-10.ipynb": right,
                "old/A1-9.ipynb": b"",
                "x.ipynb": written({"cells": []}),
            },
            ALL,
        ),
    }
