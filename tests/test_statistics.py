import subprocess
import sys

import pytest
import reference
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import bn_tutorial as bn
from bn_tutorial import evaluation, statistics
from bn_tutorial.network import Network

HIDDEN, BLOCK_SIZE = 10, 3
ANIMALS = "ox emu gnu boa asp yak newt moth toad lynx mink ibex wasp crab mule seal"
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def zoo():
    return bn.Dataset.from_words(ANIMALS.split(), block_size=BLOCK_SIZE)


@pytest.fixture(scope="module")
def train(zoo):
    def train(**fields):
        defaults = {"hidden": HIDDEN, "steps": 40, "batch_size": 8, "dtype": "float64"}
        return bn.train(zoo, bn.Recipe(**(defaults | fields)))

    return train


@pytest.fixture(scope="module")
def run(train):
    return train()


@pytest.fixture(scope="module")
def stats(run, zoo):
    return bn.calibrate(run, zoo.train)


def assert_close(ours, theirs, tolerance=1e-10):
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


def assert_same_statistics(ours, theirs, tolerance=1e-10):
    assert_close(ours.mean, theirs.mean, tolerance)
    assert_close(ours.std, theirs.std, tolerance)


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(("correction", "eps"), [(0, 1e-5), (1, 0.0), (1, 0.1)])
def test_calibrate_measures_the_whole_split_as_one_batch(train, zoo, depth, correction, eps):
    run = train(depth=depth, correction=correction, eps=eps)
    stats = bn.calibrate(run, zoo.train)
    expected = reference.statistics(run, zoo.train.contexts)
    assert len(stats.mean) == len(stats.std) == depth
    assert_same_statistics(stats, expected)


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("kept", [0, 2, 99], ids="{} chunks kept".format)
@pytest.mark.parametrize("last", [0, 1, 2])
def test_calibrate_in_chunks_equals_one_batch(
    train, zoo, monkeypatch, placement, correction, kept, last
):
    run = train(depth=3, placement=placement, correction=correction, eps=1e-5)
    n = 5 * 7 + last  # the last chunk has 7, 1 or 2 examples
    split = bn.Split((), zoo.train.contexts[:n], zoo.train.targets[:n])
    monkeypatch.setattr(statistics, "CHUNK", 7)
    monkeypatch.setattr(statistics, "KEPT", kept * 7 * HIDDEN)
    stats = bn.calibrate(run, split)
    expected = reference.statistics(run, split.contexts)
    assert_same_statistics(stats, expected, 1e-12)


@pytest.mark.parametrize(("kept", "times"), [(0, 75), (2, 63), (99, 45)])
def test_what_is_kept_between_two_layers_is_not_computed_again(
    train, zoo, monkeypatch, kept, times
):
    run, calls, through = train(depth=5), [], Network.hidden_layer
    monkeypatch.setattr(statistics, "CHUNK", 7)
    monkeypatch.setattr(statistics, "KEPT", kept * 7 * HIDDEN)
    monkeypatch.setattr(Network, "hidden_layer", lambda *a: calls.append(1) or through(*a))
    bn.calibrate(run, bn.Split((), zoo.train.contexts[:35], zoo.train.targets[:35]))
    assert len(calls) == times  # of 5 chunks, each layer once, and what leads to it


MEMORY = """
import torch
import bn_tutorial as bn

def megabytes(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) / 1e3

def growth(function, *args):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak is the present size again
    before = megabytes("VmRSS")
    result = function(*args)
    print(megabytes("VmHWM") - before)
    return result

words = bn.Dataset.from_words(bn.load_words())
run = bn.train(words, bn.Recipe(steps=10, depth=2))
bn.evaluate(run, words.val, bn.calibrate(run, words.val))
g = torch.Generator().manual_seed(1)
n = 950_000  # as many as 100,000 words have
split = bn.Split((), torch.randint(28, (n, 3), generator=g), torch.randint(28, (n,), generator=g))
stats = growth(bn.calibrate, run, split)
growth(bn.evaluate, run, split, stats)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the peak of the memory")
def test_memory_does_not_grow_with_the_words():
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert done.stderr == ""
    calibrating, evaluating = map(float, done.stdout.split())
    assert calibrating < 300
    assert evaluating < 300


def test_calibrate_measures_the_split_it_is_given(run, zoo, stats):
    other = bn.calibrate(run, zoo.val)
    assert_same_statistics(other, reference.statistics(run, zoo.val.contexts))
    assert not torch.allclose(other.mean[0], stats.mean[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_statistics_have_the_dtype_of_the_recipe(train, zoo, dtype):
    run = train(dtype=dtype)
    for stats in (bn.calibrate(run, zoo.train), bn.running_statistics(run)):
        assert [s.dtype for s in stats.mean + stats.std] == [dtype, dtype]
        assert [s.shape for s in stats.mean + stats.std] == [(HIDDEN,), (HIDDEN,)]


@pytest.mark.parametrize(("track", "power"), [("std", 1), ("variance", 2)])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize("momentum", [0, 0.001, 0.1, 0.9, 1, 1.0, 0.0])
def test_running_statistics_equal_the_loop_over_the_steps(train, depth, momentum, track, power):
    run = train(depth=depth)
    stats = bn.running_statistics(run, momentum, track=track)
    for layer in range(depth):
        mean = torch.zeros(HIDDEN, dtype=torch.float64)
        spread = torch.ones(HIDDEN, dtype=torch.float64)
        for batch in range(40):
            mean = (1 - momentum) * mean + momentum * run.batch_mean[layer][batch]
            spread = (1 - momentum) * spread + momentum * run.batch_std[layer][batch] ** power
        assert_close(stats.mean[layer], mean)
        assert_close(stats.std[layer], spread ** (1 / power))


@pytest.mark.parametrize("correction", [0, 1])
@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_a_running_variance_is_that_of_nn_batch_norm(train, momentum, correction):
    run = train(correction=correction, eps=1e-5)
    theirs = torch.nn.BatchNorm1d(HIDDEN, momentum=momentum, dtype=torch.float64)
    for mean, std in zip(run.batch_mean[0], run.batch_std[0], strict=True):
        theirs(_with(mean, std, run.recipe.batch_size, correction))
    stats = bn.running_statistics(run, momentum, track="variance")
    assert_close(stats.mean[0], theirs.running_mean)
    assert_close(stats.std[0] ** 2, theirs.running_var)


def _with(mean, std, n, correction):
    """Make a batch (n, H) with this mean and this standard deviation."""
    x = torch.randn(n, len(mean), dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = (x - x.mean(dim=0)) / x.std(dim=0, correction=correction)
    return x * std + mean


def test_running_statistics_without_momentum_are_the_plain_average(run):
    stats = bn.running_statistics(run, None)
    assert_close(stats.mean[0], run.batch_mean[0].mean(dim=0))
    assert_close(stats.std[0], run.batch_std[0].mean(dim=0))


def test_the_momentum_of_the_seed_recipe_is_the_default(run):
    assert_same_statistics(bn.running_statistics(run), bn.running_statistics(run, 0.001), 0)


@given(st.floats(0, 1), st.integers(1, 30))
@example(0.0, 5)
@example(1.0, 5)
@settings(deadline=None, max_examples=50)
def test_a_batch_weighs_less_by_one_factor_for_every_step_since(momentum, steps):
    one_hot = [torch.eye(steps, dtype=torch.float64)]  # unit k is 1 in batch k and 0 in the others
    recipe = bn.Recipe(hidden=steps, steps=steps, dtype="float64")
    run = bn.Run(recipe, torch.zeros(steps), {}, one_hot, one_hot, [])
    stats = bn.running_statistics(run, momentum)
    weights = torch.tensor(
        [momentum * (1 - momentum) ** (steps - 1 - k) for k in range(steps)], dtype=torch.float64
    )
    left = (1 - momentum) ** steps
    assert_close(stats.mean[0], weights)
    assert_close(stats.std[0], weights + left)
    assert stats.mean[0].sum() + left == pytest.approx(1)


@pytest.mark.parametrize("momentum", [0.001, 1.0, None])
def test_running_statistics_before_the_first_step_are_where_they_start(train, momentum):
    stats = bn.running_statistics(train(steps=0), momentum)
    assert torch.equal(stats.mean[0], torch.zeros(HIDDEN, dtype=torch.float64))
    assert torch.equal(stats.std[0], torch.ones(HIDDEN, dtype=torch.float64))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    "fields",
    [
        {"norm": None},
        {"hidden_bias": False},
        {"eps": 0.1},
        {"norm": "layer", "eps": 1e-5},
        {"placement": "after", "eps": 1e-5},
        {"norm": "layer", "placement": "after", "eps": 1e-5},
    ],
    ids=str,
)
def test_evaluate_equals_plain_torch(train, zoo, fields, depth, dtype):
    run = train(depth=depth, dtype=dtype, **fields)
    stats = bn.calibrate(run, zoo.train) if run.recipe.norm == "batch" else None
    expected = reference.read(run, zoo.val.contexts, stats)["output"]
    ours = bn.logits(run, zoo.val.contexts, stats)
    assert ours.dtype == torch.float64
    assert_close(ours, expected)
    loss = bn.evaluate(run, zoo.val, stats)
    assert isinstance(loss, float)
    assert loss == pytest.approx(F.cross_entropy(expected, zoo.val.targets).item(), abs=1e-10)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_losses_equal_plain_torch(train, zoo, norm, dtype, monkeypatch):
    run = train(norm=norm, depth=2, eps=1e-5, dtype=dtype)
    contexts, targets = zoo.train.contexts[:24], zoo.train.targets[:24]
    stats = bn.calibrate(run, zoo.train) if norm == "batch" else None
    monkeypatch.setattr(evaluation, "CHUNK", 7)
    ours = evaluation.losses(run, contexts, targets, stats)
    logits = reference.read(run, contexts, stats)["output"]
    assert ours.dtype == torch.float64
    assert_close(ours, F.cross_entropy(logits, targets, reduction="none"))
    assert evaluation.losses(run, contexts[:0], targets[:0], stats).shape == (0,)


def test_losses_without_statistics_normalize_each_batch_with_its_own(run, zoo, monkeypatch):
    monkeypatch.setattr(evaluation, "CHUNK", 7)  # it must not cut a batch in two
    contexts, targets = zoo.train.contexts[:24], zoo.train.targets[:24]

    def expected(rows):
        logits = reference.read(run, contexts[rows])["output"]
        return F.cross_entropy(logits, targets[rows], reduction="none")

    assert_close(evaluation.losses(run, contexts, targets), expected(slice(None)))
    batches = torch.arange(24).reshape(3, 8)
    ours = evaluation.losses(run, contexts[batches], targets[batches])  # (3, 8)
    assert_close(ours, torch.stack([expected(rows) for rows in batches]))


def test_several_batches_at_once_are_for_their_own_statistics_only(train, run, zoo, stats):
    batches = zoo.train.contexts[:24].reshape(3, 8, 3), zoo.train.targets[:24].reshape(3, 8)
    for reading in ((run, *batches, stats), (train(norm=None), *batches)):
        with pytest.raises(ValueError, match=r"^contexts: expected indices of shape \(N, 3\)"):
            evaluation.losses(*reading)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
def test_evaluation_leaves_no_trace(train, zoo, norm):
    run = train(norm=norm, eps=1e-5)
    stats = bn.calibrate(run, zoo.train) if norm == "batch" else None
    tensors = [*run.parameters.values(), *(stats.mean + stats.std if stats else [])]
    before = [tensor.clone() for tensor in tensors]
    first, other, again = (bn.evaluate(run, s, stats) for s in (zoo.val, zoo.test, zoo.val))
    assert first == again != other
    assert all(torch.equal(*pair) for pair in zip(tensors, before, strict=True))
    if stats:
        assert torch.equal(bn.calibrate(run, zoo.train).mean[0], stats.mean[0])


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("last", [0, 1, 2])
def test_chunks_make_no_difference(train, zoo, norm, last, monkeypatch):
    run = train(norm=norm, eps=1e-5)
    stats = bn.calibrate(run, zoo.train) if norm == "batch" else None
    contexts = zoo.train.contexts[: 3 * 7 + last]  # the last chunk has 7, 1 or 2 examples
    whole = bn.logits(run, contexts, stats)
    loss = bn.evaluate(run, zoo.val, stats)
    assert bn.logits(run, contexts[:0], stats).shape == (0, len(zoo.vocabulary))
    monkeypatch.setattr("bn_tutorial.evaluation.CHUNK", 7)
    assert_close(bn.logits(run, contexts, stats), whole, 1e-12)
    monkeypatch.setattr("bn_tutorial.evaluation.CHUNK", 5)
    assert bn.evaluate(run, zoo.val, stats) == pytest.approx(loss, abs=1e-12)


@pytest.mark.parametrize(
    ("norm", "correction"), [(None, 1), ("layer", 1), ("batch", 0), ("batch", 1)]
)
def test_a_single_example_has_the_answer_it_has_in_company(train, zoo, norm, correction):
    run = train(norm=norm, correction=correction, eps=1e-5, depth=2)
    stats = bn.calibrate(run, zoo.train) if norm == "batch" else None
    together = bn.logits(run, zoo.val.contexts, stats)
    for i in (0, 3):
        alone = bn.logits(run, zoo.val.contexts[i : i + 1], stats)
        assert_close(alone, together[i : i + 1], 1e-12)


def test_answers_do_not_depend_on_the_company(run, zoo, stats):
    contexts = zoo.val.contexts
    pairs = bn.logits(run, contexts[[0, 1]], stats), bn.logits(run, contexts[[0, 5]], stats)
    assert_close(pairs[0][0], pairs[1][0], 1e-12)
    backwards = bn.logits(run, contexts.flip(0), stats).flip(0)
    assert_close(backwards, bn.logits(run, contexts, stats), 1e-12)


@pytest.mark.parametrize("shape", [(4, 2), (4, 4), (3,), (2, 4, 3), (0, 2)])
def test_contexts_of_another_shape_are_refused(run, stats, shape):
    contexts, targets = torch.zeros(shape, dtype=int), torch.zeros(shape[0], dtype=int)
    with pytest.raises(ValueError, match=r"^contexts: expected indices of shape") as caught:
        bn.logits(run, contexts, stats)
    assert str(caught.value).endswith(f"of shape {shape}")
    with pytest.raises(ValueError, match=r"^(contexts|split): expected "):
        bn.calibrate(run, bn.Split((), contexts, targets))
    with pytest.raises(ValueError, match=r"^(contexts|split): expected "):
        bn.evaluate(run, bn.Split((), contexts, targets), stats)


@pytest.mark.parametrize("offset", [-1, 1])
def test_contexts_outside_the_vocabulary_are_refused(run, zoo, stats, offset):
    symbols = len(zoo.vocabulary)
    contexts = zoo.val.contexts.clone()
    contexts[2, 1] = -1 if offset < 0 else symbols
    message = rf"^contexts: expected indices from 0 to {symbols - 1}, got "
    split = bn.Split(zoo.val.words, contexts, zoo.val.targets)
    with pytest.raises(ValueError, match=message) as caught:
        bn.logits(run, contexts, stats)
    assert str(contexts[2, 1].item()) in str(caught.value).split("got ")[1]
    with pytest.raises(ValueError, match=message):
        bn.calibrate(run, split)
    with pytest.raises(ValueError, match=message):
        bn.evaluate(run, split, stats)


def test_repr_is_one_short_line(stats):
    assert repr(stats) == "Statistics(1 layers of 10 units)"
