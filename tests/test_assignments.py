"""The assignments: what students get, what teachers have, and what grading needs of both.

Making the students' versions needs nbgrader: the extra [classroom], which ``make test`` installs.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from bn_tutorial import checks
from tools.run_notebooks import NOTEBOOKS, execute

FOLDER = NOTEBOOKS / "assignments"
NAMES = ["A1", "A2", "A3"]
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
STUBS = ("# YOUR CODE HERE\npass", "YOUR ANSWER HERE")


def source(name):
    return FOLDER / "source" / name / f"{name}.ipynb"


def read(path):
    return nbformat.read(path, as_version=4)


def ours(cell):
    return cell.metadata.get("nbgrader", {})


def graded(notebook):
    return [c for c in notebook.cells if ours(c).get("grade") and not ours(c)["solution"]]


def answers_of(notebook):
    return [c for c in notebook.cells if ours(c).get("solution")]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The students' versions, made as ``make assignments`` makes them: name -> path."""
    if shutil.which("nbgrader", path=(binaries := os.path.dirname(sys.executable))) is None:
        pytest.fail("expected nbgrader, found none: pip install -e '.[classroom]', or make test")
    folder = tmp_path_factory.mktemp("course")
    shutil.copytree(FOLDER / "source", folder / "source")
    shutil.copy(FOLDER / "nbgrader_config.py", folder)
    made = subprocess.run(
        ["nbgrader", "generate_assignment", "--force", "*"],
        cwd=folder,
        env=os.environ | {"PATH": os.pathsep.join([binaries, os.environ["PATH"]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return {name: folder / "release" / name / f"{name}.ipynb" for name in NAMES}


# --- running them -------------------------------------------------------------------------------


def test_the_folder_has_just_these():
    assert sorted(p.name for p in (FOLDER / "source").iterdir()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_students_version_runs_without_being_attempted(name, released):
    for cell in graded(execute(released[name])):
        (said,) = (o for o in cell.outputs if o.output_type == "stream")
        (given,) = (o for o in cell.outputs if o.output_type == "execute_result")
        assert said.text.startswith("not attempted yet")
        assert said.name == "stdout"
        assert float(given.data["text/plain"]) == 0


@pytest.mark.parametrize("name", NAMES)
def test_authored_version_has_all_points_by_its_answers_and_the_setup_alone(name, capsys):
    # as in grading: no cell of the student's own, no state of a kernel
    notebook, namespace = read(source(name)), {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and not ours(cell)["grade"]:
            exec(cell.source, namespace)
    for cell in graded(notebook):
        capsys.readouterr()
        assert eval(cell.source, namespace) == ours(cell)["points"]
        said, error = capsys.readouterr()
        assert said.startswith("right: ")
        assert error == ""  # nbgrader takes anything on stderr for a failure


# --- what students get --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_students_version_contains_no_solution(name, released):
    authored, given = read(source(name)), read(released[name])
    assert "SOLUTION" not in released[name].read_text()
    written = "\n".join(c.source for c in given.cells if ours(c))
    for with_solution, stub in zip(answers_of(authored), answers_of(given), strict=True):
        text = with_solution.source
        kept, solution = "", text
        if BEGIN in text:
            kept, rest = text.split(BEGIN)
            solution, after = rest.split(END)
            assert not after.strip()
        left = stub.source.removeprefix(kept.rstrip(" "))
        assert "\n".join(line.strip() for line in left.splitlines()) in STUBS
        for line in filter(None, map(str.strip, solution.splitlines())):
            assert line not in written, line


@pytest.mark.parametrize("name", NAMES)
def test_students_version_has_all_else(name, released):
    authored, given = read(source(name)), read(released[name])
    for before, after in zip(authored.cells, given.cells, strict=True):
        assert after.metadata.get("bn_tutorial") == before.metadata.get("bn_tutorial")
        if not ours(before).get("solution"):
            assert after.source == before.source
        if ours(before).get("locked"):
            assert after.metadata.editable is after.metadata.deletable is False


# --- what is stored -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_run_or_a_machine_is_stored(name):
    notebook = read(source(name))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert str(Path.home()) not in source(name).read_text()


@pytest.mark.parametrize("name", NAMES)
def test_grade_ids_are_unique_and_the_points_are_those_of_the_title(name):
    notebook = read(source(name))
    known = [c for c in notebook.cells if ours(c)]
    ids = [ours(c)["grade_id"] for c in known]
    assert len(set(ids)) == len(ids)
    points = [ours(c)["points"] for c in known if ours(c)["grade"]]
    title = notebook.cells[0].source
    assert points == [int(n) for n in re.findall(r"^\|.*\| (\d+) \|$", title, re.MULTILINE)]
    assert f"{sum(points)} points" in title
    assert all(ours(c)["schema_version"] == 3 for c in known)


@pytest.mark.parametrize("name", NAMES)
def test_metadata_says_what_our_grader_needs(name):
    notebook = read(source(name))
    setup = next(c for c in notebook.cells if c.cell_type == "code")
    assert ours(setup)["locked"]
    assert "%" not in setup.source  # a magic is no Python
    defined = {}  # function -> grade_id of the solution cells so far
    for cell in notebook.cells:
        if cell.cell_type == "code" and ours(cell)["solution"] and not ours(cell)["grade"]:
            body = ast.parse(cell.source).body
            names = [node.name for node in body if isinstance(node, ast.FunctionDef)]
            defined |= dict.fromkeys(names, ours(cell)["grade_id"])
        elif ours(cell).get("grade") and not ours(cell)["solution"]:
            task, points = cell.metadata["bn_tutorial"], ours(cell)["points"]
            assert task["check"] in checks.__all__
            assert defined[task["function"]] == task["solution"]
            assert task["forbid_torch_norms"] in (True, False)
            call = f"checks.{task['check']}({task['function']}).score({points})"
            assert cell.source == call
            assert ours(cell)["locked"]


@pytest.mark.parametrize("name", NAMES)
def test_our_grader_reads_it(name):
    from bn_tutorial.grading import tasks

    assert tasks.load(name).points == 20


def test_teachers_page_has_a_marking_guide_for_all_that_is_marked_by_hand():
    page = (FOLDER / "README.md").read_text()
    for name in NAMES:
        for cell in answers_of(read(source(name))):
            if ours(cell)["grade"]:
                assert f"**{name}, `{ours(cell)['grade_id']}`** ({ours(cell)['points']})" in page
