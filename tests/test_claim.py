"""A claim says whether it holds, and stops nobody; under nbval a broken one is noticed."""

import math
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch

import bn_tutorial as bn
from bn_tutorial.claim import as_number, in_words

HOLDS = "Claim: It is lower in every seed. It holds.\n"
FAILS = (
    "Claim: It is lower in every seed. It does not hold here.\n"
    "  With another recipe, seed or word list that can happen;"
    " the text then tells of the course's runs, not of yours.\n"
)


@pytest.mark.parametrize("kind", [bool, np.bool_, np.array, torch.tensor])
@pytest.mark.parametrize(("holds", "said"), [(True, HOLDS), (False, FAILS)])
def test_it_says_whether_it_holds(capsys, kind, holds, said):
    assert bn.claim("It is lower in every seed", kind(holds)) is None
    assert capsys.readouterr().out == said


def test_a_full_stop_is_not_doubled(capsys):
    bn.claim("It is lower in every seed.", True)
    assert capsys.readouterr().out == HOLDS


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        ("2.6 against 2.7", "2.6 against 2.7"),
        ({"plain": 2.6417, "lead": torch.tensor(-0.0337)}, "plain 2.64, lead -0.034"),
        ({"seeds": np.int64(5), "lost": math.nan}, "seeds 5, lost nan"),
        ({"all": torch.tensor(7)}, "all 7"),
    ],
)
@pytest.mark.parametrize("holds", [True, False])
def test_what_was_measured_stands_below(capsys, measured, told, holds):
    bn.claim("It is lower", holds, measured=measured)
    assert capsys.readouterr().out.splitlines()[1] == f"  measured: {told}"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (0, "0"),
        (0.0, "0"),
        (123_456, "123,456"),
        (-17.2191, "-17.2"),
        (0.1, "0.1"),
        (0.09996, "0.1"),
        (0.0712, "0.071"),
        (-3.14e-8, "-3.1e-08"),
        (999.4, "999"),
        (999.6, "1,000"),
        (-123_456.7, "-123,457"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_how_a_number_is_told(number, told):
    assert in_words(number) == told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, True), "sentence: expected a str, got an int"),
        (("a", 1), "holds: expected True or False, got 1"),
        (("a", None), "holds: expected True or False, got None"),
        (("a", np.float64(1)), "holds: expected True or False, got 1.0"),
        (("a", torch.tensor(1)), "holds: expected True or False, got 1"),
        (
            ("a", torch.tensor([True])),
            r"holds: expected .* got a Tensor of shape \(1,\): take .all\(\)",
        ),
        (
            ("a", np.ones(3) > 0),
            r"holds: expected .* got an ndarray of shape \(3,\): take .all\(\)",
        ),
        (("a", True, 3), "measured: expected a str or a Mapping, got an int"),
        (("a", True, {"b": "3"}), r"measured\['b'\]: expected a number, got '3'"),
        (("a", True, {"b": True}), r"measured\['b'\]: expected a number, got True"),
        (("a", True, {"b": torch.ones(2)}), r"measured\['b'\]: .* a Tensor of shape \(2,\)"),
    ],
)
def test_another_kind_is_an_error(capsys, arguments, message):
    sentence, holds, *measured = arguments
    with pytest.raises(TypeError, match=message):
        bn.claim(sentence, holds, **({"measured": measured[0]} if measured else {}))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("value", [3, np.int32(3), torch.tensor(3)])
def test_an_integer_stays_one(value):
    assert type(as_number("seeds", value)) is int


@pytest.mark.parametrize(("bound", "code"), [(1, 0), (3, 1)])
def test_a_broken_claim_is_red_under_nbval(tmp_path, bound, code):
    stored = nbformat.v4.new_output("stream", name="stdout", text="Claim: It is more. It holds.\n")
    source = f"from bn_tutorial import claim\nclaim('It is more', 2 > {bound})"
    cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[stored])
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": spec})
    nbformat.write(notebook, tmp_path / "one.ipynb")
    nbval = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "-c", "/dev/null"]
    run = [sys.executable, "-m", "pytest", *nbval, "--rootdir", tmp_path, tmp_path / "one.ipynb"]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    assert ("does not hold here" in done.stdout) == bool(code)


@pytest.mark.parametrize(
    ("number", "parts", "told"),
    [
        (8.473, 2, "about 10"),
        (4.33, 2, "about 3"),
        (torch.tensor(43.27), 2, "about 30"),
        (np.float32(0.224), 1, "about 0.1"),
        (-122, 2, "about -100"),
        (3, 1, "about 1"),
        (0, 2, "0"),
        (math.nan, 2, "nan"),
        (math.inf, 1, "inf"),
    ],
)
def test_a_chaotic_number_is_told_by_its_size(number, parts, told):
    assert bn.about(number, parts=parts) == told


def test_what_is_no_number_has_no_size():
    with pytest.raises(TypeError, match="number: expected a number, got 'many'"):
        bn.about("many")
