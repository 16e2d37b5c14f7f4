import hashlib
import os
import random
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bn_tutorial as bn
from bn_tutorial._files import WORDS
from bn_tutorial.data import build_split

WORDS_SHA256 = "4b8d3fac2df72899c85bade191263507caf78fa158008a044a06b9f47c8f4c10"

# symbols that sort before "." and after it, one without an upper case, one beyond 16 bits
LETTERS = "!'-abz~éßжλ日𝄞"
word_lists = st.lists(st.text(LETTERS, min_size=1, max_size=8), min_size=1, unique=True)
cheap = settings(deadline=None, max_examples=60)


@pytest.fixture
def word_file(tmp_path):
    def write(raw):
        path = tmp_path / "list of words.txt"
        path.write_bytes(raw)
        return path

    return write


@pytest.mark.parametrize(
    "raw",
    [
        b"ox\nemu\ngnu\n",
        b"ox\nemu\ngnu",
        b"ox\r\nemu\r\ngnu\r\n",
        b"ox\remu\rgnu\r",
        b"ox\r\nemu\rgnu\n",
        b"\xef\xbb\xbfox\nemu\ngnu\n",
        b"\n\nox\n  \n\t\r\nemu\r\rgnu\n\n",
        b"  ox\nemu \t\n\xc2\xa0gnu\xe2\x80\x83\n",
    ],
    ids=["LF", "no last LF", "CRLF", "CR", "mixed", "BOM", "blank lines", "spaces around"],
)
def test_load_words_reads_every_common_form_of_a_list(word_file, raw):
    assert bn.load_words(word_file(raw)) == ["ox", "emu", "gnu"]


def test_load_words_takes_a_path_as_text_and_keeps_file_order(word_file):
    assert bn.load_words(str(word_file("żółw\nemu\nÅl\n".encode()))) == ["żółw", "emu", "Ål"]


@pytest.mark.parametrize(
    ("raw", "line", "named"),
    [
        (b"", 1, "empty"),
        (b"\n \r\n\t\n", 1, "empty"),
        (b"\xef\xbb\xbf", 1, "empty"),
        (b"ox\nem.u\n", 2, "'em.u'"),
        (b"ox\n\nemu.\n", 3, "'emu.'"),
        (b".\n", 1, "'.'"),
        (b"ox\r\nem u\r\n", 2, "'em u'"),
        (b"ox\rem\tu\r", 2, r"'em\tu'"),
        ("ox\nem\xa0u\n".encode(), 2, r"'em\xa0u'"),
        ("ox\nem\u2028u\n".encode(), 2, r"'em\u2028u'"),
        (b"ox\nem\x0cu\n", 2, r"'em\x0cu'"),
        (b"ox\n\ncaf\xe9\n", 3, "UTF-8, got byte 0xe9"),
        (b"\xff\xfeo\x00x\x00", 1, "UTF-8, got byte 0xff"),
        (b"emu\r\n\r\nox\r\n ox \r\n", 4, "'ox' again (first on line 3)"),
        (b"\xef\xbb\xbfox\rox\r", 2, "'ox' again (first on line 1)"),
    ],
)
def test_load_words_names_file_line_and_what_is_wrong(word_file, raw, line, named):
    path = word_file(raw)
    with pytest.raises(bn.WordListError) as caught:
        bn.load_words(path)
    assert str(caught.value).startswith(f"{path}, line {line}: expected ")
    assert named in str(caught.value)


def test_load_words_names_a_missing_file(tmp_path):
    path = tmp_path / "nowhere.txt"
    with pytest.raises(bn.WordListError) as caught:
        bn.load_words(path)
    assert str(caught.value).startswith(f"{path}: expected a word list, got No such file")


def test_load_words_names_a_directory(tmp_path):
    with pytest.raises(bn.WordListError) as caught:
        bn.load_words(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: expected a word list, got ")


def test_a_word_list_error_is_a_value_error():
    assert issubclass(bn.WordListError, ValueError)


def test_environment_variable_points_the_course_at_another_list(word_file, monkeypatch):
    monkeypatch.setenv("BN_TUTORIAL_WORDS", str(word_file(b"ox\nemu\n")))
    assert bn.load_words() == ["ox", "emu"]


def test_a_path_wins_over_the_environment_variable(word_file, tmp_path, monkeypatch):
    monkeypatch.setenv("BN_TUTORIAL_WORDS", str(tmp_path / "nowhere.txt"))
    assert bn.load_words(word_file(b"ox\n")) == ["ox"]
    with pytest.raises(bn.WordListError, match=r"nowhere\.txt"):
        bn.load_words()


@pytest.mark.parametrize("unset", [True, False])
def test_without_the_environment_variable_the_shipped_list_is_read(unset, monkeypatch):
    if unset:
        monkeypatch.delenv("BN_TUTORIAL_WORDS", raising=False)
    else:
        monkeypatch.setenv("BN_TUTORIAL_WORDS", "")
    assert bn.load_words() == WORDS.read_text("utf-8").split()


def test_the_shipped_list_is_the_frozen_one():
    assert WORDS.parts[-2:] == ("data", "unique_english_words.txt")
    assert hashlib.sha256(WORDS.read_bytes()).hexdigest() == WORDS_SHA256


def test_the_shipped_list_has_the_documented_size():
    words = bn.load_words(WORDS)
    assert len(words) == 948
    assert sum(map(len, words)) == 8_069
    assert words == sorted(words)
    assert bn.Vocabulary.from_words(words).symbols == tuple("-abcdefghijklmnopqrstuvwxyz.")


@given(word_lists)
@cheap
def test_symbols_are_the_sorted_characters_and_then_the_end(words):
    vocabulary = bn.Vocabulary.from_words(words)
    assert vocabulary.symbols == (*sorted({c for word in words for c in word}), ".")
    assert len(vocabulary) == len(vocabulary.symbols)


@given(word_lists)
@cheap
def test_encode_gives_positions_and_decode_gives_the_text_back(words):
    vocabulary = bn.Vocabulary.from_words(words)
    text = ".".join(["", *words, ""])
    indices = vocabulary.encode(text)
    assert indices.dtype == torch.int64
    assert indices.tolist() == [vocabulary.symbols.index(symbol) for symbol in text]
    assert vocabulary.decode(indices) == vocabulary.decode(indices.tolist()) == text


def test_the_end_is_last_even_where_symbols_sort_after_it():
    vocabulary = bn.Vocabulary.from_words(["b-a", "!~"])
    assert vocabulary.symbols == ("!", "-", "a", "b", "~", ".")
    assert vocabulary.encode("-.a!~").tolist() == [1, 5, 2, 0, 4]


def test_encode_takes_an_empty_text():
    assert bn.Vocabulary.from_words(["ox"]).encode("").tolist() == []


@pytest.mark.parametrize("unknown", ["\0", " ", "-", "a", "c", "z", "B", "é", "日", "𝄞"])
def test_encode_names_an_unknown_symbol(unknown):
    vocabulary = bn.Vocabulary.from_words(["bd", "d!"])
    with pytest.raises(ValueError, match=r"text: expected only the symbols '!bd\.'") as caught:
        vocabulary.encode(f"bd{unknown}b.")
    assert str(caught.value).endswith(f"got {unknown!r}")


def naive_split(words, vocabulary, block_size):
    contexts, targets, end = [], [], vocabulary.symbols.index(".")
    for word in words:
        context = [end] * block_size
        for symbol in word + ".":
            target = vocabulary.symbols.index(symbol)
            contexts.append(context)
            targets.append(target)
            context = context[1:] + [target]
    return contexts, targets


@given(word_lists, st.integers(1, 5))
@cheap
def test_build_split_equals_a_loop_over_words_and_positions(words, block_size):
    vocabulary = bn.Vocabulary.from_words(words)
    split = build_split(words, vocabulary, block_size)
    contexts, targets = naive_split(words, vocabulary, block_size)
    assert split.words == tuple(words)
    assert split.contexts.dtype == split.targets.dtype == torch.int64
    assert split.contexts.tolist() == contexts
    assert split.targets.tolist() == targets
    assert len(split) == len(targets) == sum(len(word) + 1 for word in words)


def test_shipped_dataset_equals_the_loop(dataset):
    for split in (dataset.train, dataset.val, dataset.test):
        contexts, targets = naive_split(split.words, dataset.vocabulary, 3)
        assert (split.contexts.tolist(), split.targets.tolist()) == (contexts, targets)


@pytest.mark.parametrize("seed", [23, 0])
def test_words_are_shuffled_and_cut_in_the_documented_order(seed):
    words = bn.load_words(WORDS)
    dataset = bn.Dataset.from_words(words, seed=seed)
    shuffled = sorted(words)  # the file's order
    random.Random(seed).shuffle(shuffled)
    assert dataset.train.words == tuple(shuffled[:758])
    assert dataset.val.words == tuple(shuffled[758:853])
    assert dataset.test.words == tuple(shuffled[853:])
    assert words == sorted(words), "the caller's list stays as it was"


def test_seed_and_block_size_have_the_seed_recipe_as_defaults():
    words = bn.load_words(WORDS)
    default, explicit = bn.Dataset.from_words(words), bn.Dataset.from_words(words, 3, 23)
    assert default.block_size == explicit.block_size == default.train.contexts.shape[1] == 3
    assert default.train.words == explicit.train.words


@given(st.integers(6, 60), st.integers(0, 5))
@cheap
def test_splits_are_disjoint_complete_and_never_empty(n, seed):
    words = [f"w{i}" for i in range(n)]
    dataset = bn.Dataset.from_words(words, seed=seed)
    parts = [dataset.train.words, dataset.val.words, dataset.test.words]
    assert [len(part) for part in parts] == [int(0.8 * n), int(0.9 * n) - int(0.8 * n), -(-n // 10)]
    assert all(parts)
    assert sorted(sum(parts, ())) == sorted(words)


def test_the_vocabulary_has_the_symbols_of_all_splits():
    dataset = bn.Dataset.from_words(list("uvwxyz"))
    assert dataset.vocabulary.symbols == tuple("uvwxyz.")
    assert [len(s) for s in (dataset.train, dataset.val, dataset.test)] == [8, 2, 2]


@pytest.mark.parametrize("n", range(6))
def test_too_few_words_are_refused(n):
    with pytest.raises(ValueError, match=rf"^words: expected at least 6.*got {n}$"):
        bn.Dataset.from_words(list("abcdef")[:n])


@pytest.mark.parametrize("bad", ["", "em.u", ".", "a b", "ox"])
def test_empty_dotted_and_repeated_words_are_refused(bad):
    with pytest.raises(ValueError, match=r"^words: expected distinct words") as caught:
        bn.Dataset.from_words(["ox", *"abcdefghi", bad])
    assert repr(bad) in str(caught.value)
    assert ("twice" in str(caught.value)) == (bad == "ox")


def test_reprs_are_short_and_hold_the_sizes(dataset):
    assert repr(dataset.val) == "Split(95 words, 920 examples)"
    assert repr(dataset).startswith("Dataset(28 symbols, Split(758 words, 7174 examples)")


@pytest.fixture
def many_words():
    rng, words = random.Random(0), set()
    while len(words) < 100_000:
        words.add("".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(3, 14))))
    return sorted(words)


def best_time(words):
    """Of three, in seconds of CPU: on a quiet machine that is the time on the clock."""
    times = []
    for _ in range(3):
        start = time.process_time()
        bn.Dataset.from_words(words)
        times.append(time.process_time() - start)
    return min(times)


def test_a_hundred_thousand_words_take_two_seconds_and_four_times_a_quarter(many_words):
    whole = best_time(many_words)
    assert whole < 2
    assert whole / best_time(many_words[::4]) < 8


def test_numpy_integers_are_taken():
    assert bn.Dataset.from_words(list("abcdefgh"), np.int64(2)).block_size == 2


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        ("ab\ncd".encode("utf-16-le"), 1),
        (b"a\x00b", 1),
        (b"\xef\xbb\xbf\xef\xbb\xbfab", 1),
        ("ab\nc\u200bd".encode(), 2),
    ],
    ids=["utf-16", "nul", "two marks", "zero width"],
)
def test_invisible_characters_are_refused(word_file, raw, line):
    with pytest.raises(bn.WordListError, match=rf", line {line}: expected visible .* got U\+"):
        bn.load_words(word_file(raw))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(bn.WordListError, match="got no regular file"):
        bn.load_words(tmp_path / "pipe")


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    (tmp_path / "mine.txt").write_text("ox")
    assert bn.load_words("~/mine.txt") == ["ox"]
