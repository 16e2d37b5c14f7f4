"""Submissions that once stopped a class, or a process of the grader's, and cost points at most."""

from submissions.base import (
    ALL,
    RIGHT,
    Case,
    answers,
    find,
    inside,
    own_cell,
    with_own_cell,
    written,
    wrong,
)


def stubborn():
    """Return the cases: dict of name to ``Case``."""
    foo = "raise NameError(\"name 'foo' is not defined\")"
    empty_lines = answers(batch_norm_forward=inside(foo))
    at = empty_lines["cells"].index(find(empty_lines, "batch_norm_forward"))
    empty_lines["cells"][at:at] = [own_cell("\n" * 199_000) for _ in range(3)]
    names = ", ".join(f"n{i}" for i in range(20_000))
    return {
        "many_question_marks": Case(with_own_cell("(\na" + "?" * 190_000 + " x", RIGHT), ALL),
        "many_names": wrong(f"{names} = range(20_000)\n" + inside(foo), "NameError"),
        "many_empty_lines": Case(
            {"A1.ipynb": written(empty_lines)}, ALL - 5, ("NameError",), "wrong"
        ),
        "many_magics": Case(with_own_cell("%matplotlib inline\n" * 450, RIGHT), ALL),
        "deep_brackets": Case(with_own_cell("(" * 100_000, RIGHT), ALL),
        "deep_sum": Case(with_own_cell("1+" * 50_000 + "1", RIGHT), ALL),
        "null_byte": Case(with_own_cell("x = '\0'", RIGHT), ALL),
        "surrogate": Case(with_own_cell("x = '\ud800'", RIGHT), ALL),
        "endless_own_cell": Case(with_own_cell("while True: pass\nx = 1", RIGHT), ALL),
        "exits_in_own_cell": Case(with_own_cell("import os\nos._exit(0)", RIGHT), ALL),
        "bare_except": Case(
            with_own_cell("while True:\n    try: 1 / 0\n    except Exception: pass", RIGHT), ALL
        ),
    }
