"""Contexts that a trained network is asked about, one at a time."""

from bn_tutorial._expect import expect_kind
from bn_tutorial.data import END, Dataset

EXAMPLES = {"inm": "e", "ous": ".", ".sc": "r", "oti": "c"}  # from words of the course's list


def examples_of(dataset: Dataset) -> dict[str, str]:
    """Return contexts of validation words, each with the symbol that came next.

    Those that the course's text speaks of, where the validation split has all of them; with other
    words those in the middle of its four longest words.

    Parameters
    ----------
    dataset : Dataset

    Returns
    -------
    dict of str to str
        One to four contexts of T symbols.

    Examples
    --------
    >>> import bn_tutorial as bn
    >>> examples_of(bn.Dataset.from_words(bn.load_words()))
    {'inm': 'e', 'ous': '.', '.sc': 'r', 'oti': 'c'}
    >>> greek = ["άλφα", "βήτα", "γάμμα", "δέλτα", "έψιλον", "ζήτα"]
    >>> examples_of(bn.Dataset.from_words(greek, block_size=2))
    {'φα': '.'}
    """
    expect_kind("dataset", dataset, Dataset)
    val, size = dataset.val, dataset.block_size
    padded = [END * size + word + END for word in val.words]
    windows = [(word, i) for word in padded for i in range(len(word) - size)]
    if {(word[i : i + size], word[i + size]) for word, i in windows} >= EXAMPLES.items():
        return dict(EXAMPLES)
    found = {}
    for word in sorted(padded, key=len, reverse=True)[:4]:
        length = len(word) - size - 1
        i = min(length // 2 + size, length)
        found[word[i : i + size]] = word[i + size]
    return found
