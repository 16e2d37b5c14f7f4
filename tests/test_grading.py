"""The grader: messages, notebooks, folders, reports, and a run that is stopped and goes on."""

import contextlib
import csv
import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import nbformat
import pytest
import submissions
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bn_tutorial import cli
from bn_tutorial._files import ASSIGNMENTS
from bn_tutorial.grading import batch, notebook, report, sandbox, tasks
from bn_tutorial.grading._process import Worker
from bn_tutorial.grading._proxy import Proxy, exception, put_back
from bn_tutorial.grading.box import wire, worker
from bn_tutorial.grading.cli import INTERRUPTED
from bn_tutorial.grading.results import ResultsError, ResultsFolder
from bn_tutorial.grading.submissions import find_submissions

PATIENCE = 60  # seconds
COMMAND = Path(sys.executable).with_name("bn-tutorial")


needs_sandbox = pytest.mark.usefixtures("sandbox_here")


# a small assignment, so that a run takes seconds


def cell(kind, source, grade_id=None, ours=None, **flags):
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}[kind]
    new = make(source)
    if grade_id:
        new.metadata["nbgrader"] = {
            "grade_id": grade_id,
            "schema_version": 3,
            "grade": False,
            "solution": False,
            "locked": False,
            **flags,
        }
    if ours:
        new.metadata["bn_tutorial"] = ours
    return new


UPDATE = "def update(running, batch, momentum):\n    return running + momentum * (batch - running)"


def small(source=UPDATE):
    check = {"check": "running_update", "function": "update", "solution": "update"}
    return nbformat.v4.new_notebook(
        cells=[
            cell("markdown", "# Small"),
            cell("code", "import torch", "setup", locked=True),
            cell("code", source, "update", solution=True),
            cell(
                "code",
                "checks.running_update(update).score(2)",
                "test_update",
                check,
                grade=True,
                locked=True,
                points=2,
            ),
            cell("markdown", "Because.", "why", grade=True, solution=True, points=3),
        ]
    )


def written(notebook):
    return nbformat.writes(notebook).encode()


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    path = tmp_path_factory.mktemp("master") / "master.ipynb"
    path.write_bytes(written(small()))
    return path


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    """Return a folder with eight submissions of the small assignment."""
    made = tmp_path_factory.mktemp("handed_in")
    for i in range(8):
        right = small().cells[2].source
        source = right if i % 2 else right.replace("+ momentum", f"+ {i} - momentum")
        (made / f"student{i}.ipynb").write_bytes(written(small(f"{source}  # {i}")))
    return made


def arguments(handed_in, out, master, *more):
    return ["grade", "small", str(handed_in), "--out", str(out), "--master", str(master), *more]


def rows_of(out):
    text = (out / "grades.csv").read_text(encoding="utf-8")
    return {row["student"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}


# messages


def same(one, other):
    """Return whether ``encode`` sees no difference: a NaN is one."""
    return wire.encode(one) == wire.encode(other)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        3,
        -(2**62),
        0.1,
        math.inf,
        -math.inf,
        "text",
        [],
        [1, (2.5, "x")],
        {"a": 1, 3: [None]},
        {(0, 1): 2.0},
        ...,
        torch.tensor(1.5),
        torch.rand(3, 4, dtype=torch.float64),
        torch.rand(2, 0, 3),
        torch.tensor([math.nan, math.inf, -math.inf, -0.0]),
        torch.rand(4, 3).T,
        torch.tensor([[1, -2]]),
        torch.tensor([True, False]),
        torch.tensor([255], dtype=torch.uint8),
        torch.rand(5).half(),
        torch.rand(5).bfloat16(),
        torch.finfo(torch.float64).tiny,
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_were(value):
    payload = wire.pack({"value": wire.encode(value)})
    back = wire.decode(wire.unpack(payload[wire.HEADER.size :])["value"])
    assert type(back) is type(value)
    assert same(back, value)
    if isinstance(value, torch.Tensor):
        assert back.dtype == value.dtype
        torch.testing.assert_close(back, value, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_comes_back(bias):
    layer = nn.Linear(3, 5, bias=bias, dtype=torch.float64)
    back = wire.decode(wire.encode(layer))
    assert (back.in_features, back.out_features) == (3, 5)
    x = torch.rand(4, 3, dtype=torch.float64)
    torch.testing.assert_close(back(x), layer(x), rtol=0, atol=0)


@pytest.mark.parametrize(
    "fields",
    [{}, {"eps": 0.5, "momentum": None}, {"affine": False}, {"track_running_stats": False}],
    ids=str,
)
def test_a_batch_norm_comes_back(fields):
    layer = nn.BatchNorm1d(3, **fields)
    layer(torch.rand(8, 3))
    layer.eval()
    back = wire.decode(wire.encode(layer))
    x = torch.rand(4, 3)
    assert (back.eps, back.momentum, back.training) == (layer.eps, layer.momentum, False)
    torch.testing.assert_close(back(x), layer(x), rtol=0, atol=0)


def test_of_other_things_only_the_name_of_the_type_comes_back():
    class Odd:
        pass

    assert type(wire.decode(wire.encode(Odd()))).__name__ == "Odd"
    assert "9000000" in type(wire.decode(wire.encode(torch.zeros(3000, 3000)))).__name__
    assert wire.encode(2**70) == {"object": "int"}
    deep = []
    for _ in range(20):
        deep = [deep]
    wire.decode(wire.encode(deep))


tree = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*wire.DECODERS, "tuple", "dict", "x"]), inner, max_size=2
        )
        | st.fixed_dictionaries(
            {"shape": inner, "dtype": st.sampled_from(["float32", "int8", "bool"]), "data": inner}
        ).map(lambda content: {"tensor": content})
        | st.fixed_dictionaries(
            {"size": inner, "eps": inner, "momentum": inner, "training": inner, "tensors": inner}
        ).map(lambda content: {"batch_norm": content})
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(tree)
def test_whatever_comes_is_a_value_or_a_wire_error(data):
    with contextlib.suppress(wire.WireError):
        wire.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        {"tensor": {"shape": [2], "dtype": "float32", "data": [1.0]}},
        {"tensor": {"shape": [2**40], "dtype": "float32", "data": []}},
        {"tensor": {"shape": [-1], "dtype": "float32", "data": [1.0]}},
        {"tensor": {"shape": [1], "dtype": "object", "data": [1.0]}},
        {"tensor": {"shape": [1], "dtype": "int8", "data": [300]}},
        {"tensor": {"shape": [1], "dtype": "bool", "data": [1]}},
        {"tensor": {"shape": [1], "dtype": "float32", "data": [[1.0]]}},
        {"tensor": {"shape": [1], "dtype": "float32", "data": [True]}},
        {"tensor": {"shape": True, "dtype": "float32", "data": []}},
        {"tensor": []},
        {"linear": [1, 2]},
        {"linear": []},
        {"batch_norm": {}},
        {"float": "1"},
        {"float": []},
        {"object": 3},
        {"dict": [[1]]},
        {"dict": [[[], 1]]},
        {},
        {"a": 1, "b": 2},
        "x" * 20_000,
        2**64,
        [0] * 60_000,
    ],
    ids=lambda data: str(data)[:50],
)
def test_a_wrong_message_is_refused(data):
    with pytest.raises(wire.WireError, match="expected"):
        wire.decode(data)


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff", b"[1]", b"{", b"[" * 100_000, b'{"a": NaN}', b'{"a": ' + b"1" * 5_000 + b"}"],
    ids=lambda p: str(p[:9]),
)
def test_what_is_no_json_is_refused(payload):
    with pytest.raises(wire.WireError):
        wire.unpack(payload)


def test_a_message_has_a_largest_size():
    with pytest.raises(wire.WireError, match="at most"):
        wire.pack({"text": "x" * (wire.LARGEST + 1)})


# the proxy


def test_a_proxy_raises_what_the_function_raised():
    error = exception({"type": "Value<Error>", "message": "a\nb\x1b"})
    assert type(error).__name__ == "ValueError"
    assert str(error) == "a b"
    assert not isinstance(exception({"type": "SystemExit", "message": ""}), SystemExit)


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"value": {"tensor": 3}},
        {"error": 3},
        {"error": {"type": 1}},
        {"value": 1, "changed": 3},
        {"value": 1, "changed": [[7, 1]]},
        {"value": 1, "changed": [["0", 1]]},
    ],
    ids=str,
)
def test_an_answer_that_is_none_is_a_failure(answer):
    proxy = Proxy(lambda request: answer, "f")
    with pytest.raises(Exception, match="messages"):
        proxy(torch.rand(3))
    assert proxy.kind == "no answer"


def test_changed_arguments_are_changed_here_too():
    x, y, layer, numbers = torch.zeros(2), torch.zeros(2), nn.Linear(2, 2), [1]
    new = nn.Linear(2, 2)
    changes = [
        [0, wire.encode(torch.ones(2))],
        [1, wire.encode(torch.ones(3))],
        [2, wire.encode(new)],
        [3, wire.encode([1, 2])],
    ]
    put_back((x, y, layer, numbers), changes)
    assert x.tolist() == [1, 1]
    assert y.tolist() == [1, 1, 1]
    assert torch.equal(layer.weight, new.weight)
    assert numbers == [1, 2]


# PyTorch's own norms

NO_STATISTICS = "None, None, None, None, True, 0.1, 1e-5"
OWN_NORMS = {
    "functional": "def f(x): return torch.nn.functional.batch_norm(x, None, None, training=True)",
    "module": "from torch.nn import functional as g\ndef f(x): return g.layer_norm(x, (3,))",
    "layer": "def f(x):\n    import torch.nn as n\n    return n.BatchNorm1d(3)(x)",
    "alias": f"g = torch.batch_norm\ndef f(x): return g(x, {NO_STATISTICS}, False)",
    "operation": f"def f(x): return torch.ops.aten.native_batch_norm(x, {NO_STATISTICS})[0]",
    "class": "class A:\n    layer = torch.nn.GroupNorm(1, 3)\nf = lambda x: A.layer(x)",
    "instance": f"def f(x): return torch.instance_norm(x[None], {NO_STATISTICS}, False)[0]",
    "rms": "f = lambda x: torch.nn.functional.rms_norm(x, (3,))",
    "script": "g = torch.jit.script(torch.nn.LayerNorm(3))\nf = lambda x: g(x)",
    "caught": "def f(x):\n  try: return torch.nn.BatchNorm1d(3)(x)\n  except Exception: return x",
}
NO_OWN_NORMS = {
    "beside": "def f(x): return x / torch.linalg.norm(x)\ntorch.nn.LayerNorm(3)(torch.rand(4, 3))",
    "own_name": "def batch_norm(x): return x\ndef f(x): return batch_norm(x)",
    "argument": "def f(batch_norm): return batch_norm.mean(0)",
    "normalize": "def f(x): return torch.nn.functional.normalize(x)",
}


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("name", [*OWN_NORMS, *NO_OWN_NORMS])
def test_a_call_of_an_own_norm_is_seen(name):
    namespace = {"torch": torch}
    exec({**OWN_NORMS, **NO_OWN_NORMS}[name], namespace)
    x = wire.encode(torch.rand(8, 3))
    request = {"function": "f", "arguments": [x], "forbid_torch_norms": True}
    answer = worker._call(request, namespace, wire)
    assert ("forbidden" in answer) == (name in OWN_NORMS)
    assert ("value" in answer) == (name in NO_OWN_NORMS)


def test_norms_are_known_by_their_names():
    names = [
        "aten.native_batch_norm.default",
        "aten._batch_norm_with_update.default",
        "BatchNorm1d",
        "aten.native_layer_norm.default",
        "aten.native_group_norm.default",
        "instance_norm",
        "SyncBatchNorm",
        "aten._native_batch_norm_legit.no_stats",
    ]
    assert all(map(worker.is_norm, names))
    assert not any(map(worker.is_norm, ["aten.norm.Scalar", "vector_norm", "normalize", "renorm"]))


# notebooks and folders


def test_bytes_that_are_no_notebook_are_named(tmp_path):
    os.mkfifo(tmp_path / "pipe.ipynb")
    for name, words in [("none.ipynb", "No such file"), ("pipe.ipynb", "not a file")]:
        with pytest.raises(notebook.NotebookError, match=words):
            notebook.read_submission(tmp_path / name)


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_any_bytes_are_cells_or_a_notebook_error(raw):
    with contextlib.suppress(notebook.NotebookError):
        assert notebook.cells_of(raw) == []


def names_found(tmp_path, *paths):
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(written(small()))
    found, nobodys = find_submissions(tmp_path, ["update"])
    return {one.student: (one.file, one.problem) for one in found}, nobodys


@pytest.mark.parametrize(
    ("paths", "students"),
    [
        (["alice.ipynb", "Bob Berg.IPYNB"], ["Bob Berg", "alice"]),
        (["alice/A1/A1.ipynb", "bob/A1/A1.ipynb"], ["alice", "bob"]),
        (["Alice Ash_4711_assignsubmission_file_/A1.ipynb"], ["Alice Ash"]),
        (
            [
                "Alice Ash_4711_assignsubmission_file_A1.ipynb",
                "Alice Ash_12_assignsubmission_file_A1.ipynb",
            ],
            ["Alice Ash (12)", "Alice Ash (4711)"],
        ),
        (
            ["ashalice_4711_815_A1.ipynb", "bergbob_LATE_4712_816_A1-1.ipynb"],
            ["ashalice", "bergbob"],
        ),
        (["A1_aash_attempt_2026-11-22-18-50-00_A1.ipynb"], ["aash"]),
        (
            [
                "A1_a_b_attempt_2026-11-22-18-50-00_A1.ipynb",
                "A1_c_b_attempt_2026-11-22-18-50-00_x.ipynb",
            ],
            ["b (A1_a_b)", "b (A1_c_b)"],
        ),
        (["hw_1_2_alice.ipynb", "hw_1_2_bob.ipynb"], ["hw_1_2_alice", "hw_1_2_bob"]),
        (["A1.ipynb (1)", "A1.ipynb (2)", "A1.ipynb"], ["A1", "A1 (1)", "A1 (2)"]),
        (["\u00e4\u20ac \u202e.ipynb", "a\nb.ipynb"], ["a\\nb", "\u00e4\u20ac \\u202e"]),
    ],
)
def test_names_of_platforms_are_taken_apart(tmp_path, paths, students):
    found, nobodys = names_found(tmp_path, *paths)
    assert list(found) == students
    assert not any(problem for _, problem in found.values())
    assert nobodys == []


def test_the_latest_attempt_counts(tmp_path):
    attempts = [f"A1_aash_attempt_2026-{m}-22-18-50-00_A1.ipynb" for m in ("09", "11", "10")]
    found, _ = names_found(tmp_path, *attempts)
    assert found["aash"][0] == attempts[1]


def test_what_is_nobodys_is_listed_and_what_is_hidden_is_not(tmp_path):
    (tmp_path / "class list.csv").write_text("x")
    (tmp_path / "Eve_9_assignsubmission_file_").mkdir()
    found, nobodys = names_found(
        tmp_path, "alice/A1.ipynb", "alice/.ipynb_checkpoints/A1-checkpoint.ipynb", ".x.ipynb"
    )
    assert nobodys == ["class list.csv"]
    assert found == {
        "alice": ("alice/A1.ipynb", ""),
        "Eve": ("Eve_9_assignsubmission_file_", "there is no file in the folder"),
    }


def test_a_file_name_of_any_bytes_is_listed(tmp_path):
    for byte in (b"\xff", b"\xfe"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + byte + b".ipynb")).write_bytes(b"{}")
    found, _ = find_submissions(tmp_path, ["update"])
    assert [one.student for one in found] == ["\\udcfe", "\\udcff"]


# reports


@pytest.mark.parametrize(
    "source", ["-" * 100_000 + "1", "1+" * 50_000 + "1", "'\\d'", "a = 'x\\d'", "\0"]
)
def test_a_cell_that_python_has_trouble_with_is_only_text(source):
    assert "def" not in notebook.definitions(source)


def test_a_spreadsheet_computes_nothing(tmp_path):
    (tmp_path / "=1+1.ipynb").write_bytes(b"")
    [one], _ = find_submissions(tmp_path, [])
    table = report.grades([report.Row(one)], tasks.load("A1"))
    assert "\n'=1+1," in table


@pytest.fixture(scope="module")
def graded_once(sandbox_here, handed_in, master, tmp_path_factory):
    out = tmp_path_factory.mktemp("graded")
    assert cli.main(arguments(handed_in, out, master, "-j", "2")) == 0
    return out


@pytest.fixture
def graded(graded_once, tmp_path):
    """Return a copy of the results of the submissions."""
    return Path(shutil.copytree(graded_once, tmp_path / "graded"))


@needs_sandbox
def test_a_run_writes_points_pages_and_counts_and_keeps_what_is_marked_by_hand(
    graded, handed_in, master, capsys
):
    rows = rows_of(graded)
    assert [row["test_update"] for row in rows.values()] == ["0", "2"] * 4
    assert {(row["why"], row["of"], row["status"]) for row in rows.values()} == {
        ("", "5", "graded")
    }
    assert len(list((graded / "feedback").iterdir())) == 8
    table = (graded / "grades.csv").read_text()
    # a spreadsheet with semicolons saves it
    edited = table.replace("student1,2,,2,", "student1,2,2.5,2,")
    (graded / "grades.csv").write_text("\ufeff" + edited.replace(",", ";"), encoding="utf-8")
    assert cli.main(arguments(handed_in, graded, master)) == 0
    assert (graded / "grades.csv").read_text() == table.replace(
        "student1,2,,2,", "student1,2,2.5,4.5,"
    )
    page = (graded / "feedback" / report.feedback_name("student1")).read_text()
    assert "4.5 of 5 points" in page
    assert "2.5 of 3" in page
    (graded / "grades.csv").write_text(edited.replace("student1", "somebody"))
    assert cli.main(arguments(handed_in, graded, master)) == 2
    assert "points by hand for somebody" in capsys.readouterr().err
    (graded / "grades.csv").write_text(edited.replace("2.5", "much"))
    assert cli.main(arguments(handed_in, graded, master)) == 2
    assert "expected points from 0 to 3, got 'much'" in capsys.readouterr().err


# what the teacher may get wrong


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "A9"}, "expected one of those in"),
        ({"name": "../A1"}, "expected one of those in"),
        ({"submissions": "nowhere"}, "expected a folder of notebooks"),
        ({"submissions": "empty"}, "expected notebooks"),
        ({"submissions": "file"}, "expected a folder of notebooks, got a file"),
        ({"out": "file/out"}, "expected a folder to write to"),
        ({"out": "other"}, "expected results of A1"),
        ({"out": "full"}, "expected a new or empty folder"),
        ({"out": "handed_in/out"}, "expected a folder outside"),
        ({"more": ["--master", "file"]}, "not a notebook"),
        ({"more": ["--master", "handed_in/a.ipynb"]}, "expected at least one test cell"),
    ],
    ids=str,
)
def test_a_mistake_is_one_clear_line(tmp_path, monkeypatch, capsys, change, words):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "full", "handed_in"):
        Path(name).mkdir()
    Path("file").write_text("x")
    Path("full/x").write_text("x")
    Path("handed_in/a.ipynb").write_text('{"cells": []}')
    ResultsFolder(Path("other"), "A2")
    values = {"name": "A1", "submissions": "handed_in", "out": "out", "more": [], **change}
    code = cli.main(
        ["grade", values["name"], values["submissions"], "--out", values["out"], *values["more"]]
    )
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert words in said


@pytest.mark.parametrize(
    "wrong", [["-j", "0"], ["-j", "x"], ["--seconds-per-call", "nan"], ["--more"]]
)
def test_a_wrong_option_ends_with_code_2(wrong, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(["grade", "A1", "x", "--out", "y", *wrong])
    assert end.value.code == 2
    assert ": error: " in capsys.readouterr().err


def test_results_that_can_t_be_written_are_named(tmp_path, monkeypatch):
    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        ResultsError, match=r"expected a folder to write to, got .*Permission denied"
    ):
        ResultsFolder(tmp_path / "out", "A1")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"check": "no_such_check"}, "expected a function of bn_tutorial.checks"),
        ({"check": "_private"}, "expected the name of a check"),
        ({"function": "1"}, "expected the name of a function"),
        ({"solution": "elsewhere"}, "expected the grade_id of a solution cell"),
    ],
    ids=str,
)
def test_a_master_with_wrong_metadata_is_refused(tmp_path, change, words):
    made = small()
    made.cells[3].metadata["bn_tutorial"].update(change)
    (tmp_path / "master.ipynb").write_bytes(written(made))
    with pytest.raises(tasks.AssignmentError, match=words):
        tasks.load("small", tmp_path / "master.ipynb")


def test_a_master_with_wrong_points_or_names_is_refused(tmp_path):
    made = small()
    made.cells[3].metadata["nbgrader"]["points"] = "two"
    (tmp_path / "master.ipynb").write_bytes(written(made))
    with pytest.raises(tasks.AssignmentError, match="expected points"):
        tasks.load("small", tmp_path / "master.ipynb")
    made = small()
    made.cells[4].metadata["nbgrader"]["grade_id"] = "setup"
    (tmp_path / "master.ipynb").write_bytes(written(made))
    with pytest.raises(tasks.AssignmentError, match="each grade_id once, got setup"):
        tasks.load("small", tmp_path / "master.ipynb")


# with and without the sandbox


@pytest.mark.parametrize(
    ("system", "programs", "words"),
    [
        ("Darwin", {"bwrap", "prlimit"}, "expected Linux"),
        ("Linux", {"prlimit"}, "apt-get install bubblewrap"),
        ("Linux", {"bwrap"}, "expected prlimit"),
    ],
)
def test_without_a_sandbox_grading_is_refused(
    monkeypatch, handed_in, master, tmp_path, capsys, system, programs, words
):
    monkeypatch.setattr(sandbox.platform, "system", lambda: system)
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: name if name in programs else None)
    assert cli.main(arguments(handed_in, tmp_path / "out", master)) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "--unconfined" in said
    with pytest.raises(sandbox.SandboxError, match=words):
        Worker(sandbox.Limits())


@pytest.mark.skipif(os.name != "posix", reason="starts a program that is a shell script")
@pytest.mark.parametrize(
    ("script", "words"), [("echo not permitted >&2; exit 1", "not permitted"), ("exit 3", "exit 3")]
)
def test_a_bubblewrap_that_may_not_start_is_no_sandbox(monkeypatch, tmp_path, script, words):
    for name, content in (("bwrap", script), ("prlimit", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{content}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sandbox.platform, "system", lambda: "Linux")
    assert words in sandbox.lacking()
    assert "user namespaces" in sandbox.refusal()
    assert "--unconfined" in sandbox.refusal()


@needs_sandbox
def test_a_sandbox_that_does_not_start_is_the_teachers_problem(monkeypatch):
    monkeypatch.setattr(sandbox, "BOX", Path("/nowhere"))
    with pytest.raises(
        sandbox.SandboxError, match=r"no worker can be started.*Can't find source path /nowhere"
    ):
        Worker(sandbox.Limits())


def test_unconfined_it_says_so(handed_in, master, tmp_path, capsys):
    (tmp_path / "two").mkdir()
    for i in range(2):
        shutil.copy(handed_in / f"student{i}.ipynb", tmp_path / "two")
    out = tmp_path / "out"
    command = arguments(tmp_path / "two", out, master, "--unconfined", "-j", "1")
    assert cli.main(command) == 0
    assert "without a sandbox" in capsys.readouterr().err
    assert "without a sandbox" in (out / "summary.html").read_text()
    assert [row["test_update"] for row in rows_of(out).values()] == ["0", "2"]


# a run that is stopped goes on


def descendants(pid):
    found = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            found += [child, *descendants(child)]
    return found


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def stopped_after(count, how, command, out):
    """Start the command and stop it when it has graded some: its exit code, its processes."""
    process = subprocess.Popen(
        [COMMAND, *command], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    wait_until(lambda: len(list((out / "results").glob("*.json"))) >= count)
    children = descendants(process.pid)
    process.send_signal(how)
    return process.wait(PATIENCE), children


@needs_sandbox
def test_killed_and_interrupted_it_goes_on_to_the_same_grades(handed_in, master, tmp_path, graded):
    out = tmp_path / "again"
    command = arguments(handed_in, out, master)
    code, children = stopped_after(1, signal.SIGKILL, [*command, "-j", "1"], out)
    assert code == -signal.SIGKILL
    assert children
    wait_until(lambda: not any(Path("/proc", child).exists() for child in children))
    kept = {path: path.stat().st_mtime_ns for path in (out / "results").glob("*.json")}
    assert 1 <= len(kept) < 4
    code, _ = stopped_after(len(kept) + 1, signal.SIGINT, [*command, "-j", "1"], out)
    assert code == INTERRUPTED
    states = Counter(row["status"] for row in rows_of(out).values())
    assert set(states) == {"graded", "not graded yet"}
    assert cli.main([*command, "-j", "3"]) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    for name in (
        "grades.csv",
        "summary.html",
        *(f"feedback/{p.name}" for p in (out / "feedback").iterdir()),
    ):
        assert (out / name).read_bytes() == (graded / name).read_bytes()


@needs_sandbox
def test_what_changes_is_graded_again(handed_in, master, graded):
    before = set((graded / "results").iterdir())
    changed = Path(shutil.copytree(handed_in, graded.parent / "changed"))
    (changed / "student0.ipynb").write_bytes(written(small()))
    assert cli.main(arguments(changed, graded, master, "-j", "1")) == 0
    assert len(set((graded / "results").iterdir()) - before) == 1
    assert rows_of(graded)["student0"]["test_update"] == "2"


@needs_sandbox
def test_a_cluster_gives_the_same_grades(handed_in, master, tmp_path, graded, capsys):
    distributed = pytest.importorskip("distributed")
    out = tmp_path / "cluster"
    size = {"n_workers": 1, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**size, local_directory=str(tmp_path), protocol="tcp") as cluster:
        address = ["--scheduler", cluster.scheduler_address]
        assert cli.main(arguments(handed_in, out, master, *address)) == 0
    assert (out / "grades.csv").read_bytes() == (graded / "grades.csv").read_bytes()


@needs_sandbox
def test_a_scheduler_that_is_not_there_is_named(handed_in, master, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(batch, "CONNECT", "1s")
    address = ["--scheduler", "tcp://127.0.0.1:9"]
    assert cli.main(arguments(handed_in, tmp_path / "out", master, *address)) == 2
    assert "127.0.0.1:9" in capsys.readouterr().err


# the course's assignments


@needs_sandbox
@pytest.mark.parametrize("name", sorted(path.stem for path in ASSIGNMENTS.glob("*/*.ipynb")))
def test_an_assignments_own_solutions_get_full_marks(name, tmp_path):
    (tmp_path / "in").mkdir()
    shutil.copy(ASSIGNMENTS / name / f"{name}.ipynb", tmp_path / "in" / "solutions.ipynb")
    command = ["grade", name, str(tmp_path / "in"), "--out", str(tmp_path / "out"), "-j", "1"]
    assert cli.main(command) == 0
    assignment = tasks.load(name)
    row = rows_of(tmp_path / "out")["solutions"]
    points = [row[task.name] for task in assignment.tasks]
    assert points == [f"{task.points:g}" for task in assignment.tasks]


def test_the_corpus_is_made_from_a1():
    assert sum(task.points for task in tasks.load("A1").tasks) == submissions.ALL
    assert json.loads(submissions.A1.read_text())["nbformat"] == 4
