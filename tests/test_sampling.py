from collections import Counter
from dataclasses import replace

import pytest
import torch

import bn_tutorial as bn

SMALL = {"hidden": 8, "steps": 300, "batch_size": 32}
MANY = 5_000
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def run(dataset):
    return bn.train(dataset, bn.Recipe(**SMALL))


@pytest.fixture(scope="module")
def stats(dataset, run):
    return bn.calibrate(run, dataset.train)


@pytest.fixture(scope="module")
def plain(dataset):
    return bn.train(dataset, bn.Recipe(norm=None, **SMALL))


@pytest.fixture(scope="module")
def many(dataset, run, stats):
    return bn.sample_words(run, dataset.vocabulary, stats, n=MANY, seed=1)


def with_end_logit(run, value):
    """Make the end symbol certain or impossible."""
    parameters = {name: tensor.clone() for name, tensor in run.parameters.items()}
    parameters["output.bias"][-1] = value
    return replace(run, parameters=parameters)


def test_the_seed_determines_the_words(dataset, run, stats):
    def draw(seed):
        return bn.sample_words(run, dataset.vocabulary, stats, n=10, seed=seed)

    state = torch.random.get_rng_state()
    assert draw(5) == draw(5) != draw(6)
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator is untouched"


def test_the_defaults_are_twenty_words_of_seed_23(dataset, run, stats):
    words = bn.sample_words(run, dataset.vocabulary, stats)
    assert words == bn.sample_words(run, dataset.vocabulary, stats, n=20, seed=23)
    assert len(words) == 20


@pytest.mark.parametrize("n", [0, 1, 7])
def test_as_many_words_come_as_were_asked_for(dataset, run, stats, plain, n):
    assert len(bn.sample_words(plain, dataset.vocabulary, n=n)) == n
    assert len(bn.sample_words(run, dataset.vocabulary, stats, n=n)) == n


def test_words_hold_known_symbols_only_and_no_end(dataset, many):
    assert len(many) == MANY
    assert {symbol for word in many for symbol in word} <= set(dataset.vocabulary.symbols[:-1])
    assert max(map(len, many)) <= 30


def test_a_network_that_never_ends_a_word_is_cut_off(dataset, plain):
    words = bn.sample_words(with_end_logit(plain, -1e6), dataset.vocabulary, n=3)
    assert [len(word) for word in words] == [30, 30, 30]


def test_a_network_that_ends_at_once_gives_empty_words(dataset, plain):
    assert bn.sample_words(with_end_logit(plain, 1e6), dataset.vocabulary, n=3) == ["", "", ""]


def answer(run, vocabulary, context, stats):
    twice = vocabulary.encode(context).expand(2, -1)
    return bn.logits(run, twice, stats)[0]


def assert_drawn_from(symbols, vocabulary, logits):
    """Each symbol's count lies within five standard deviations of what the logits say."""
    counts, n = Counter(symbols), len(symbols)
    for symbol, p in zip(vocabulary.symbols, logits.softmax(dim=0).tolist(), strict=True):
        assert abs(counts[symbol] - n * p) <= 5 * (n * p * (1 - p)) ** 0.5 + 1, symbol


def test_first_symbols_follow_the_distribution_of_the_model(dataset, run, stats, many):
    vocabulary = dataset.vocabulary
    first = [(word + ".")[0] for word in many]
    assert_drawn_from(first, vocabulary, answer(run, vocabulary, "...", stats))


@pytest.mark.parametrize("place", [1, 2, 3, 4])
def test_later_symbols_follow_the_distribution_after_the_symbols_before(
    dataset, run, stats, many, place
):
    vocabulary = dataset.vocabulary
    long_enough = [word for word in many if len(word) >= place]
    beginnings = Counter(("..." + word[:place])[-3:] for word in long_enough)
    (context, count), *_ = beginnings.most_common(1)
    following = [
        (word + ".")[place] for word in long_enough if ("..." + word[:place])[-3:] == context
    ]
    assert count == len(following) > 10
    assert_drawn_from(following, vocabulary, answer(run, vocabulary, context, stats))


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize("block_size", [1, 5])
def test_every_norm_and_block_size_can_be_drawn_from(norm, block_size):
    dataset = bn.Dataset.from_words(bn.load_words()[:50], block_size=block_size)
    run = bn.train(dataset, bn.Recipe(norm=norm, eps=1e-5, depth=2, hidden=8, steps=20))
    stats = bn.calibrate(run, dataset.train) if norm == "batch" else None
    words = bn.sample_words(run, dataset.vocabulary, stats, n=5)
    assert len(words) == 5
    assert len(set("".join(words))) > 5
