"""Honest answers that are unusual: each passes in the notebook, and has to pass here."""

from submissions.base import (
    ALL,
    RIGHT,
    WRONG,
    Case,
    answers,
    find,
    forward,
    named,
    own_cell,
    with_own_cell,
    written,
)

NUMPY_CONTEXTS = """
import numpy as np
def contexts(words, symbols, block_size):
    xs, ys = [], []
    for word in words:
        context = [len(symbols) - 1] * block_size
        for symbol in word + ".":
            xs.append(context)
            ys.append(symbols.index(symbol))
            context = context[1:] + [ys[-1]]
    return {}
"""
BIGRAM = """
import numpy as np
def bigram_loss(train, held_out, size, k):
    table = np.full((size, size), float(k))
    for before, target in train.numpy():
        table[before, target] += 1
    p = table / table.sum(1, keepdims=True)
    loss = -np.log(p[held_out[:, 0], held_out[:, 1]]).mean()
    return {}
"""
USES_HELPER = """
def batch_norm_forward(x, weight, bias, eps):
    mean = x.mean(AXIS)
    return weight * (x - mean) / torch.sqrt(variance(x) + eps) + bias
"""
VARIANCE = "def variance(x): return ((x - x.mean(0)) ** 2).mean(0)"
LAMBDA = "variance = lambda x: ((x - x.mean(0)) ** 2).mean(0)"
# what an own cell above the solution holds, which uses AXIS and variance
HELPERS = {
    "lambda": f"AXIS = 0\n{LAMBDA}",
    "partial": "from functools import partial\nAXIS = 0\n"
    "variance = partial(torch.var, dim=0, unbiased=False)",
    "under_if": f"if True:\n    {VARIANCE}\n    AXIS = 0",
    "under_try": f"try:\n    {VARIANCE}\nfinally:\n    AXIS = 0",
    "annotated": f"AXIS: int = 0\n{VARIANCE}",
    "computed": f"AXIS = 1 - 1\n{VARIANCE}",
    "called": f"AXIS = len('')\n{VARIANCE}",
    "unpacked": f"AXIS, OTHER = range(2)\n{VARIANCE}",
    "in_a_loop": f"for AXIS in (1, 0):\n    pass\n{VARIANCE}",
    "walrus": f"print(AXIS := 0)\n{VARIANCE}",
    "decorated": f"import functools\nAXIS = 0\n@functools.lru_cache\n{VARIANCE}",
    "no_break_space": f"AXIS = 0\ndef show(x): return f\"{{x.replace('\xa0', ' ')}}\"\n{VARIANCE}",
    "long_numbers": f"X = 0x{'f' * 5_000}\nY = {'9' * 400} + 1j\nAXIS = 0\n{VARIANCE}",
    "fails_above": f"1 / 0\nAXIS = 0\n{VARIANCE}",
    "fails_between": f"AXIS = 0\nopen('/home/me/words.txt').read()\n{VARIANCE}",
    "shows_words": "import bn_tutorial as bn\nassert len(bn.load_words()) == 948\n"
    f"AXIS = 0\n{VARIANCE}",
    "trains": "import bn_tutorial as bn\n"
    "dataset = bn.Dataset.from_words(bn.load_words())\n"
    "run = bn.train(dataset, bn.Recipe(steps=10))\n"
    f"print(f'{{run.loss[-1]:.3f}}')\nAXIS = 0\n{VARIANCE}",
    "checks_itself": f"AXIS = 0\n{VARIANCE}\nassert checks.contexts(contexts).passed",
    "future": f"from __future__ import annotations\nAXIS: Undefined = 0\n{VARIANCE}",
    "awaits": "import asyncio\nawait asyncio.sleep(0.01, 0)\nAXIS = await asyncio.sleep(0, 0)\n"
    + VARIANCE,
    "ipython": f"%matplotlib inline\n!ls\nfiles = !ls\nAXIS = 0\n{VARIANCE}\nvariance?",
    "shell": f"get_ipython().run_line_magic('matplotlib', 'inline')\nAXIS = 0\n{VARIANCE}",
    "cell_magic": f"%%time\nAXIS = 0\n{VARIANCE}",
    "line_magic": f"%time AXIS = 0\n{VARIANCE}",
    "prompts": ">>> AXIS = 0\n>>> def variance(x):\n...     return ((x - x.mean(0)) ** 2).mean(0)",
    "indented": f"    AXIS = 0\n    {VARIANCE}",
    "displays": "from IPython.display import display\ndisplay(torch.ones(2))\nAXIS = 0\n"
    + VARIANCE,
    "draws": f"import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nAXIS = 0\n{VARIANCE}",
    "settings": "torch.set_grad_enabled(False)\ntorch.set_default_dtype(torch.float64)\n"
    "import warnings\nwarnings.simplefilter('error')\n"
    f"AXIS = 0\n{VARIANCE}",
    "dataclass": "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    f"@dataclass\nclass Axis:\n    number: int = 0\nAXIS = Axis().number\n{VARIANCE}",
    "forgets": f"AXIS = 0\n{VARIANCE}\ntorch.manual_seed(7)\ndel OTHER",
}
# solutions
SOLUTIONS = {
    "jit": "from torch import Tensor\n@torch.jit.script\n"
    "def batch_norm_forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float):\n"
    "    centered = x - x.mean(0)\n"
    "    var = (centered * centered).mean(0)\n"
    "    return weight * centered / torch.sqrt(var + eps) + bias\n",
    "awaits": "import asyncio\nawait asyncio.sleep(0)\n" + RIGHT,
    "timeit": RIGHT + "\nspeed = %timeit -n 1 -r 1 -o torch.ones(2)",
    "lists_files": "!ls\n" + RIGHT,
    "shell": "get_ipython().system('ls')\n" + RIGHT,
    "asserts_words": "import bn_tutorial as bn\nassert len(bn.load_words()) == 948\n" + RIGHT,
    "a_class": "class Forward:\n    def __call__(self, x, weight, bias, eps):\n"
    "        c = x - x.mean(0)\n        return weight * c / ((c * c).mean(0) + eps).sqrt() + bias\n"
    "batch_norm_forward = Forward()",
    "a_parameter": RIGHT.replace("return ", "return torch.nn.Parameter(").rstrip() + ")",
    "under_no_grad": "@torch.no_grad()" + RIGHT,
    "numpy_inside": "import numpy as np\n"
    "def batch_norm_forward(x, weight, bias, eps):\n    a = x.numpy()\n    c = a - a.mean(0)\n"
    "    y = c / np.sqrt((c * c).mean(0) + eps)\n    return weight * torch.from_numpy(y) + bias",
    "generator_state": "g = torch.Generator().manual_seed(3)\n" + RIGHT,
}


def honest():
    """Return the cases: dict of name to ``Case``."""
    right = forward(RIGHT)["A1.ipynb"]
    cases = {
        **{f"own_{k}": Case(with_own_cell(v, USES_HELPER), ALL) for k, v in HELPERS.items()},
        **{f"solution_{k}": Case(forward(v), ALL) for k, v in SOLUTIONS.items()},
        **{f"numpy_{k}": Case(forward(RIGHT, **v), ALL) for k, v in numpy().items()},
        **{f"cells_{k}": Case({"A1.ipynb": written(v)}, ALL) for k, v in rearranged().items()},
    }
    # one broken cell takes no other along
    two = answers(batch_norm_forward=USES_HELPER)
    at = two["cells"].index(find(two, "batch_norm_forward"))
    two["cells"][at:at] = [own_cell("AXIS = 0"), own_cell("this is no Python"), own_cell(VARIANCE)]
    cases["own_no_python"] = Case({"A1.ipynb": written(two)}, ALL)
    cases["crlf"] = Case({"A1.ipynb": right.replace(b"\\n", b"\\r\\n")}, ALL)
    return cases


def numpy():
    """Return answers that are NumPy's: by ``grade_id``, for each name."""
    return {
        "arrays": {"contexts": NUMPY_CONTEXTS.format("np.array(xs), np.array(ys)")},
        "scalars_in_lists": {
            "contexts": NUMPY_CONTEXTS.format("[list(np.array(x)) for x in xs], list(np.array(ys))")
        },
        "small_ints": {
            "contexts": NUMPY_CONTEXTS.format("np.array(xs, 'uint8'), np.array(ys, dtype=np.int16)")
        },
        "float64": {"bigram_loss": BIGRAM.format("loss")},
        "float32": {"bigram_loss": BIGRAM.format("np.float32(loss)")},
        "one": {"bigram_loss": BIGRAM.format("np.array([loss])")},
        "log": {"uniform_loss": "import numpy as np\ndef uniform_loss(n): return np.log(n)"},
        "tensor": {"uniform_loss": "def uniform_loss(n): return torch.log(torch.tensor(n * 1.0))"},
    }


def rearranged():
    """Return notebooks with other cells, or in another order."""

    def changed(change):
        notebook = answers()
        change(notebook["cells"], lambda name: find(notebook, name))
        return notebook

    def pasted_at_the_end(cells, found):
        cells.append({**found("batch_norm_forward"), "source": WRONG})

    def helper_below(cells, found):
        found("batch_norm_forward")["source"] = USES_HELPER
        at = cells.index(found("batch_norm_forward")) + 1
        cells.insert(at, own_cell(HELPERS["computed"]))

    def written_below(cells, found):
        found("batch_norm_forward")["source"] = "def batch_norm_forward(*_):\n    pass"
        cells.insert(cells.index(found("batch_norm_forward")) + 1, own_cell(RIGHT))

    def without_its_cell(cells, found):
        at = cells.index(found("batch_norm_forward"))
        cells[at] = own_cell(RIGHT)

    def changed_after_the_test(cells, found):
        cells.append(own_cell(WRONG + "\ndef contexts(*_): return None"))

    def imports_in_the_setup(cells, found):
        found("setup")["source"] += "\nimport numpy as np"
        found("uniform_loss")["source"] = "def uniform_loss(n): return np.log(n)"

    def without_tests(cells, found):
        cells[:] = [cell for cell in cells if not (named(cell) or "").startswith("test_")]

    return {
        change.__name__: changed(change)
        for change in (
            *(pasted_at_the_end, helper_below, written_below, without_its_cell),
            *(changed_after_the_test, imports_in_the_setup, without_tests),
        )
    }
