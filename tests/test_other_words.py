"""The first notebooks run to their end on words of the reader's own.

The list is the cheapest one that is unlike ours: few words, in another alphabet. What a notebook
claims of it is not looked at, only that nothing stops.
"""

import random

import pytest

from tools.run_notebooks import course, execute

LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"


@pytest.fixture(scope="module")
def greek(tmp_path_factory):
    """A file of 300 made-up words, drawn from a Markov chain."""
    draw, words = random.Random(7), set()
    chances = {before: [draw.random() ** 3 for _ in LETTERS] for before in (*LETTERS, "")}
    while len(words) < 300:
        word = ""
        for _ in range(draw.randint(3, 12)):
            word += draw.choices(LETTERS, chances[word[-1:]])[0]
        words.add(word)
    path = tmp_path_factory.mktemp("words") / "greek.txt"
    path.write_text("\n".join(sorted(words)), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", course()[:7], ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end_on_other_words(path, greek):
    notebook = execute(path, {"BN_TUTORIAL_WORDS": str(greek)})
    printed = "".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "You made no guess" in printed  # the last line before the exercises
