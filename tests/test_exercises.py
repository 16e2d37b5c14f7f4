"""The notebooks' own checks: right answers pass, natural mistakes are named, and nothing raises.

The cells of an exercise are run in a small world of their own: what a notebook has trained by then
is not needed to tell answers apart.
"""

import copy
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from torch import nn

import bn_tutorial as bn
from tools.run_notebooks import NOTEBOOKS

pytestmark = pytest.mark.usefixtures("one_thread")


def code(stem):
    """Return the cells of a notebook, (kind, source) each, without magics."""
    (path,) = NOTEBOOKS.glob(f"{stem}_*.ipynb")
    cells = nbformat.read(path, as_version=4).cells
    return [(c.cell_type, c.source.replace("%matplotlib inline\n", "")) for c in cells]


def run(stem, world, *parts):
    """Run the code cells in which one of these texts stands."""
    for part in parts:
        (source,) = (s for kind, s in code(stem) if kind == "code" and part in s)
        exec(source, world)
    return world


def exercise(stem, number, world):
    """Run an exercise's code cells, with its stub, and return the world with its check."""
    cells = code(stem)
    begin = next(i for i, (_, s) in enumerate(cells) if f"### Exercise {number}:" in s)
    for kind, source in cells[begin:]:
        if kind == "code":
            exec(source, world)
            if "isolated" in source:
                return world
    raise AssertionError(f"no check in exercise {number}")


def imports(stem):
    return run(stem, {"__name__": "exercise"}, "import bn_tutorial as bn")


# --- 01 -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tables():
    world = {"__name__": "exercise"}
    for kind, source in code("01"):
        if source.startswith("explorers.guesses"):
            plt.close("all")
        if kind == "code":
            exec(source, world)
    plt.close("all")
    return world


def word_loss(pad=".", turned=False, divide=None):
    def answer(word, table, encode):
        i = encode(pad + word + ".")
        pairs = (i[1:], i[:-1]) if turned else (i[:-1], i[1:])
        each = -table[pairs].log()
        return each.mean().item() if divide is None else (each.sum() / (len(word) + divide)).item()

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (word_loss(), "Correct"),
        (word_loss(pad="..."), "dots that only fill the context"),
        (word_loss(turned=True), "a row of the table is the symbol before"),
        (word_loss(divide=0), "n + 1 examples"),
        (lambda word, table, encode: "two", "expected numbers"),
        (lambda word, table, encode: [1.0, 2.0], "expected 1 number(s), got 2"),
        (lambda word, table, encode: None, "not attempted yet"),
    ],
)
def test_the_loss_of_a_word(tables, answer, said):
    w = tables
    word = w["dataset"].test.words[0]
    given = answer(word, w["bigram"], w["vocabulary"].encode)
    single = bn.data.build_split([word], w["vocabulary"], block_size=3)
    each = w["losses"](w["bigram"], single)
    # the notebook's cell: its mistakes stand in the world no more, exercise 3 has others
    world = dict(w) | {"word_loss": lambda *_: given}
    (cell,) = (s for kind, s in code("01") if kind == "code" and "a_dot_a_dot" in s)
    exec(cell, world)
    assert said in str(w["verdict"](given, each.mean(), world["mistakes"]))


def back_off(trigram_counts, bigram, k):
    return (trigram_counts + k * bigram) / (trigram_counts.sum(dim=-1, keepdim=True) + k)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (back_off, "Correct"),
        (lambda t, b, k: back_off(t, b[:, None], k), "row of b, not of a"),
        (lambda t, b, k: back_off(t, b, k) * 2, "sum to 1"),
        (lambda t, b, k: b, "expected a Tensor of shape"),
        (lambda t, b, k: "x", "could not be checked"),
    ],
)
def test_backing_off(tables, answer, said):
    assert said in str(tables["check_back_off"](answer))


# --- 02 -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plain_start():
    world = imports("02") | {"plain": bn.Recipe(norm=None)}
    run("02", world, "dataset = bn.Dataset.from_words", "parameters = {")
    (source,) = (s for _, s in code("02") if s.startswith("def look_inside"))
    exec(source, world)
    return world


def gain_for(spread, fan_in, mean_square):
    return spread / (fan_in * mean_square + 1) ** 0.5


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gain_for, "Correct"),
        (lambda s, f, m: torch.tensor(gain_for(s, f, m)), "Correct"),
        (lambda s, f, m: s / f**0.5, "beside the fan-in"),
        (lambda s, f, m: abs((s**2 - 1) / (f * m)) ** 0.5, "the gain multiplies the bias too"),
        (lambda s, f, m: s / (f * m) ** 0.5, "you forgot the bias"),
        (lambda s, f, m: s / (f * m + 1), "divides by the variance"),
        (lambda s, f, m: "a", "expected a number"),
    ],
)
def test_the_gain_for_a_spread(plain_start, answer, said):
    check = exercise("02", 1, plain_start)["check_gain_for"]
    assert said in str(check(answer))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda t, v: torch.bincount(t, minlength=v).float().log(), "Correct"),
        (lambda t, v: torch.bincount(t, minlength=v).float(), "softmax takes exponentials"),
        (lambda t, v: torch.bincount(t, minlength=v).numpy(), "got a ndarray"),
        (lambda t, v: torch.zeros(3), "got shape (3,)"),
        (lambda t, v: 3, "got a int"),
    ],
)
def test_the_best_bias(plain_start, answer, said):
    check = exercise("02", 2, plain_start)["check_best_bias"]
    assert said in str(check(answer))


def test_which_parameters_move(plain_start):
    check = exercise("02", 3, plain_start)["check_moving_parameters"]
    right = (
        {"output.weight", "output.bias"},
        {"hidden.0.weight", "hidden.0.bias", "output.bias"},
        {"output.bias"},
    )
    assert check(lambda: right).count("Correct") == 3
    one = check(lambda: (right[0], ..., ...))
    assert one.count("Correct") == 1
    assert one.count("not attempted yet") == 2
    assert check(lambda: (..., ..., ...)) == "not attempted yet"
    assert "expected a set" in check(lambda: ("output.bias", {"gain"}, right[2]))


# --- 03 to 05 -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def normed():
    world = imports("03")
    exec(
        next(s for _, s in code("03") if s.startswith("def batch_norm(")).split("\n\n\n")[0], world
    )
    generator = torch.Generator()

    def with_mates(b, _):  # its spread halves with every four times as many
        return torch.randn(28, generator=generator) / b**0.5 / 4

    return world | {"with_mates": with_mates, "target": 0}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda x: (x.std(0), x.mean(0)), "right"),
        (lambda x: (x.mean(0), x.std(0)), "weight comes first"),
        (lambda x: (x.std(0, correction=0), x.mean(0)), "correction 0"),
        (lambda x: (x.var(0), x.mean(0)), "this is the variance"),
        (lambda x: x.std(0), "expected a pair"),
        (lambda x: ("a", "b"), "could not be checked"),
    ],
)
def test_undoing_batch_norm(normed, answer, said):
    assert said in str(exercise("03", 1, normed)["check_undo"](answer))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda b: (b - 1) / b**0.5, "right"),
        (lambda b: (b - 1) ** 0.5, "with correction 0"),
        (lambda b: b**0.5, "never reached"),
        (lambda b: "many", "could not be checked"),
    ],
)
def test_the_loudest_example(normed, answer, said):
    assert said in str(exercise("03", 2, normed)["check_largest"](answer))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (128, "right"),
        (32, "too small"),
        (512, "enough, but"),
        (100, "power of two"),
        ("a", "power"),
    ],
)
def test_enough_mates(normed, given, said):
    assert said in str(exercise("03", 3, normed)["check_enough"](given))


@pytest.fixture(scope="module")
def evaluated(dataset):
    run = bn.train(dataset, bn.Recipe(steps=100))
    splits = {name: getattr(dataset, name) for name in ("train", "val", "test")}
    stats = bn.calibrate(run, dataset.train)
    world = imports("04") | {"run": run, "val": dataset.val, "splits": splits, "stats": stats}
    losses = {
        name: bn.evaluate(run, dataset.val, bn.calibrate(run, s)) for name, s in splits.items()
    }
    return exercise("04", 1, world)["check_val_losses"], losses


def test_the_losses_on_val_are_told_apart(evaluated):
    check, losses = evaluated
    assert str(check(lambda: losses)).startswith("right")
    close = losses | {"test": losses["test"] + 5e-4}  # as near as another split's statistics come
    assert str(check(lambda: close)) == "not yet, look at test"


@pytest.fixture(scope="module")
def pieces(dataset):
    world = imports("04") | {"train": dataset.train}
    exec(next(s for _, s in code("04") if s.startswith("def measure(x):  #")), world)
    x = torch.randn(len(dataset.train), 5, dtype=torch.float64)
    x += dataset.train.contexts[:, -1:]
    world["x_train"] = x
    world["mean"], world["std"] = world["measure"](x)
    return exercise("04", 3, world)["check_measure_pieces"]


def streamed(pieces):
    n, mean, squares = 0, 0.0, 0.0
    for piece in pieces:
        new, apart = len(piece), piece.mean(dim=0) - mean
        squares = squares + ((piece - piece.mean(dim=0)) ** 2).sum(dim=0)
        squares = squares + apart**2 * n * new / (n + new)
        mean, n = mean + apart * new / (n + new), n + new
    return mean, (squares / (n - 1)).sqrt()


def added_up(pieces):
    n, total, squares = 0, 0.0, 0.0
    for piece in pieces:
        n, total, squares = n + len(piece), total + piece.sum(0), squares + (piece**2).sum(0)
    mean = total / n
    return mean, ((squares - n * mean**2) / (n - 1)).sqrt()


def all_kept(pieces):
    x = torch.cat(list(pieces))
    return x.mean(0), x.std(0)


def looked_at_twice(pieces):
    n = sum(len(piece) for piece in pieces)
    mean = sum(piece.sum(0) for piece in pieces) / n
    return mean, mean


def mean_of_means(pieces):
    both = [(piece.mean(0), piece.std(0)) for piece in pieces]
    return tuple(sum(part) / len(both) for part in zip(*both, strict=True))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (streamed, "right"),
        (added_up, "right"),
        (all_kept, "pieces are kept at a time"),
        (looked_at_twice, "could not be checked"),
        (mean_of_means, "counts every piece alike"),
        (lambda pieces: None, "not attempted yet"),
        (lambda pieces: 3.0, "expected a pair"),
        (lambda pieces: (0.0, 0.0), "never looked at"),
    ],
)
def test_measuring_in_pieces(pieces, answer, said):
    assert said in str(pieces(answer))


def update(mean, var, x, m, correction=1):
    return (1 - m) * mean + m * x.mean(0), (1 - m) * var + m * x.var(0, correction=correction)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (update, "right"),
        (lambda mean, var, x, m: update(mean, var, x, 1 - m), "the momentum is reversed"),
        (lambda *given: update(*given, correction=0), "correction 0"),
        (lambda *given: update(*given)[0], "expected a pair"),
        (lambda *given: ("a", "b"), "could not be checked"),
    ],
)
def test_the_update(answer, said):
    check = exercise("05", 1, imports("05"))["check_running_update"]
    assert said in str(check(answer))


# --- 07 -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backward():
    world = imports("07")
    run("07", world, "dataset = bn.Dataset.from_words", "snapshot = bn.probe(start, contexts")
    exec(next(s for _, s in code("07") if s.startswith("def batch_norm(")), world)
    world["weight"] = 1 + 0.5 * torch.randn(1, 100, dtype=torch.float64)
    return world


@pytest.fixture(scope="module")
def boxes(backward):
    world = dict(backward)
    run("07", world, "weight = 1 + 0.5 *", "def forward(x, weight, bias, correction, eps)")
    run("07", world, "def autograd(x, weight, bias, dy", "values, referee = autograd(")
    run("07", world, "def your_lines(", "def check_boxes(")
    return world


def our_lines(v, dy, weight, correction, eps):
    n, d = len(dy), {}
    d["bias"] = dy.sum(dim=0, keepdim=True)
    d["weight"] = (dy * v["x_hat"]).sum(dim=0, keepdim=True)
    d["x_hat"] = dy * weight
    d["inv_std"] = (d["x_hat"] * v["centered"]).sum(dim=0, keepdim=True)
    d["var"] = -0.5 * (v["var"] + eps) ** -1.5 * d["inv_std"]
    d["squares_sum"] = d["var"] / (n - correction)
    d["squares"] = d["squares_sum"].expand(n, -1)
    d["centered"] = d["x_hat"] * v["inv_std"] + d["squares"] * 2 * v["centered"]
    d["mean"] = -d["centered"].sum(dim=0, keepdim=True)
    d["total"] = d["mean"] / n
    d["x"] = d["centered"] + d["total"]
    return d


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: {}, "dx: right"),
        (lambda d: {"bias": ...}, "dbias: still blank"),
        (lambda d: {"var": -d["var"]}, "dvar: the sign is wrong"),
        (lambda d: {"squares": d["squares_sum"]}, "its shape is (1, 100), not (64, 100)"),
        (lambda d: {"bias": d["bias"] / 64}, "its length is 0.0156 times"),
        (lambda d: {"bias": "all"}, "its shape is None"),
        (lambda d: 1 / 0, "could not be checked"),
    ],
)
def test_the_blanks_of_the_boxes(boxes, change, said):
    def answer(*given):
        d = our_lines(*given)
        return d | change(d)

    assert said in str(boxes["check_boxes"](answer))
    assert str(boxes["check_boxes"](our_lines)).count("right") == 11


def test_the_tables_of_notebook_07_are_not_spoilt_by_its_later_cells():
    """A cell that is run once more after the last one finds the names it was written for."""
    later = [s for kind, s in code("07") if kind == "code"]
    first = next(i for i, s in enumerate(later) if "right, wrong = print_errors" in s)
    for source in later[first + 1 :]:
        assert not re.search(r"^(right|x_hat|dx|layer)\b.* = ", source, flags=re.MULTILINE) or (
            "layer_norm(leaf" in source or "BatchNorm1d(100, eps=1e-12" in source
        ), source


def layer_norm_backward(dy, x_hat, inv_std, weight, below=100, both=100):
    dx_hat = dy * weight
    shared = dx_hat.sum(dim=1, keepdim=True) / both
    sized = (dx_hat * x_hat).sum(dim=1, keepdim=True) / (below if both == 100 else both)
    return inv_std * (dx_hat - shared - x_hat * sized)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (layer_norm_backward, "right"),
        (lambda *given: layer_norm_backward(*given, below=99), "divides by H"),
        (lambda *given: layer_norm_backward(*given, both=64), "divided by H, not by B"),
        (lambda dy, x_hat, inv_std, w: inv_std * dy * w, "nothing flows"),
        (lambda dy, x_hat, inv_std, w: 1.0, "got a float"),
        (lambda dy, x_hat, inv_std, w: dy[0], "got (100,)"),
    ],
)
def test_the_way_back_of_layer_norm(backward, answer, said):
    assert said in str(exercise("07", 2, backward)["check_layer_norm_backward"](answer))


def test_flat_directions(backward):
    check = exercise("07", 3, backward)["check_directions"]
    table = backward["start"].parameters["embedding"]
    first, second = torch.zeros_like(table), torch.zeros_like(table)
    first[:, 0], second[:, 1] = 1, 1
    assert str(check([table, first, second], table)) == "right"
    assert "leads nowhere" in str(check([table, first, torch.zeros_like(table)], table))
    assert "only 2 are independent" in str(check([table, first, 2 * first], table))
    assert "the loss changes" in str(check([table, first, torch.randn_like(table)], table))
    assert "could not be checked" in str(check(3, table))


# --- 08 and 09 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deep():
    world = imports("08")
    run("08", world, "dataset = bn.Dataset.from_words", "GAINS = [0.02")
    world["start"] = replace(world["recipe"], steps=0, dtype="float64")
    return world


def allowed(depth, most):
    return most ** (-1 / (depth - 1)), most ** (1 / (depth - 1))


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (allowed, "right"),
        (lambda depth, most: allowed(depth + 1, most), "count the steps"),
        (lambda depth, most: allowed(depth, most)[::-1], "the smallest factor comes first"),
        (lambda depth, most: most, "expected a pair"),
        (lambda depth, most: ("a", "b"), "could not be checked"),
    ],
)
def test_the_factors_that_are_allowed(deep, answer, said):
    assert said in str(exercise("08", 1, deep)["check_allowed"](answer))


def gains(correction=1, together=True):
    def answer(p, depth, contexts):
        h, factors = p["embedding"][contexts].flatten(1), []
        for i in range(depth):
            x = h @ p[f"hidden.{i}.weight"] + p[f"hidden.{i}.bias"]
            factors.append(1 / x.std(correction=correction).item())
            h = torch.tanh(x * factors[-1] if together else x)
        return factors

    return answer


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gains(), "right"),
        (gains(correction=0), "correction 0"),
        (gains(together=False), "did the layers before it"),
        (lambda p, depth, contexts: [1.0] * depth, "the very first x"),
        (lambda p, depth, contexts: 1.0, "expected a list of 10"),
    ],
)
def test_a_gain_for_every_layer(deep, answer, said):
    check = exercise("08", 2, deep)["check_measured_gains"]
    assert said in str(check(lambda p, depth: answer(p, depth, deep["contexts"])))


@pytest.fixture(scope="module")
def small_batches():
    world = imports("09")
    run("09", world, "dataset = bn.Dataset.from_words", "EXAMPLES = 30_720")
    exec(next(s for _, s in code("09") if s.startswith("def find(runs")), world)
    exec(next(s for _, s in code("09") if s.startswith("def scaled_rate")), world)
    world["start"] = bn.train(world["dataset"], bn.Recipe(steps=0, dtype="float64"))
    return world


def group_norm(x, weight, bias, groups, eps=1e-5, outside=False, correction=0):
    parts = x.reshape(len(x), groups, -1)
    var, mean = torch.var_mean(parts, dim=2, correction=correction, keepdim=True)
    std = var.sqrt() + eps if outside else (var + eps).sqrt()
    return weight * ((parts - mean) / std).reshape(x.shape) + bias


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (group_norm, "right"),
        (lambda *given: group_norm(*given, outside=True), "inside the root"),
        (lambda *given: group_norm(*given, correction=1), "correction 1"),
        (lambda x, *given: x[0], "expected the shape"),
        (lambda *given: 3, "could not be checked"),
    ],
)
def test_group_norm(small_batches, answer, said):
    assert said in str(exercise("09", 2, small_batches)["check_group_norm"](answer))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"esp": 1.0}, "expected a dict with some of eps"),
        ({"eps": "1"}, "the recipe does not take that"),
        (1.0, "expected a dict with some of eps"),
        ({"placement": "above"}, "the recipe does not take that"),
        (None, "not attempted yet"),
    ],
)
def test_a_rescue_of_the_wrong_kind(small_batches, given, said):
    assert said in str(exercise("09", 3, small_batches)["check_rescue"](given))


# --- 10 and 11 ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def module():
    world = imports("10")
    run("10", world, "dataset = bn.Dataset.from_words", "class Net(nn.Module)", "NAMES = {")
    run("10", world, "def load_course(net", "def loss_of(net")
    recipe = bn.Recipe(steps=20, correction=0, eps=1e-5)
    world["run"] = bn.train(world["dataset"], recipe)
    world["net"] = world["drawn_net"](nn.BatchNorm1d(100))[0]
    with torch.no_grad():
        world["net"](world["train"].contexts)
    return world


def evaluation(no_grad=True, restore=True, mode="eval"):
    def mean_loss(net, split):
        modes = [(part, part.training) for part in net.modules()]
        getattr(net, mode)()
        with torch.set_grad_enabled(not no_grad):
            loss = nn.functional.cross_entropy(net(split.contexts), split.targets).item()
        for part, was in modes if restore else []:
            part.training = was
        return loss

    return mean_loss


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (evaluation(), "right"),
        (evaluation(no_grad=False), "autograd kept a graph"),
        (evaluation(restore=False), "the mode is not restored"),
        (evaluation(mode="train"), "the buffers have moved"),
        (lambda net, split: "low", "expected a float"),
        (lambda net, split: 3.0, "the loss is 3.0000"),
    ],
)
def test_an_evaluation_that_leaves_no_trace(module, answer, said):
    assert said in str(exercise("10", 1, copy.copy(module))["check_mean_loss"](answer))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "right, all five"),
        ({"C": "supported"}, "C is not 'supported'"),
        ({"C": "Not tested"}, "got 'Not tested'"),
        ({"F": "supported"}, "the keys A to E"),
    ],
)
def test_reading_the_evidence(change, said):
    check = exercise("11", 1, imports("11"))["check_verdicts"]
    right = dict.fromkeys("AD", "supported") | dict.fromkeys("BE", "contradicted")
    assert said in str(check(right | {"C": "not tested"} | change))
    assert "the keys A to E" in str(check("supported"))
