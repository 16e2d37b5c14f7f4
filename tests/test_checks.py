"""The library of known bugs: each is rejected, named, and told from all others."""

import inspect
import math
import re
from itertools import combinations
from pathlib import Path

import pytest
import torch
from right_answers import contexts_as_tensors
from torch import nn

from bn_tutorial import checks
from bn_tutorial.checks import assignments
from bn_tutorial.checks.bugs import contexts as cuts
from bn_tutorial.checks.bugs.bug import edited
from bn_tutorial.checks.compare import alike
from bn_tutorial.checks.folding import FOLD
from bn_tutorial.checks.functions import BACKWARD, FORWARD
from bn_tutorial.checks.judge import SEED, Task, diagnose, first_problem, replay
from bn_tutorial.checks.layer import LAYER
from bn_tutorial.checks.statistics import CALIBRATE, RUNNING

OF_THE_COURSE = (FORWARD, BACKWARD, RUNNING, CALIBRATE, FOLD, LAYER)
OF_THE_ASSIGNMENTS = [t for t in vars(assignments).values() if isinstance(t, Task)]
TASKS = {task.name: task for task in (*OF_THE_COURSE, *OF_THE_ASSIGNMENTS)}
NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
BUGGY = [(bug, code) for bug in checks.BUGS for code in (bug.code, *bug.variants)]
IDS = [f"{bug.check}-{bug.name}" for bug, _ in BUGGY]

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(("bug", "code"), BUGGY, ids=IDS)
def test_a_known_bug_is_rejected_and_named(bug, code):
    verdict = getattr(checks, bug.check)(code)
    assert not verdict.passed
    assert verdict.bug == bug.name
    assert verdict.message.startswith(bug.explanation)
    assert bug.chapter in verdict.message
    assert len(verdict.message) < 600


def behaviour(task, seed=SEED):
    """Return the known bugs of a task, in all ways, with what each does, and what is right."""
    seen = [
        (bug, list(replay(task.script, code, seed)))
        for bug, code in BUGGY
        if bug.check == task.name
    ]
    return seen, [list(replay(task.script, code, seed)) for code in task.references]


@pytest.mark.parametrize("seed", range(50))
def test_no_bug_is_taken_for_another(seed):
    # as judge does it, but what a bug does is run once and used on both sides
    wrong = []
    for task in TASKS.values():
        buggy, expected = behaviour(task, seed)
        for bug, seen in buggy:
            named = diagnose(task, seen, expected, seed)
            right = not all(first_problem(task, seen, e) for e in expected)
            if right or named is not bug:
                wrong.append(f"{bug.name}: right {right}, {named}")
    assert wrong == []


@pytest.mark.parametrize("seed", [1, 2**40])
def test_a_check_takes_a_seed(seed):
    for bug in checks.BUGS:
        assert getattr(checks, bug.check)(bug.code, seed=seed).bug == bug.name


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_every_two_bugs_of_a_check_behave_differently(task):
    # the first bug of the list that fits is named, so this is more than the test above
    buggy, expected = behaviour(task)
    for (one, these), (other, those) in combinations(buggy, 2):
        same = len(these) == len(those) and all(
            alike(a, b, right, task.tolerance)
            for a, b, *right in zip(these, those, *expected, strict=False)
        )
        assert one is other or not same, f"{one} and {other}"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_bug_is_far_from_right(task):
    # a bug that differs by little more than the tolerance would pass on another machine
    buggy, expected = behaviour(task)
    for bug, seen in buggy:
        for right in expected:
            pairs = zip(seen, right, strict=False)
            assert any(task.difference(a, b, 30 * task.tolerance) for a, b in pairs), bug.name


def test_the_same_mistake_written_in_another_way_has_the_same_name():
    def without_end(words, symbols, block_size):
        contexts, targets = contexts_as_tensors(words, symbols, block_size)
        inside = targets != len(symbols) - 1
        return contexts[inside], targets[inside]

    def strings(words, symbols, block_size):
        contexts, targets = cuts.contexts(words, symbols, block_size)
        return ["".join(symbols[i] for i in c) for c in contexts], [symbols[i] for i in targets]

    def unsmoothed(train, held_out, size, k):
        table = torch.zeros(size, size)
        for before, target in train:
            table[before, target] += 1
        p = table / table.sum(dim=1, keepdim=True)  # 0 / 0 where a row is empty
        return -p[held_out[:, 0], held_out[:, 1]].log().mean()

    def infinite(train, held_out, size, k):
        loss = unsmoothed(train, held_out, size, k)
        return math.inf if loss.isnan() else loss

    assert checks.contexts(without_end).bug == "end_symbol_forgotten"
    assert checks.contexts(strings).bug == "symbols_instead_of_indices"
    assert checks.bigram_loss(unsmoothed).bug == "counts_not_smoothed"
    assert checks.bigram_loss(infinite).bug == "counts_not_smoothed"
    assert checks.leftover(lambda m, n: float(m) ** n).bug == "momentum_reversed"


def test_the_library_is_large_and_covers_every_check():
    names = [(bug.check, bug.name) for bug in checks.BUGS]
    assert len(names) == len(set(names)) >= 20
    assert {bug.check for bug in checks.BUGS} == set(TASKS)
    assert len(checks.bugs_of("batch_norm_layer")) >= 12
    assert checks.bugs_of("nothing") == []


@pytest.mark.parametrize("bug", checks.BUGS, ids=str)
def test_a_bug_is_documented(bug):
    assert re.fullmatch(r"[a-z_0-9]+", bug.name)
    assert (NOTEBOOKS / f"{bug.chapter}.ipynb").exists()
    # nobody is shown the symptom of an assignment's bug
    texts = [bug.explanation] + [bug.symptom] * (TASKS[bug.check] in OF_THE_COURSE)
    for text in texts:
        assert text.endswith((".", ".)"))
        assert "  " not in text
    assert bug.symptom.rstrip(".").count(". ") == 0, "one sentence"
    assert repr(bug) == f"Bug({bug.name!r})"


@pytest.mark.parametrize("bug", checks.BUGS, ids=str)
def test_the_code_of_a_bug_can_be_shown_and_run_by_itself(bug):
    assert re.search(rf"(def|class) {bug.right.__name__}\(", bug.source())
    assert len(bug.variants) == len(bug.others)  # all of them are in BUGGY
    text = bug.source("Patient")
    assert text.count("\n") < 32
    assert not re.search(rf"\b{bug.right.__name__}\b", text)
    room = {"torch": torch, "nn": nn, "math": math}
    exec(text, room)  # needs nothing but these
    assert getattr(checks, bug.check)(room["Patient"]).bug == bug.name


@pytest.mark.parametrize("bug", checks.BUGS, ids=str)
def test_a_diff_leads_from_right_code_to_the_bug(bug):
    assert getattr(checks, bug.check)(bug.right).passed
    right, wrong = inspect.getsource(bug.right), bug.source()
    lines = bug.diff().splitlines()
    for mark, text, other in (("-", right, wrong), ("+", wrong, right)):
        marked = [line[1:] for line in lines if line.startswith(mark)]
        assert set(text.splitlines()) - set(other.splitlines()) <= set(marked)
        assert set(marked) <= set(text.splitlines())
    assert {line[0] for line in lines if line} <= set("-+ .")
    graded = TASKS[bug.check] in OF_THE_ASSIGNMENTS
    assert getattr(checks, bug.check)(bug.code).diff == ("" if graded else bug.diff())
    assert not re.search(rf"\b{bug.right.__name__}\b", bug.diff("Patient"))


def test_an_edit_has_to_fit_once():
    for old in ("y", "x"):
        with pytest.raises(ValueError, match=f"edits: expected '{old}' once in the right code"):
            edited("def f(x):\n    return x\n", {old: ""})


def test_edits_are_made_at_once_and_keep_the_indentation():
    text = "if a:\n    first\n    second\n"
    edits = {"first": "second\nthird", "second": ""}
    assert edited(text, edits) == "if a:\n    second\n    third\n"


def test_the_patients_of_the_layer_are_whole_modules():
    for bug in checks.bugs_of("batch_norm_layer"):
        assert bug.code.__bases__ == (nn.Module,)
        assert {"__init__", "forward"} <= set(vars(bug.code))


@pytest.mark.parametrize("bug", checks.BUGS, ids=str)
def test_a_bug_is_found_by_its_name_and_check(bug):
    assert checks.find_bug(bug.name, bug.check) is bug


def test_an_unknown_name_is_an_error():
    assert checks.find_bug("eps_ignored").check == "batch_norm_forward"
    with pytest.raises(KeyError, match="expected the name of a known bug, got 'flu'"):
        checks.find_bug("flu")
    assert checks.find_bug("only_empty_cells_smoothed").check == "bigram_loss"
    with pytest.raises(KeyError, match="check: expected one of running_update, leftover, batch"):
        checks.find_bug("momentum_reversed")
    with pytest.raises(KeyError, match="a known bug of fold, got 'eps_ignored'"):
        checks.find_bug("eps_ignored", "fold")
