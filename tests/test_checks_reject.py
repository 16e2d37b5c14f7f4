"""Wrong answers that the library does not know: rejected all the same, with what differs."""

import math
import re

import pytest
import torch
from right_answers import fold_by_matrix, plain, three_lines
from right_layers import Plain
from torch import nn

from bn_tutorial import checks
from bn_tutorial.checks.bugs import averages, baselines
from bn_tutorial.checks.bugs import contexts as cuts

pytestmark = pytest.mark.usefixtures("one_thread")


def forward_with(change):
    return lambda x, weight, bias, eps: change(plain(x, weight, bias, eps), x, weight, bias, eps)


def only_for(condition, wrong, right):
    """Be wrong only where an input is of one kind."""
    return lambda *inputs: (wrong if condition(*inputs) else right)(*inputs)


def shuffled(x, weight, bias, eps):
    return plain(x, weight, bias, eps).roll(1, 0)


FORWARD = {
    "a percent off": forward_with(lambda y, *_: 1.01 * y),
    "a hundredth of a percent off": forward_with(lambda y, *_: 1.0001 * y),
    "another sign": forward_with(lambda y, *_: -y),
    "shuffled": shuffled,
    "clamped": forward_with(lambda y, *_: y.clamp(-1, 1)),
    "zero": forward_with(lambda y, *_: 0 * y),
    "positive gains only": lambda x, w, b, eps: plain(x, w.abs(), b, eps),
    "the input": lambda x, weight, bias, eps: x,
    "one wrong number": forward_with(lambda y, *_: y + (y == y.max()) * 0.1),
    "a wrong last example": forward_with(lambda y, *_: torch.cat([y[:-1], y[:1]])),
    "median": lambda x, w, b, eps: (
        w * (x - x.median(0)[0]) / (x.var(0, correction=0) + eps).sqrt() + b
    ),
    "root of eps": lambda x, w, b, eps: plain(x, w, b, eps**0.5),
    "wrong for large eps": lambda x, w, b, eps: plain(x, w, b, min(eps, 0.1)),
    "wrong for squares": only_for(lambda x, *_: x.shape[0] == x.shape[1], shuffled, plain),
    "wrong for far means": lambda x, w, b, eps: plain(x.float(), w, b, eps),
    "wrong where x does not vary": forward_with(
        lambda y, x, w, b, eps: torch.where(x.std(0) < 1e-9, 0.0, y)
    ),
    "weights by batch": lambda x, w, b, eps: plain(x, w.roll(1), b.roll(1), eps),
    "half precision": lambda x, w, b, eps: plain(x.half(), w.half(), b.half(), eps),
    "noise": forward_with(lambda y, *_: y + 0.01 * torch.randn_like(y)),
}


def backward_with(change):
    def backward(dy, x, weight, eps):
        return change(*three_lines(dy, x, weight, eps), dy, x, weight, eps)

    return backward


BACKWARD = {
    "dx another sign": backward_with(lambda dx, dw, db, *_: (-dx, dw, db)),
    "positive gains only": lambda dy, x, w, eps: three_lines(dy, x, w.abs(), eps),
    "dx zero": backward_with(lambda dx, dw, db, *_: (0 * dx, dw, db)),
    "dx half": backward_with(lambda dx, dw, db, *_: (dx / 2, dw, db)),
    "dweight zero": backward_with(lambda dx, dw, db, *_: (dx, 0 * dw, db)),
    "dbias zero": backward_with(lambda dx, dw, db, *_: (dx, dw, 0 * db)),
    "dweight another sign": backward_with(lambda dx, dw, db, *_: (dx, -dw, db)),
    "dbias of x": backward_with(lambda dx, dw, db, dy, x, *_: (dx, dw, x.sum(0))),
    "absolute": backward_with(lambda dx, dw, db, *_: (dx, dw.abs(), db)),
    "permuted": backward_with(lambda dx, dw, db, *_: (dw, dx, db)),
    "gain squared": backward_with(lambda dx, dw, db, dy, x, w, eps: (w * dx, dw, db)),
    "large eps": lambda dy, x, weight, eps: three_lines(dy, x, weight, min(eps, 0.1)),
    "only the first unit": backward_with(
        lambda dx, dw, db, *_: (torch.cat([dx[:, :1], 0 * dx[:, 1:]], 1), dw, db)
    ),
}
RUNNING = {
    "squared": lambda running, batch, m: (1 - m**2) * running + m**2 * batch,
    "root": lambda running, batch, m: (1 - m**0.5) * running + m**0.5 * batch,
    "mean of both": lambda running, batch, m: (
        ((1 - m) * running + m * batch).mean().expand(len(batch))
    ),
    "zero": lambda running, batch, m: 0 * running,
    "the larger": lambda running, batch, m: torch.maximum(running, batch),
    "clamped": lambda running, batch, m: ((1 - m) * running + m * batch).clamp(-1, 1),
    "not for 0": lambda running, batch, m: (1 - m) * running + (m or 0.1) * batch,
    "a percent off": lambda running, batch, m: 1.01 * ((1 - m) * running + m * batch),
    "geometric": lambda running, batch, m: running.abs() ** (1 - m) * batch.abs() ** m,
    "a number": lambda running, batch, m: ((1 - m) * running + m * batch)[0],
}
CALIBRATE = {
    "median": lambda x: (x.median(0)[0], x.std(0)),
    "correction 2": lambda x: (x.mean(0), x.std(0, correction=2)),
    "corrections by size": lambda x: (x.mean(0), x.std(0, correction=int(len(x) > 5))),
    "range": lambda x: (x.mean(0), x.max(0)[0] - x.min(0)[0]),
    "quantiles": lambda x: (x.mean(0), (x.quantile(0.84, 0) - x.quantile(0.16, 0)) / 2),
    "ones": lambda x: (x.mean(0), torch.ones_like(x[0])),
    "no mean": lambda x: (torch.zeros_like(x[0]), x.std(0)),
    "shared std": lambda x: (x.mean(0), x.std(0).mean().expand(x.shape[1])),
    "one over": lambda x: (x.mean(0), 1 / x.std(0)),
    "float32": lambda x: (x.float().mean(0), x.float().std(0)),
    "half of it": lambda x: (x[::2].mean(0), x[::2].std(0)),
}


def fold_with(change):
    def fold(linear, batch_norm):
        folded = fold_by_matrix(linear, batch_norm)
        change(folded, linear, batch_norm)
        return folded

    return fold


def sum_of_means(folded, linear, batch_norm):
    folded.bias.data = folded.bias.data + batch_norm.running_mean


def transpose(folded, linear, batch_norm):
    folded.weight.data = folded.weight.data.T.contiguous()


FOLD = {
    "the mean again": fold_with(sum_of_means),
    "transposed": fold_with(transpose),
    "flipped": fold_with(lambda folded, *_: folded.bias.data.neg_()),
    "a percent": fold_with(lambda folded, *_: folded.weight.data.mul_(1.01)),
    "the given linear": lambda linear, batch_norm: linear,
    "a new linear": lambda linear, batch_norm: nn.Linear(linear.in_features, linear.out_features),
    "variance squared": fold_with(
        lambda folded, linear, norm: folded.weight.data.div_(norm.running_var[:, None])
    ),
    "one row": fold_with(lambda folded, *_: folded.weight.data[-1].zero_()),
    "the batch norm changed": lambda linear, batch_norm: fold_by_matrix(linear, batch_norm.train()),
}


def made(change):
    """Change a right layer that was just made."""

    class Layer(Plain):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            change(self)

    return Layer


def going(change):
    """Change what a right layer does: ``change(layer, x, right forward)``."""

    class Layer(Plain):
        def forward(self, x):
            return change(self, x, super().forward)

    return Layer


class OnlyWithGradients(Plain):
    def remember(self, mean, var):
        if mean.requires_grad:
            super().remember(mean, var)


class DoubleUpdate(Plain):
    def remember(self, mean, var):
        super().remember(mean, var)
        super().remember(mean, var)


class Shared(Plain):
    memory = (torch.zeros(4), torch.ones(4))

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.running_mean, self.running_var = (t.zero_() for t in self.memory)
        self.running_var += 1


class SharedWithOthers(Plain):
    everything = {}  # noqa: RUF012

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.running_mean = self.everything.setdefault("mean", self.running_mean)
        self.running_var = self.everything.setdefault("var", self.running_var)


LAYERS = {
    "noisy": going(lambda layer, x, right: right(x) + 0.01 * torch.randn_like(x)),
    "another eps": lambda units, eps=1e-3, momentum=0.1: Plain(units, eps, momentum),
    "another momentum": lambda units, eps=1e-5, momentum=0.01: Plain(units, eps, momentum),
    "gain zero": made(lambda layer: layer.weight.data.zero_()),
    "gain frozen": made(lambda layer: layer.weight.requires_grad_(False)),
    "one gain": made(lambda layer: setattr(layer, "weight", nn.Parameter(torch.ones(1)))),
    "a third parameter": made(lambda layer: setattr(layer, "more", nn.Parameter(torch.zeros(7)))),
    "slipping": going(
        lambda layer, x, right: (
            right(x) if layer.training or len(x) > 1 else layer.bias.expand(x.shape)
        )
    ),
    "positive gains": going(
        lambda layer, x, right: (right(x) - layer.bias) * layer.weight.sign() + layer.bias
    ),
    "without gradients": going(lambda layer, x, right: torch.no_grad()(right)(x)),
    "always four": going(
        lambda layer, x, right: right(x) if len(x) < 6 else right(x[:4]).repeat(2, 1)[:6]
    ),
    "only with gradients": OnlyWithGradients,
    "double update": DoubleUpdate,
    "shared": Shared,
    "shared with others": SharedWithOthers,
    **{cls.__name__: cls for cls in (nn.Identity, nn.Tanh, nn.InstanceNorm1d, nn.LayerNorm)},
}
OF_THE_ASSIGNMENTS = [
    ("contexts", lambda w, s, b: ([[0] * b], [0])),
    ("contexts", lambda w, s, b: [c[::2] for c in cuts.contexts(w, s, b)]),
    ("contexts", lambda w, s, b: cuts.contexts(sorted(w)[::-1], s, b)),
    ("contexts", lambda w, s, b: ([0], [[1], [2]])),
    ("contexts", lambda w, s, b: ("abc", 3)),
    ("contexts", lambda w, s, b: {"contexts": 1}),
    ("contexts", lambda w, s, b: torch.zeros(3)),
    ("contexts", lambda w, s, b: 7),
    ("uniform_loss", lambda size: math.log(size) * 1.001),
    ("uniform_loss", lambda size: 3.3322),
    ("uniform_loss", lambda size: True),
    ("uniform_loss", lambda size: "3.33"),
    ("bigram_loss", lambda *given: baselines.bigram_loss(*given) + 0.001),
    ("bigram_loss", lambda *given: torch.zeros(3)),
    ("bigram_loss", lambda *given: math.nan),
    ("leftover", lambda m, n: 0.5),
    ("leftover", lambda m, n: [1, 2]),
    ("batch_weights", lambda m, n: averages.batch_weights(m, n)[1:]),
    ("batch_weights", lambda m, n: [[0.5], [0.5, 0.5]]),
    ("batch_weights", lambda m, n: 0.5),
    ("batch_weights", lambda m, n: ["a"] * n),
    ("batch_weights", lambda m, n: []),
    ("momentum_for", lambda w, n: 0.1),
    ("momentum_for", lambda w, n: 1 - w ** (1 / n) + 1e-3),
    ("good_decades", lambda rates, losses, within: 2.0),
    ("good_decades", lambda rates, losses, within: math.inf),
]
WRONG = [
    (check, name, answer)
    for check, answers in {
        "batch_norm_forward": FORWARD,
        "batch_norm_backward": BACKWARD,
        "running_update": RUNNING,
        "calibrate": CALIBRATE,
        "fold": FOLD,
        "batch_norm_layer": LAYERS,
    }.items()
    for name, answer in answers.items()
] + [(check, f"{number}", answer) for number, (check, answer) in enumerate(OF_THE_ASSIGNMENTS)]


@pytest.mark.parametrize(
    ("check", "answer"),
    [pytest.param(check, answer, id=f"{check}-{name}") for check, name, answer in WRONG],
)
def test_what_no_known_bug_explains_is_rejected_with_what_differs(check, answer):
    for seed in (1502, 0, 1, 2):
        verdict = getattr(checks, check)(answer, seed=seed)
        assert not verdict.passed
        assert verdict.bug is None
        assert verdict.attempted
        where, what = verdict.message.split(": ", 1)
        assert re.match("With |In |After |Among ", where)
        assert "expected" in what or "it " in what or "no " in what


def test_the_message_tells_input_place_and_both_numbers():
    message = checks.running_update(RUNNING["a percent off"]).message
    pattern = r"With momentum 0\.1: running\[\d\] is (-?[\d.]+), expected (-?[\d.]+)\."
    found = re.fullmatch(pattern, message)
    assert float(found[1]) == pytest.approx(1.01 * float(found[2]), rel=1e-3)


def test_the_message_of_an_assignment_shows_a_case_that_differs():
    verdict = checks.leftover(lambda m, n: 0.5)
    assert verdict.message == "With momentum=0.3, steps=4: expected 0.2401, came 0.5."
    verdict = checks.batch_weights(lambda m, n: [0.1] * n)
    assert "[0]: expected" in verdict.message
    verdict = checks.contexts(lambda *given: [part[:-1] for part in cuts.contexts(*given)])
    assert verdict.message.endswith(
        ": expected 11 contexts and as many targets, came 10 contexts and 10 targets."
    )


def test_a_fragile_case_does_not_quote_what_rounding_made():
    message = checks.batch_norm_forward(checks.find_bug("cancelling_variance").code).message
    assert message.endswith(" With a large mean: y is far from what was expected.")


@pytest.mark.parametrize("correction", [0, 1])
def test_the_message_is_about_the_right_answer_that_is_followed_the_longest(correction):
    def drifting_wrong(x):
        return x.mean(0), x.std(0, correction=correction) * (1.1 if len(x) > 100 else 1.0)

    message = checks.calibrate(drifting_wrong).message
    assert message.startswith("With 150 examples that drift: std[")
