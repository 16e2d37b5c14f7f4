"""The bug clinic: its patients, its verdicts, and the judge of a learner's tests."""

import inspect
import re
import sys
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

from bn_tutorial import checks
from bn_tutorial.checks import clinic
from bn_tutorial.checks.bugs.layer import BatchNorm
from bn_tutorial.checks.bugs.layer_memory import STALE_BIAS
from bn_tutorial.checks.clinic_cards import CARDS
from bn_tutorial.checks.clinic_layers import HEALTHY

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "12_bug_clinic.ipynb"
NUMBERS = range(1, 13)
BUGS = len(checks.bugs_of("batch_norm_layer")) + 1  # and the stale bias

pytestmark = pytest.mark.usefixtures("one_thread")


# --- the patients -------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_a_patient_does_what_its_bug_does_and_does_not_tell_its_name(number):
    patient, bug = clinic.patient(number), CARDS[number - 1].bug
    shown = f"{patient!r} {patient.__name__} {patient.__qualname__} {patient.__doc__}"
    assert bug.name not in shown
    assert bug.code.__name__ not in shown
    if number == 9:  # the library does not have it, and the check can't name it
        verdict = checks.batch_norm_layer(patient)
        assert (verdict.passed, verdict.bug) == (False, None)
        assert verdict.message == checks.batch_norm_layer(bug.code).message
    else:
        assert getattr(checks, bug.check)(patient).bug == bug.name
    if isinstance(patient, type):
        assert str(patient(3)).startswith(f"Patient{number}(")


def test_no_two_patients_have_the_same():
    assert len(CARDS) == clinic.PATIENTS == len({card.bug.name for card in CARDS}) == 12
    kinds = {card.bug.check.removeprefix("batch_norm_") for card in CARDS}
    assert kinds == {"layer", "forward", "backward", "fold"}


@pytest.mark.parametrize("number", [0, 13, -1, "3", 2.0, None])
def test_an_unknown_patient_is_an_error(number):
    for ask in (clinic.patient, clinic.choices, lambda n: clinic.check(n, ...)):
        with pytest.raises(ValueError, match="number of a patient, 1 to 12, got "):
            ask(number)


# --- the diagnoses ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", NUMBERS)
def test_one_choice_is_right_and_the_others_are_ruled_out_each_in_its_own_way(number):
    card, names = CARDS[number - 1], list(clinic.choices(number))
    assert len(names) == 4
    assert names == sorted(names)  # the place does not tell
    verdicts = {name: clinic.check(number, name) for name in names}
    assert [name for name, verdict in verdicts.items() if verdict] == [card.bug.name]
    assert len({verdict.message for verdict in verdicts.values()}) == 4
    for name, verdict in verdicts.items():
        assert verdict.attempted
        assert len(verdict.message) > 50
        assert card.bug.name == name or card.bug.name not in verdict.message


@pytest.mark.parametrize("number", NUMBERS)
def test_the_choices_are_other_bugs_of_the_same_kind(number):
    card = CARDS[number - 1]
    for name in card.ruled_out:
        assert checks.find_bug(name).check == card.bug.check
    for meaning in clinic.choices(number).values():
        assert meaning.endswith(".")
        assert len(meaning) < 150


@pytest.mark.parametrize("nothing", [None, ...])
def test_a_stub_is_not_attempted(nothing):
    assert not clinic.check(3, nothing).attempted


@pytest.mark.parametrize("wrong", ["", "flu", 3, ["x"], float("nan"), object, "x" * 1_000])
def test_what_is_not_offered_gets_the_list(wrong):
    verdict = clinic.check(2, wrong)
    assert verdict.attempted
    assert not verdict.passed
    assert "batch_statistics_in_eval" in verdict.message
    assert len(verdict.message) < 400


def test_the_score_card_counts():
    right = {n: CARDS[n - 1].bug.name for n in NUMBERS}
    assert clinic.score(right).right == [*NUMBERS]
    assert repr(clinic.score(right)).startswith("12 of 12")
    some = {1: right[1], 2: right[3], 3: ...}
    card = clinic.score(some)
    assert (card.right, card.wrong, card.open) == ([1], [2], [*range(3, 13)])
    assert clinic.score({}).open == [*NUMBERS]


# --- the judge ----------------------------------------------------------------------------------


def equal(layer_class):
    x = torch.randn(64, 10)
    return torch.equal(layer_class(10)(x), nn.BatchNorm1d(10)(x))


def one_batch(layer_class):
    x = torch.randn(64, 10)
    return torch.allclose(layer_class(10)(x), nn.BatchNorm1d(10)(x), atol=1e-5)


def twenty_batches(layer_class):
    ours, theirs = layer_class(10), nn.BatchNorm1d(10)
    for x in torch.randn(20, 64, 10):
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)
    return torch.allclose(ours.eval()(x), theirs.eval()(x), atol=1e-5)


def test_more_thorough_tests_score_more():
    reports = [clinic.judge(test) for test in (one_batch, twenty_batches, checks.batch_norm_layer)]
    assert [report.rejected for report in reports] == [{}, {}, {}]
    scores = [report.score for report in reports]
    assert 0 < scores[0] < scores[1] < scores[2] == 1
    assert reports[2].caught == reports[2].bugs == BUGS
    assert all(report.attempted for report in reports)


def test_a_test_that_rejects_what_is_healthy_scores_nothing():
    report = clinic.judge(equal)
    assert "written by hand" in report.rejected
    assert report.score == 0 < report.caught
    assert "It is wrong about these healthy layers:\n* written by hand" in repr(report)
    assert clinic.judge(lambda layer_class: False).rejected.keys() == HEALTHY.keys()


def test_a_report_tells_symptoms_and_no_names():
    report = clinic.judge(one_batch)
    text = repr(report)
    assert text.startswith(f"caught 5 of {BUGS} bugs, rejected 0 of 7 healthy layers: score 14%")
    assert text.count("* ") == 6
    assert f"and {BUGS - 5 - 6} more" in text
    for bug in report.slipped:
        assert bug.name not in text


@pytest.mark.parametrize("stub", [lambda layer_class: None, lambda layer_class: ...])
def test_a_stub_of_a_test_is_not_attempted(stub):
    report = clinic.judge(stub)
    assert not report.attempted
    assert repr(report).startswith("not attempted yet")


def test_a_test_that_accepts_everything_scores_nothing():
    report = clinic.judge(lambda layer_class: True)
    assert report.attempted
    assert (report.caught, report.score, report.rejected) == (0, 0, {})


def raises(error):
    def test(layer_class):
        raise error

    return test


@pytest.mark.parametrize(
    "error",
    [NameError("y"), SystemExit(3), KeyboardInterrupt(), NotImplementedError(), BaseException("z")],
)
def test_what_a_test_raises_is_a_rejection(error):
    report = clinic.judge(raises(error))
    assert report.caught == BUGS
    assert report.score == 0
    assert report.rejected["PyTorch's own"].startswith(type(error).__name__)


def endless(layer_class):
    while True:
        pass


def stubborn(layer_class):
    while True:
        with suppress(Exception):
            time.sleep(0.01)


@pytest.mark.parametrize("test", [endless, stubborn])
def test_a_test_that_does_not_end_is_ended(test):
    begin = time.monotonic()
    report = clinic.judge(test, limit=0.05, total=0.2)
    assert time.monotonic() - begin < 10  # and not for ever
    assert report.caught == 0
    assert report.rejected["PyTorch's own"] == "it took too long"


def test_a_test_that_hangs_on_one_layer_is_judged_by_the_others():
    def test(layer_class):
        if not list(layer_class(4).parameters()):
            endless(layer_class)
        return twenty_batches(layer_class)

    report, without = clinic.judge(test, limit=0.3), clinic.judge(twenty_batches)
    assert report.rejected == {}
    slipped = {bug.name for bug in report.slipped}
    assert slipped == {bug.name for bug in without.slipped} | {"parameters_not_registered"}


def test_the_same_test_gets_the_same_report_and_leaves_no_trace(capsys):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    stdout = sys.stdout
    with torch.no_grad():
        first = clinic.judge(twenty_batches)
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.rand(1), expected)
    assert sys.stdout is stdout
    assert repr(clinic.judge(twenty_batches)) == repr(first)
    clinic.judge(lambda layer_class: print("x" * 500))
    assert len(capsys.readouterr().out) < 3_000


def test_the_class_does_not_tell_what_it_is():
    names = set()

    def test(layer_class):
        names.add((layer_class.__name__, layer_class.__qualname__, layer_class.__module__))

    clinic.judge(test)
    assert len(names) == 1


def test_the_stale_bias_is_not_healthy():  # the healthy layers are among the right answers
    assert not any(checks.batch_norm_layer(STALE_BIAS.code, seed=seed) for seed in range(10))


def test_the_healthy_layers_have_the_names_that_are_promised():
    for cls in HEALTHY.values():
        layer = cls(3)
        for name in ("weight", "bias", "running_mean", "running_var"):
            assert getattr(layer, name).shape == (3,)
    assert issubclass(HEALTHY["working in place"], BatchNorm)


# --- the notebook -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cells():
    return nbformat.read(NOTEBOOK, as_version=4).cells


def prose(cells):
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


@pytest.mark.parametrize("number", NUMBERS)
def test_the_file_of_a_patient_shows_what_is_wrong_in_the_code_that_runs(cells, number):
    bug = CARDS[number - 1].bug
    (file,) = [c.source for c in cells if f"The file of patient {number}<" in c.source]
    if isinstance(bug.code, type):  # a few lines of many
        assert f"```diff\n{bug.diff()}\n```" in file
    else:
        assert f"```python\n{bug.source('patient')}```" in file
    assert f"**`{bug.name}`.**" in file
    assert " ".join(bug.explanation.split()) in " ".join(file.split())
    assert f"Notebook to reread: {bug.chapter[:2]}" in file


def test_the_notebook_shows_the_layer_that_the_diffs_start_from(cells):
    assert f"```python\n{inspect.getsource(BatchNorm)}```\n\n</details>" in prose(cells)


@pytest.mark.parametrize("number", NUMBERS)
def test_the_notebook_offers_the_choices_and_asks(cells, number):
    text = " ".join(prose(cells).split())
    for name, meaning in clinic.choices(number).items():
        assert f"* `{name}`: {meaning}" in text
    asked = f"diagnosis[{number}] = ...\nchecks.clinic.check({number}, diagnosis[{number}])"
    assert sum(cell.source == asked for cell in cells) == 1


@pytest.mark.parametrize("number", NUMBERS)
def test_nothing_before_the_file_names_the_bug_but_the_list(cells, number):
    text = "\n".join(c.source for c in cells)
    begin, end = text.index(f"## Patient {number}."), text.index(f"The file of patient {number}<")
    name = CARDS[number - 1].bug.name
    assert text[begin:end].count(name) == 1


def solutions(cells):
    return re.findall(r"```python\n(.*?)```", prose(cells).split("## Exercises")[1], re.DOTALL)


def test_the_solution_catches_all_and_the_invention_is_new(cells):
    test, invention = solutions(cells)
    room = {"torch": torch, "nn": nn}
    exec(test, room)
    report = clinic.judge(room["test_batch_norm"])
    assert (report.slipped, report.rejected) == ([], {})
    exec(invention, room)
    verdict = checks.batch_norm_layer(room["Invention"])
    assert (verdict.passed, verdict.bug) == (False, None)
    with pytest.raises(AssertionError):
        room["test_batch_norm"](room["Invention"])
