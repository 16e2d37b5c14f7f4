"""The stored notebooks are fresh and complete.

nbval compares what a new run prints with what is stored, and does so as on a plainer machine (see
conftest.py); here stand the traps that it misses, and test_notebooks_again.py runs them once more.
"""

import ast
import re

import nbformat
import numpy as np
import pytest

from tools.run_notebooks import NOTEBOOKS, course

README = NOTEBOOKS.parent / "README.md"
WITHOUT_MINUTES = (
    r"(\d+\. The question that is left|The loss ledger|The score card|Summary|Exercises|References)"
)
pytestmark = pytest.mark.parametrize("path", course(), ids=lambda path: path.stem)


def cells(path, kind):
    return [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == kind]


def outputs(notebook):
    return [o for c in notebook.cells if c.cell_type == "code" for o in c.outputs]


def printed(output):
    data = output.get("data", {})
    return output.get("text", "") + "".join(v for k, v in data.items() if k.startswith("text/"))


# --- how a notebook is stored -------------------------------------------------------------------


def test_cells_were_run_once_and_in_order(path):
    counts = [c.execution_count for c in cells(path, "code")]
    assert counts == list(range(1, len(counts) + 1))


def test_nothing_went_wrong_when_it_was_run(path):
    for output in outputs(nbformat.read(path, as_version=4)):
        assert output.output_type != "error"
        # a progress bar is the one thing that may go to stderr, and in a notebook it does not
        assert output.get("name") != "stderr", output.text


def test_no_claim_is_stored_that_does_not_hold(path):
    for output in outputs(nbformat.read(path, as_version=4)):
        assert "does not hold here" not in printed(output)


def test_no_widget_state_and_no_machine_in_the_metadata(path):
    notebook = nbformat.read(path, as_version=4)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    for output in outputs(notebook):
        assert not any("widget-view" in kind for kind in output.get("data", {}))


def test_every_cell_that_prints_has_stored_output(path):
    for cell in cells(path, "code"):
        if calls_print(cell.source):
            assert any(o.output_type == "stream" for o in cell.outputs), cell.source


def calls_print(source):
    code = "\n".join(line for line in source.splitlines() if not line.startswith("%"))
    waiting = list(ast.parse(code).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "bn.claim"):
            return True
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.If | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))
    return False


# --- how a notebook is written ------------------------------------------------------------------


def test_it_has_title_objectives_summary_and_exercises(path):
    prose = "\n\n".join(c.source for c in cells(path, "markdown"))
    assert prose.startswith("# ")
    for part in ("minutes", "## Summary", "## Exercises", "<details>"):
        assert part in prose, part


def test_its_sections_are_core_or_detour_and_their_minutes_add_up(path):
    prose = "\n".join(c.source for c in cells(path, "markdown"))
    if path.stem == "00_tour":
        assert "45 minutes" in prose
        return
    marked = re.findall(r"^## .*\((core|detour), (\d+) minutes?\)$", prose, flags=re.MULTILINE)
    unmarked = re.findall(r"^## (.*[^)\n])$", prose, flags=re.MULTILINE)
    assert all(re.match(WITHOUT_MINUTES, title) for title in unmarked), unmarked
    minutes = {kind: sum(int(m) for k, m in marked if k == kind) for kind in ("core", "detour")}
    total = sum(minutes.values())
    assert total <= 60
    assert 0.4 * total < minutes["core"] < 0.7 * total
    assert f"**Time:** {total} minutes, {minutes['core']} of them for the sections marked" in prose
    (row,) = re.findall(rf"^\| \[{path.stem}\].*$", README.read_text(), flags=re.MULTILINE)
    assert f"| {total} ({minutes['core']}) + " in row


def test_prose_stands_before_every_code_cell(path):
    notebook = nbformat.read(path, as_version=4)
    for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False):
        if cell.cell_type == "code":
            assert before.cell_type == "markdown", cell.source


def test_code_cells_are_short_and_none_ends_in_a_semicolon(path):
    lengths = [len(c.source.splitlines()) for c in cells(path, "code")]
    assert np.median(lengths) <= 6
    assert max(lengths) <= 30
    assert not any(c.source.rstrip().endswith(";") for c in cells(path, "code"))
    assert "%matplotlib inline" in cells(path, "code")[0].source


def test_each_guess_is_revealed_and_all_are_summed_up_before_the_exercises(path):
    notebook = nbformat.read(path, as_version=4)
    sources = [cell.source for cell in notebook.cells]
    (end,) = (i for i, source in enumerate(sources) if source == "explorers.guesses()")
    assert end < next(i for i, source in enumerate(sources) if "## Exercises" in source)
    asked = {}
    for i, source in enumerate(sources):
        if match := re.match(r"(\w+) = explorers\.Guess\(", source):
            asked[match[1]] = i
            assert source.endswith(f"\n{match[1]}")
    assert 1 <= len(asked) <= 5
    for name, asked_at in asked.items():
        (revealed_at,) = (i for i, source in enumerate(sources) if f"{name}.reveal(" in source)
        assert asked_at < revealed_at
    no_guess = f"You made no guess; the notebook asked for {len(asked)}.\n"
    assert printed(notebook.cells[end].outputs[0]) == no_guess


NUMBER = r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w|\.\d)"


def test_numbers_in_prose_stand_in_an_output_or_in_the_code(path):
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(c.source for c in cells(path, "code")).replace("_", "")
    known = numbers("\n".join(printed(o) for o in outputs(notebook)) + "\n" + code)
    quoted = {n for c in cells(path, "markdown") for n in numbers(without_code(c.source))}
    unknown = {n for n in quoted if worth_checking(n) and not any(rounds_to(k, n) for k in known)}
    assert not unknown, f"quoted, but not printed by any cell: {sorted(unknown)}"


def numbers(text):
    return {match.replace(",", "") for match in re.findall(NUMBER, text)}


def without_code(text):
    for noise in (
        r"<details>.*?</details>",
        r"```.*?```",
        r"`[^`]*`",
        r"\$\$.*?\$\$",
        r"\$[^$]*\$",
        r"arXiv:\S+",
        r"https?://\S+",
        r"\b(?:19|20)\d\d\b",  # years
    ):
        text = re.sub(noise, " ", text, flags=re.DOTALL)
    return text


def worth_checking(number):
    return "." in number or len(number) >= 3


def rounds_to(known, quoted):
    places = len(quoted.partition(".")[2])
    return known == quoted or f"{float(known):.{places}f}" == quoted
