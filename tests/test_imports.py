"""The import graph: who may import whom, and what `import bn_tutorial` costs."""

import ast
import subprocess
import sys
from dataclasses import is_dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import bn_tutorial as bn

PACKAGE = Path(bn.__file__).parent

# module or folder of the package -> what it may import of ours: the one place to add a module
NUMERICS = {
    "_expect": set(),
    "threads": set(),
    "layers": set(),
    "parallel": {"threads"},
    "_files": set(),
    "data": {"_expect", "_files"},
    "recipe": {"_expect"},
    "loss_ledger": {"_expect"},
    "claim": {"_expect"},
    "arrays": {"recipe"},
    "network": {"_expect", "arrays", "layers", "recipe", "threads"},
    "run": {"_expect", "network", "recipe"},
}
BELOW = set(NUMERICS)
NUMERICS |= {
    "training": BELOW,
    "statistics": BELOW,
    "evaluation": BELOW | {"statistics"},
    "diagnostics": BELOW | {"statistics"},
    "sampling": BELOW | {"statistics", "evaluation"},
}
ALLOWED = NUMERICS | {
    "__init__": set(NUMERICS),
    "plots": {"_expect"},
    "explorers": {*NUMERICS, "__init__", "plots", "explorers"},
    "checks": {"checks"},
    "grading": {"_files", "grading", "checks"},
    "lab": {"_files"},
    "saved": set(),
    "cli": {"grading", "lab"},
}
# what is heavy or needs a screen -> the only modules that may import it
CONFINED = {
    "matplotlib": {"plots", "explorers"},
    "ipywidgets": {"explorers"},
    "jinja2": {"explorers", "grading"},
    "nbconvert": {"saved"},
    "anywidget": {"explorers"},
    "numba": {"layers"},
}


def imported(node):
    """Give the modules that a statement imports, by their full names."""
    if isinstance(node, ast.ImportFrom) and node.module == "bn_tutorial":
        return [f"bn_tutorial.{name}" if name in ALLOWED else node.module for name in names(node)]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return names(node)


def names(node):
    return [alias.name for alias in node.names]


def complaints(module, source):
    """List what a module's source does that its place in the graph does not allow."""
    if module not in ALLOWED:
        return [f"{module}: not in the table ALLOWED of {__file__}: say there what it may import"]
    found, tree = [], ast.parse(source)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    inside = {id(node) for function in functions for node in ast.walk(function)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            wrong = wrong_imports(module, node, inside_function=id(node) in inside)
            found += [f"{module}, line {node.lineno}: {what}" for what in wrong]
        elif isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.path":
            found.append(f"{module}, line {node.lineno}: uses sys.path")
    return found


def wrong_imports(module, node, *, inside_function):
    for name in imported(node):
        root, part, *_ = *name.split("."), "__init__"
        if root == "bn_tutorial" and part not in ALLOWED[module]:
            yield f"may not import {part}"
        if module not in CONFINED.get(root, {module}):
            yield f"may not import {root}"
        if root == "tqdm" and not inside_function:
            yield "imports tqdm outside a function"
    if isinstance(node, ast.ImportFrom):
        if node.level:
            yield "relative import"
        if "*" in names(node):
            yield "import *"
        if node.module == "sys" and "path" in names(node):
            yield "uses sys.path"


MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_imports_only_what_its_place_allows(path):
    module = path.parts[0].removesuffix(".py")
    assert complaints(module, (PACKAGE / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("novelty", "", "novelty: not in the table"),
        ("data", "from bn_tutorial.layers import Linear", "may not import layers"),
        ("layers", "import bn_tutorial.network", "may not import network"),
        ("layers", "def f():\n    import bn_tutorial.network as n", "may not import network"),
        ("network", "from bn_tutorial import training", "may not import training"),
        ("network", "from bn_tutorial import Recipe", "may not import __init__"),
        ("network", "import bn_tutorial as bn", "may not import __init__"),
        ("training", "from bn_tutorial.statistics import calibrate", "may not import statistics"),
        ("statistics", "from bn_tutorial.sampling import x", "may not import sampling"),
        ("plots", "import torch, bn_tutorial.training", "may not import training"),
        ("__init__", "from bn_tutorial.plots import plot_loss", "may not import plots"),
        ("explorers", "from bn_tutorial.checks.bugs import BUGS", "may not import checks"),
        ("explorers", "from bn_tutorial import checks", "may not import checks"),
        ("checks", "from bn_tutorial.layers import BatchNorm", "may not import layers"),
        ("checks", "from bn_tutorial.grading import grade", "may not import grading"),
        ("grading", "from bn_tutorial.layers import BatchNorm", "may not import layers"),
        ("statistics", "import matplotlib.pyplot as plt", "may not import matplotlib"),
        ("network", "def f():\n    from matplotlib import pyplot", "may not import matplotlib"),
        ("network", "import numba", "may not import numba"),
        ("plots", "import ipywidgets", "may not import ipywidgets"),
        ("plots", "from anywidget import AnyWidget", "may not import anywidget"),
        ("parallel", "from tqdm.auto import tqdm", "imports tqdm outside a function"),
        ("parallel", "class A:\n    import tqdm", "imports tqdm outside a function"),
        ("network", "from .layers import tanh_forward", "relative import"),
        ("network", "from . import layers", "relative import"),
        ("network", "from bn_tutorial.layers import *", "import *"),
        ("data", "import sys\nsys.path.append('.')", "uses sys.path"),
        ("data", "from sys import path", "uses sys.path"),
    ],
)
def test_a_wrong_import_is_noticed(module, source, complaint):
    assert any(complaint in found for found in complaints(module, source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("network", "import numpy as np\nfrom bn_tutorial.layers import tanh_forward"),
        ("parallel", "def bar():\n    from tqdm.auto import tqdm"),
        ("plots", "import matplotlib.pyplot as plt"),
        (
            "explorers",
            "import bn_tutorial as bn\nfrom bn_tutorial.explorers.picture import Picture",
        ),
        ("explorers", "import ipywidgets\nfrom bn_tutorial import plots, train"),
        ("checks", "import torch\nfrom bn_tutorial.checks.bugs import BUGS"),
    ],
)
def test_a_right_import_is_accepted(module, source):
    assert complaints(module, source) == []


def test_the_table_allows_no_cycles():
    between_modules = {name: others - {name} for name, others in ALLOWED.items()}
    TopologicalSorter(between_modules).prepare()


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )


def test_importing_the_package_is_silent_and_loads_nothing_heavy():
    # torch itself loads a part of tqdm, and may load other things some day
    done = python(
        "import sys, torch\n"
        "before = set(sys.modules)\n"
        "import bn_tutorial\n"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    assert (done.returncode, done.stderr) == (0, "")
    loaded = set(done.stdout.split())
    assert "bn_tutorial" in loaded
    assert not loaded & {
        "matplotlib",
        "ipywidgets",
        "anywidget",
        "tqdm",
        "IPython",
        "distributed",
        "numba",
        "scipy",
    }


def test_all_names_what_there_is():
    ours = {
        name
        for name, value in vars(bn).items()
        if (getattr(value, "__module__", None) or "").startswith("bn_tutorial")
    }
    assert ours <= set(bn.__all__)
    assert [name for name in bn.__all__ if not hasattr(bn, name)] == []
    assert len(set(bn.__all__)) == len(bn.__all__)


@pytest.mark.parametrize("name", bn.__all__)
def test_what_is_public_has_a_docstring(name):
    thing = getattr(bn, name)
    documentation = vars(thing).get("__doc__") if isinstance(thing, type) else thing.__doc__
    assert documentation
    # a dataclass without a docstring gets its signature for one
    assert not (is_dataclass(thing) and documentation.startswith(f"{name}("))
