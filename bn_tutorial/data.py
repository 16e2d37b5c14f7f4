"""Words, the symbols they are made of, and the examples that a network trains on."""

import os
import random
import re
import unicodedata
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bn_tutorial._expect import expect_integer, expect_kind
from bn_tutorial._files import WORDS

END = "."  # stands before and after every word; never part of one


class WordListError(ValueError):
    """A word list that cannot be used; the message names the file and the line."""


def load_words(path: str | os.PathLike | None = None) -> list[str]:
    """Read a word list: one word a line, UTF-8, blank lines skipped.

    Parameters
    ----------
    path : str or Path, optional
        The file. Without it, the one that the environment variable ``BN_TUTORIAL_WORDS`` names,
        or the course's own 948 words.

    Returns
    -------
    list of str
        The words in file order.

    Raises
    ------
    WordListError
        If the file is missing, empty or not UTF-8, or if a word contains ``"."`` or white space
        or stands there twice.

    Examples
    --------
    >>> words = load_words()
    >>> len(words), words[0]
    (948, 'abracadabra')
    """
    if path is None:
        path = os.environ.get("BN_TUTORIAL_WORDS") or WORDS
    expect_kind("path", path, (str, os.PathLike))
    path = Path(path).expanduser()
    lines = re.split(rb"\r\n|\r|\n", _read(path).removeprefix(b"\xef\xbb\xbf"))
    line_of = {}  # word -> the line it stands on
    for number, line in enumerate(lines, 1):
        word = _word(line, where := f"{path}, line {number}")
        if word in line_of:
            raise WordListError(
                f"{where}: expected each word once, got {word!r} again "
                f"(first on line {line_of[word]})"
            )
        if word:
            line_of[word] = number
    if not line_of:
        raise WordListError(f"{path}, line 1: expected at least one word, got an empty file")
    return list(line_of)


def _read(path):
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # reading a pipe may never end
            raise WordListError(f"{path}: expected a word list, got no regular file")
        return path.read_bytes()
    except OSError as error:
        raise WordListError(f"{path}: expected a word list, got {error.strerror}") from None


def _word(line, where):
    """Return the word on a line of bytes, or "" where there is none."""
    try:
        word = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        got = f"byte 0x{line[error.start]:02x}"
        raise WordListError(f"{where}: expected UTF-8, got {got}") from None
    if _is_split(word):
        raise WordListError(
            f"{where}: expected one word without {END!r} or white space, got {word!r}"
        )
    for c in word:  # NUL or a zero-width space, say
        if unicodedata.category(c) in ("Cc", "Cf"):
            raise WordListError(
                f"{where}: expected visible characters, UTF-8, got U+{ord(c):04X} in {word!r}"
            )
    return word


def _is_split(word):
    return END in word or re.search(r"\s", word)


@dataclass(frozen=True)
class Vocabulary:
    """The symbols: the distinct characters of the words, sorted, then ``"."``.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_words(["baobab"])
    >>> vocabulary.symbols
    ('a', 'b', 'o', '.')
    >>> vocabulary.encode("boa.")
    tensor([1, 2, 0, 3])
    >>> vocabulary.decode([1, 2, 0, 3])
    'boa.'
    """

    symbols: tuple[str, ...]

    @classmethod
    def from_words(cls, words: Sequence[str]) -> "Vocabulary":
        """Collect the symbols of a list of words."""
        return cls((*sorted(set("".join(words)) - {END}), END))

    def __len__(self) -> int:
        return len(self.symbols)

    @cached_property
    def _codes(self):
        codes = np.array([ord(symbol) for symbol in self.symbols])
        order = np.argsort(codes)
        return codes[order], order

    def encode(self, text: str) -> Tensor:
        """Turn text into indices: str of n characters -> int64 Tensor (n,).

        Raises
        ------
        ValueError
            If a character is not one of the symbols.
        """
        codes, index = self._codes
        points = np.frombuffer(text.encode("utf-32-le"), "<u4")
        place = np.searchsorted(codes, points).clip(max=len(codes) - 1)
        unknown = points[codes[place] != points]
        if unknown.size:
            raise ValueError(
                f"text: expected only the symbols {''.join(self.symbols)!r}, "
                f"got {chr(unknown[0])!r}"
            )
        return torch.from_numpy(index[place])

    def decode(self, indices: Iterable[int]) -> str:
        """Turn a sequence of indices into text."""
        return "".join(self.symbols[i] for i in indices)


@dataclass(frozen=True, eq=False)
class Split:
    """Some of the words, and one example for each symbol that ends up to be predicted.

    Attributes
    ----------
    words : tuple of str
    contexts : int64 Tensor (N, T)
        The T symbols before the one to predict.
    targets : int64 Tensor (N,)
        The symbol to predict.
    """

    words: tuple[str, ...]
    contexts: Tensor
    targets: Tensor

    def __post_init__(self):
        expect_kind("contexts", self.contexts, Tensor)
        expect_kind("targets", self.targets, Tensor)
        if self.targets.shape != self.contexts.shape[:1]:
            raise ValueError(
                f"targets: expected one for each of the {len(self.contexts)} contexts, "
                f"got shape {tuple(self.targets.shape)}"
            )

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        return f"Split({len(self.words)} words, {len(self)} examples)"


def build_split(words: Sequence[str], vocabulary: Vocabulary, block_size: int) -> Split:
    """Slide a window over every word: ``...word.`` gives one example a position.

    All words are laid out in one line of symbols with T dots between them, so the time is linear
    in their number. A dot that follows a dot is only padding and is never predicted.

    Parameters
    ----------
    words : sequence of str
        At least one.
    vocabulary : Vocabulary
    block_size : int
        The context length T.

    Returns
    -------
    Split

    Examples
    --------
    >>> vocabulary = Vocabulary.from_words(["ox"])
    >>> split = build_split(["ox"], vocabulary, block_size=2)
    >>> [vocabulary.decode(context) for context in split.contexts]
    ['..', '.o', 'ox']
    >>> vocabulary.decode(split.targets)
    'ox.'
    """
    if not words:
        raise ValueError("words: expected at least one, got none")
    pad = END * block_size
    line = vocabulary.encode(pad + "".join(word + pad for word in words))
    is_end = line == len(vocabulary) - 1
    predicted = ~(is_end[block_size:] & is_end[block_size - 1 : -1])
    windows = line.unfold(0, block_size + 1, 1)[predicted]  # (N, T + 1)
    return Split(tuple(words), windows[:, :-1].contiguous(), windows[:, -1].contiguous())


@dataclass(frozen=True, eq=False)
class Dataset:
    """The three splits, cut by word so that no word is in two of them."""

    vocabulary: Vocabulary
    block_size: int
    train: Split
    val: Split
    test: Split

    @classmethod
    def from_words(cls, words: Iterable[str], block_size: int = 3, seed: int = 23) -> "Dataset":
        """Shuffle the words and cut them 80 : 10 : 10 into train, val and test.

        Parameters
        ----------
        words : sequence of str
            Distinct, none of them empty or with ``"."`` or white space in it.
        block_size : int
            The context length T.
        seed : int
            Of ``random.Random``, which shuffles.

        Raises
        ------
        TypeError, ValueError
            If an argument is not as described, as a set of words, which has no order; or if there
            are too few words for three splits that are not empty.

        Examples
        --------
        >>> dataset = Dataset.from_words(load_words())
        >>> dataset.train, dataset.val, dataset.test.contexts.shape
        (Split(758 words, 7174 examples), Split(95 words, 920 examples), torch.Size([923, 3]))
        """
        if isinstance(words, str | bytes | Set):
            raise TypeError(f"words: expected a list of words, got a {type(words).__name__}")
        expect_kind("words", words, Iterable)
        block_size = expect_integer("block_size", block_size, 1)
        seed = expect_integer("seed", seed)
        _expect_distinct(shuffled := list(words))
        random.Random(seed).shuffle(shuffled)
        first, second = int(0.8 * len(shuffled)), int(0.9 * len(shuffled))
        parts = shuffled[:first], shuffled[first:second], shuffled[second:]
        if not all(parts):
            raise ValueError(
                f"words: expected at least 6, for three splits that are not empty, "
                f"got {len(shuffled)}"
            )
        vocabulary = Vocabulary.from_words(shuffled)
        return cls(
            vocabulary, block_size, *(build_split(part, vocabulary, block_size) for part in parts)
        )

    def __repr__(self) -> str:
        return f"Dataset({len(self.vocabulary)} symbols, {self.train}, {self.val}, {self.test})"


def _expect_distinct(words):
    seen = set()
    for word in words:
        expect_kind("words", word, str)
        if not word or _is_split(word) or word in seen:
            raise ValueError(
                f"words: expected distinct words without {END!r} or white space, got {word!r}"
                + (" twice" if word in seen else "")
            )
        seen.add(word)
