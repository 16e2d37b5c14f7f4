import math
from pathlib import Path

import pytest

import bn_tutorial as bn
from bn_tutorial.loss_ledger import AGREES, FILE, Entry, read

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def rows(ledger):
    return [(e.notebook, e.model, e.train, e.val) for e in ledger.entries]


def test_it_shows_what_is_kept_of_this_notebook_and_those_before():
    table = bn.ledger("02_unnormalized_mlp", {})
    assert table.entries == [e for e in read() if e.notebook[:2] in ("01", "02")]
    assert table.differing == []


@pytest.mark.parametrize("off", [0, AGREES * 0.9, -AGREES * 0.9])
def test_a_loss_that_agrees_is_shown_as_it_is_kept(off):
    kept = next(e for e in read() if e.model == "bigram")
    table = bn.ledger("01_dataset", {"bigram": (kept.train + off, kept.val - off)})
    assert repr(table) == repr(bn.ledger("01_dataset", {}))


@pytest.mark.parametrize("off", [(0.002, 0), (0, -0.002)])
def test_a_loss_that_differs_is_shown_as_measured_and_named(off):
    kept = next(e for e in read() if e.model == "bigram")
    losses = kept.train + off[0], kept.val + off[1]
    table = bn.ledger("01_dataset", {"bigram": losses})
    others = [row for row in rows(bn.ledger("01_dataset", {})) if row[1] != "bigram"]
    assert [row for row in rows(table) if row[1] != "bigram"] == others
    assert ("01_dataset", "bigram", *losses) in rows(table)
    assert repr(table).splitlines()[-1] == f'01_dataset,"bigram",{losses[0]:.3f},{losses[1]:.3f}'


def test_a_new_model_comes_last_in_its_notebook():
    table = bn.ledger("01_dataset", {"mine": (1.23456, 2)})
    assert rows(table)[-1] == ("01_dataset", "mine", 1.23456, 2.0)
    assert "* 01_dataset  mine      1.235  2.000\n" in repr(table)
    assert repr(table).endswith('loss_ledger.csv:\n01_dataset,"mine",1.235,2.000')


def test_models_of_other_notebooks_are_not_mistaken_for_this_one_s():
    table = bn.ledger("02_mine", {"bigram": (9, 9)})
    assert ("02_mine", "bigram", 9.0, 9.0) in rows(table)
    assert [e.model for e in table.entries].count("bigram") == 2
    assert [line[0] for line in repr(table).splitlines() if "bigram  " in line] == [" ", "*"]


@pytest.mark.parametrize("name", ["calibration", "", None, 4])
def test_a_notebook_without_a_number_is_refused(name):
    with pytest.raises(ValueError, match=r"^notebook: expected a name like"):
        bn.ledger(name, {})


@pytest.mark.parametrize("losses", [(1,), 1.0, (1, 2, 3), ("a", 1), None])
def test_losses_that_are_not_two_numbers_are_refused(losses):
    with pytest.raises(ValueError, match=r"^models\['m'\]: expected its train and val loss, got"):
        bn.ledger("01_dataset", {"m": losses})


@pytest.mark.parametrize("losses", [(math.nan, 1), (1, math.inf)])
def test_a_loss_that_is_not_finite_is_refused(losses):
    with pytest.raises(ValueError, match=r"^models\['m'\]: expected finite losses, got"):
        bn.ledger("01_dataset", {"m": losses})


def test_what_is_kept_belongs_to_a_notebook_and_is_named_once():
    kept = read()
    assert all((NOTEBOOKS / f"{e.notebook}.ipynb").exists() for e in kept)
    assert len({(e.notebook, e.model) for e in kept}) == len(kept)
    assert all(isinstance(e, Entry) and 1 < e.train < 4 and 1 < e.val < 4 for e in kept)


@pytest.mark.parametrize("models", [None, [("m", (1, 2))]])
def test_models_of_another_kind_are_refused(models):
    with pytest.raises(TypeError, match=r"^models: expected a Mapping, got"):
        bn.ledger("01_x", models)


def test_a_mark_before_the_file_is_skipped(tmp_path):
    (tmp_path / "kept.csv").write_bytes(b"\xef\xbb\xbf" + FILE.read_bytes())
    assert read(tmp_path / "kept.csv") == read()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "got No such file"),
        ("", "line 1: expected notebook"),
        ("notebook,model,train,val\n01_x,m,1.5", "line 2: expected notebook"),
        ("notebook,model,train,val\n01_x,m,1.5,", "line 2: expected notebook"),
        ("notebook,model,train,val\n01_x,m,1.5,nan", "line 2: expected notebook"),
    ],
)
def test_a_missing_or_truncated_file_is_named(tmp_path, text, words):
    path = tmp_path / "kept.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read(path)
