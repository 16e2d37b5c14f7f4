"""Whatever a learner's code does, a check gives a verdict and leaves everything as it was."""

import contextlib
import gc
import os
import random
import signal
import sys
import warnings

import numpy as np
import pytest
import right_answers
import torch
from right_answers import plain, three_lines
from right_layers import Plain
from torch import nn

from bn_tutorial import checks
from bn_tutorial.checks import guard, judge
from bn_tutorial.checks.functions import FORWARD
from bn_tutorial.checks.observe import observe

RIGHT = {name: answers[0] for name, answers in right_answers.RIGHT.items()}
CHECKS = list(RIGHT)
OF_THE_COURSE = CHECKS[:6]  # what they ask for are tensors or modules, never numbers or lists

pytestmark = pytest.mark.usefixtures("one_thread")


def doing(action, name):
    """Make a function that does something or, for a layer, a class that does it in forward."""
    if name != "batch_norm_layer":
        return lambda *inputs: action(*inputs)
    return type("Layer", (Plain,), {"forward": lambda self, *inputs: action(*inputs)})


def verdicts(action):
    return {name: getattr(checks, name)(doing(action, name)) for name in CHECKS}


class OwnError(Exception):
    pass


class NoExceptionError(BaseException):
    pass


class SpeechlessError(Exception):
    def __str__(self):
        raise ZeroDivisionError


def raising(error):
    def action(*inputs):
        raise error

    return action


def recursion(*inputs):
    return recursion(*inputs)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (raising(ValueError("not yet")), "it raised ValueError: not yet"),
        (raising(OwnError()), "it raised OwnError"),
        (raising(SystemExit(3)), "it raised SystemExit: 3"),
        (raising(NoExceptionError("gone")), "it raised NoExceptionError: gone"),
        (raising(GeneratorExit()), "it raised GeneratorExit"),
        (raising(StopIteration(4)), "it raised StopIteration: 4"),
        (raising(MemoryError()), "it raised MemoryError"),
        (raising(SpeechlessError()), "it raised SpeechlessError: (its message can't be shown)"),
        (raising(ValueError("a\n\x1b[31mb\t c")), "it raised ValueError: a [31mb c"),
        (raising(ValueError("long " * 10_000)), "it raised ValueError: long long"),
        (recursion, "it raised RecursionError: maximum recursion depth exceeded"),
        (lambda: 3, "takes 0 positional arguments"),
        (lambda *inputs: sys.exit(), "it raised SystemExit"),
        (lambda *inputs: os.listdir("/nowhere/at/all"), "it raised FileNotFoundError"),
    ],
)
def test_what_is_raised_becomes_a_verdict(action, told):
    for verdict in verdicts(action).values():
        assert not verdict.passed
        assert verdict.bug is None
        assert told in verdict.message
        assert len(verdict.message) < 400
        assert verdict.message.isprintable()


@pytest.mark.parametrize(
    "action",
    [lambda *inputs: None, lambda *inputs: ..., raising(NotImplementedError("TODO"))],
)
def test_a_stub_is_not_attempted(action):
    for verdict in verdicts(action).values():
        assert (verdict.passed, verdict.bug, verdict.attempted) == (False, None, False)
        assert verdict.message.startswith("not attempted yet")


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("nothing", [None, ..., 3, "a"])
def test_what_can_not_be_called_is_no_answer(name, nothing):
    verdict = getattr(checks, name)(nothing)
    assert not verdict.passed
    assert verdict.attempted == (nothing in (3, "a"))


def test_other_stubs_are_not_attempted():
    class NoForward(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            super().__init__()

    class NoBody(nn.Module):
        def __init__(self, *args, **kwargs): ...

        def forward(self, x): ...

    assert not checks.batch_norm_backward(lambda *inputs: (None, None, None)).attempted
    assert not checks.calibrate(lambda x: [None, ...]).attempted
    assert not checks.batch_norm_layer(NoForward).attempted
    assert not checks.batch_norm_layer(NoBody).attempted


def test_half_a_stub_is_attempted():
    verdict = checks.batch_norm_backward(lambda dy, x, w, eps: (None, None, dy.sum(0)))
    assert verdict.attempted
    assert "dx: expected a torch.Tensor, got None" in verdict.message
    only_square = checks.batch_norm_forward(
        lambda x, w, b, eps: plain(x, w, b, eps) if x.shape[0] != x.shape[1] else None
    )
    assert only_square.message == "With a square batch, B = H = 4: it returns None."


class Liar(torch.Tensor):
    def __torch_function__(self, *args, **kwargs):
        return True


class Trap(tuple):
    def __iter__(self):
        raise SystemExit


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (lambda *inputs: 3, "got int"),
        (lambda *inputs: "y", "got str"),
        (lambda *inputs: {"y": 1}, "got dict"),
        (lambda *inputs: (i for i in inputs), "got generator"),
        (lambda *inputs: type("<b>\n", (), {})(), "got <b>"),
        (lambda *inputs: Trap((1, 2, 3)), "SystemExit|got Trap"),
    ],
)
def test_a_wrong_type_becomes_a_verdict(action, told):
    for name, verdict in verdicts(action).items():
        assert not verdict.passed
        assert verdict.bug is None
        assert verdict.message.isprintable()
        said = any(part in verdict.message for part in told.split("|"))
        assert said or name not in OF_THE_COURSE, (name, verdict)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda y: y.numpy(), "y: expected a torch.Tensor, got ndarray"),
        (lambda y: y.tolist(), "y: expected a torch.Tensor, got list"),
        (lambda y: (y,), "y: expected a torch.Tensor, got tuple"),
        (lambda y: y.long(), "expected floating-point numbers, got a tensor of torch.int64"),
        (lambda y: y > 0, "expected floating-point numbers, got a tensor of torch.bool"),
        (lambda y: y * 1j, "got a tensor of torch.complex128"),
        (lambda y: y.to_sparse(), "expected floating-point numbers"),
        (lambda y: y.to("meta"), "point numbers, got a tensor of torch.float64 on meta"),
        (lambda y: y.as_subclass(Liar), "y: expected a torch.Tensor, got Liar"),
        (lambda y: y.T, "y has shape (3, 5), expected (5, 3)"),
        (lambda y: y[None], "y has shape (1, 5, 3), expected (5, 3)"),
        (lambda y: y[:, :1], "y has shape (5, 1), expected (5, 3)"),
        (lambda y: y[:0], "y has shape (0, 3), expected (5, 3)"),
        (lambda y: y.sum(), "y has shape (), expected (5, 3)"),
        (lambda y: y * float("nan"), "is nan, expected"),
        (lambda y: y / 0, "inf, expected"),
        (lambda y: torch.empty(0), "y has shape (0,), expected (5, 3)"),
    ],
)
def test_a_wrong_tensor_becomes_a_verdict(wrong, told):
    verdict = checks.batch_norm_forward(lambda *inputs: wrong(plain(*inputs)))
    assert not verdict.passed
    assert verdict.bug is None
    assert verdict.message.startswith("With 5 examples of 3 units: ")
    assert told in verdict.message


def test_a_wrong_tuple_becomes_a_verdict():
    for n in (2, 0):
        verdict = checks.batch_norm_backward(lambda *inputs, n=n: three_lines(*inputs)[:n])
        assert f"expected a tuple (dx, dweight, dbias), got tuple of {n}" in verdict.message
    verdict = checks.calibrate(lambda x: x.mean(0))
    assert "expected a tuple (mean, std), got Tensor" in verdict.message


def test_a_wrong_module_becomes_a_verdict():
    assert "expected an nn.Linear, got Sequential" in checks.fold(nn.Sequential).message
    without = checks.fold(
        lambda linear, norm: nn.Linear(linear.in_features, linear.out_features, bias=False)
    )
    assert not without.passed
    assert "expected an nn.Module, got int" in checks.batch_norm_layer(lambda *_, **__: 3).message
    assert "got a layer made of it" in checks.batch_norm_layer(nn.BatchNorm1d(4)).message
    assert "expected something to call, got int" in checks.fold(3).message

    class Forgot(nn.Module):
        def __init__(self, num_features, eps=1e-5, momentum=0.1):
            self.eps = eps

        def forward(self, x):
            return x

    message = checks.batch_norm_layer(Forgot).message
    assert "__init__ has to begin with super().__init__()" in message


@pytest.mark.parametrize(
    "part", ["parameters", "named_parameters", "state_dict", "load_state_dict", "eval"]
)
def test_a_layer_that_fails_elsewhere_becomes_a_verdict(part):
    layer = type("Layer", (Plain,), {part: raising(SystemExit("no"))})
    assert "SystemExit: no" in checks.batch_norm_layer(layer).message


@pytest.mark.parametrize(
    ("name", "change", "changed"),
    [
        ("batch_norm_forward", lambda x, w, b, eps: x.zero_(), "x"),
        ("batch_norm_forward", lambda x, w, b, eps: w.add_(1), "weight"),
        ("batch_norm_forward", lambda x, w, b, eps: b.data.mul_(2), "bias"),
        ("batch_norm_forward", lambda x, w, b, eps: x.numpy().fill(1), "x"),
        ("batch_norm_forward", lambda x, w, b, eps: x.resize_(0), "x"),
        (
            "batch_norm_forward",
            lambda x, w, b, eps: (x.fill_(float("nan")), w.fill_(0)),
            "x and weight",
        ),
        ("fold", lambda linear, norm: norm.running_mean.add_(1), "batch_norm"),
        ("fold", lambda linear, norm: norm.train(), "batch_norm"),
        ("contexts", lambda words, symbols, block_size: words.clear(), "words"),
        ("good_decades", lambda rates, losses, within: losses.sub_(1), "losses"),
    ],
)
def test_a_changed_input_is_reported(name, change, changed):
    def answer(*inputs):
        found = RIGHT[name](*inputs)
        change(*inputs)
        return found

    verdict = getattr(checks, name)(answer)
    assert not verdict.passed
    assert f"it changes its input {changed} in place" in verdict.message
    assert getattr(checks, name)(RIGHT[name]).passed  # the inputs of the next answer are whole


def test_a_buffer_that_is_used_again_is_no_problem():
    space = {}

    def forward(x, weight, bias, eps):
        y = space.setdefault(x.shape, torch.empty_like(x))
        return y.copy_(plain(x, weight, bias, eps))

    assert checks.batch_norm_forward(forward).passed


def test_an_answer_that_changes_from_call_to_call_is_rejected():
    calls = []

    def forward(x, weight, bias, eps):
        calls.append(x)
        return plain(x, weight, bias, eps) + 0.1 * (len(calls) > 6)

    verdict = checks.batch_norm_forward(forward)
    assert verdict.message.startswith("With the first input once more: ")


ARGUMENTS = {
    "batch_norm_forward": ["Tensor", "Tensor", "Tensor", "float"],
    "batch_norm_backward": ["Tensor", "Tensor", "Tensor", "float"],
    "running_update": ["Tensor", "Tensor", "float"],
    "calibrate": ["Tensor"],
    "fold": ["Linear", "BatchNorm1d"],
    "contexts": ["list", "str", "int"],
    "uniform_loss": ["int"],
    "bigram_loss": ["Tensor", "Tensor", "int", "float"],
    "leftover": ["float", "int"],
    "batch_weights": ["float", "int"],
    "momentum_for": ["float", "int"],
    "good_decades": ["list", "Tensor", "float"],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_answer_is_called_a_few_times_only_and_with_the_agreed_arguments(name):
    calls = []

    def counted(*inputs):
        calls.append([type(value).__name__ for value in inputs])
        return RIGHT[name](*inputs)

    assert getattr(checks, name)(counted).passed
    assert len(calls) <= 10
    assert all(call == ARGUMENTS[name] for call in calls)


def test_after_an_error_that_is_no_matter_of_shape_there_is_no_further_call():
    calls = []

    def forward(*inputs):
        calls.append(inputs)
        raise TimeoutError

    assert "TimeoutError" in checks.batch_norm_forward(forward).message
    assert len(calls) == 1


def test_output_is_bounded(capsys):
    def chatty(x, weight, bias, eps):
        print("x" * 100)
        print("e" * 10, file=sys.stderr)
        return plain(x, weight, bias, eps)

    assert checks.batch_norm_forward(chatty).passed
    shown = capsys.readouterr()
    assert shown.out == ("x" * 100 + "\n") * 7
    assert shown.err == ("e" * 10 + "\n") * 7


def test_endless_output_becomes_a_verdict(capsys):
    def endless(*inputs):
        while True:
            with contextlib.suppress(Exception):
                print("once more " * 10)

    for verdict in verdicts(endless).values():
        assert "more than 100000 characters were printed" in verdict.message
    assert len(capsys.readouterr().out) < len(CHECKS) * 2100


def test_a_check_leaves_no_trace():
    def action(*inputs):
        torch.manual_seed(1)
        np.random.seed(1)  # noqa: NPY002
        random.seed(1)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float16)
        torch.set_num_threads(3)
        warnings.simplefilter("error")
        sys.stdout = None
        gc.enable()
        raise ValueError

    def state():
        return (
            torch.get_rng_state().tolist(),
            random.getstate(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
            list(warnings.filters),
            gc.isenabled(),
            sys.stdout,
            sys.stderr,
        )

    for mode in (True, False):
        with torch.set_grad_enabled(mode):
            torch.set_default_dtype(torch.float64 if mode else torch.float32)
            try:
                before = state()
                verdicts(action)
                for name, answer in RIGHT.items():
                    assert getattr(checks, name)(answer).passed
                assert state() == before
            finally:
                torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda: torch.set_grad_enabled(False),
        lambda: torch.set_default_dtype(torch.float16),
        lambda: warnings.simplefilter("error"),
    ],
)
def test_what_an_answer_sets_does_not_change_what_others_are_held_against(spoil):
    class Spoiled(Plain):
        def forward(self, x):
            spoil()
            return super().forward(x) if self.training else x

    def spoiled(dy, x, weight, eps):
        spoil()
        return dy, weight, weight

    judge.recorded.cache_clear()
    assert not checks.batch_norm_backward(spoiled).passed
    assert not checks.batch_norm_layer(Spoiled).passed
    for name in ("statistics_detached", "mode_guessed_from_grad", "updates_in_eval"):
        bug = checks.find_bug(name)
        assert getattr(checks, bug.check)(bug.code).bug == name


def test_warnings_are_no_errors():
    def forward(x, weight, bias, eps):
        warnings.warn("careful", stacklevel=1)
        return plain(x, weight, bias, eps)

    assert checks.batch_norm_forward(forward).passed


@pytest.mark.parametrize("name", CHECKS)
def test_the_users_interrupt_goes_through(name):
    def interrupted(*inputs):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

    streams = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt):
        getattr(checks, name)(doing(interrupted, name))
    assert (sys.stdout, sys.stderr) == streams
    assert getattr(checks, name)(RIGHT[name]).passed


def test_an_interrupt_during_a_known_bug_leaves_no_half_script():
    def half(*inputs):
        raise KeyboardInterrupt

    interrupted = judge.replay(lambda code, seed: (half() for _ in range(3)), None, 1)
    judge.replay(FORWARD.script, plain, 99)
    with pytest.raises(KeyboardInterrupt):
        list(interrupted)
    assert judge.recorded.cache_info().currsize == 0


def test_what_is_replayed_is_run_once_and_no_further_than_needed():
    ran = []

    def script(code, seed):
        for at in range(3):
            ran.append(at)
            yield at

    assert next(judge.replay(script, None, 0)) == 0
    assert ran == [0]
    assert [list(judge.replay(script, None, 0)) for _ in range(2)] == [[0, 1, 2]] * 2
    assert ran == [0, 1, 2]
    assert list(judge.replay(script, None, 1)) == [0, 1, 2]  # another seed
    assert len(ran) == 6


def test_what_is_observed_of_one_call():
    def seen(function, arguments, read=lambda value: {"y": value}):
        return observe("here", function, arguments, read)

    changed = seen(lambda words, x: {words.append("c"): x}, {"words": ["a"], "x": torch.ones(2)})
    assert changed.problem == "it changes its input words in place"
    assert seen(lambda words: words.append("c"), {"words": ["a"]}).stub == "it returns None"
    assert seen(lambda n: n + 1, {"n": 1}).values == {"y": 2}
    broken = seen(lambda n: n, {"n": 1}, lambda value: value.nothing)
    assert broken.error_type == "AttributeError"
    assert guard.one_line("a" * 1000) == "a" * 199 + "…"
