"""How fast training is, against other ways of doing the same, in one run.

``make bench``, or ``python -m benchmarks.engine [--steps N] [--repeats N]``. Rows take turns, so
that a busy moment of the machine hits them all, and the tables give medians. Factors are against
the plain autograd loop of the same network, per step and run.
"""

import argparse
import multiprocessing
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import bn_tutorial as bn
from bn_tutorial.network import draw_parameters

try:
    from benchmarks import jax_scan
except ImportError:
    jax_scan = None

DATASET = bn.Dataset.from_words(bn.load_words())
V, T = len(DATASET.vocabulary), DATASET.block_size
CONTEXTS, TARGETS = DATASET.train.contexts, DATASET.train.targets
SIXTEEN = range(23, 39)  # seeds
SHAPES = {"hidden 10": {"hidden": 10}, "hidden 400": {"hidden": 400}, "depth 5": {"depth": 5}}
LONG = 50_000  # steps of the run whose memory is measured
START = {  # what a new process does before its first step
    "import torch": "import torch",
    "import bn_tutorial": "import bn_tutorial",
    "the same, and load the compiled engine": """
import torch
from bn_tutorial.network import compile_training
compile_training(torch.float32)
""",
}


def plain_loop(recipe):
    """Train with autograd, the way a tutorial writes it."""
    g = torch.Generator().manual_seed(recipe.seed)
    p = draw_parameters(recipe, V, T, g)
    for tensor in p.values():
        tensor.requires_grad = True
    losses = []
    for step in range(recipe.steps):
        batch = torch.randint(0, len(TARGETS), (recipe.batch_size,), generator=g)
        h = p["embedding"][CONTEXTS[batch]].view(recipe.batch_size, -1)
        for i in range(recipe.depth):
            h = h @ p[f"hidden.{i}.weight"] + p[f"hidden.{i}.bias"]
            h = (h - h.mean(0, keepdim=True)) / h.std(0, keepdim=True)
            h = torch.tanh(p[f"norm.{i}.weight"] * h + p[f"norm.{i}.bias"])
        loss = F.cross_entropy(h @ p["output.weight"] + p["output.bias"], TARGETS[batch])
        losses.append(loss.item())
        for tensor in p.values():
            tensor.grad = None
        loss.backward()
        rate = recipe.learning_rate(step)
        for tensor in p.values():
            tensor.data -= rate * tensor.grad
    return torch.tensor(losses)


def sequential(recipe):
    """Train ``nn.Sequential`` with ``optim.SGD`` (its variance divides by n, so losses differ)."""
    g = torch.Generator().manual_seed(recipe.seed)
    dim, hidden = recipe.embedding, recipe.hidden
    model = nn.Sequential(
        nn.Embedding(V, dim),
        nn.Flatten(),
        nn.Linear(T * dim, hidden),
        nn.BatchNorm1d(hidden),
        nn.Tanh(),
        nn.Linear(hidden, V),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(recipe.steps):
        batch = torch.randint(0, len(TARGETS), (recipe.batch_size,), generator=g)
        loss = F.cross_entropy(model(CONTEXTS[batch]), TARGETS[batch])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(losses)


def jax_one(recipe):
    """Train one run with JAX's jit(scan)."""
    losses = jax_scan.train_one(*_examples(), *_drawn(recipe, recipe.seed), _rates(recipe))
    return torch.from_numpy(np.array(losses))


def jax_16(recipe):
    """Train sixteen runs with JAX's jit(vmap(scan))."""
    drawn = [_drawn(recipe, seed) for seed in SIXTEEN]
    parameters = [np.stack(several) for several in zip(*(p for p, _ in drawn), strict=True)]
    batches = np.stack([batches for _, batches in drawn])
    losses = jax_scan.train_several(*_examples(), parameters, batches, _rates(recipe))
    return torch.from_numpy(np.array(losses[0]))


def _examples():
    return CONTEXTS.numpy(), TARGETS.numpy()


def _drawn(recipe, seed):
    g = torch.Generator().manual_seed(seed)
    parameters = [p.numpy() for p in draw_parameters(recipe, V, T, g).values()]
    size = (recipe.steps, recipe.batch_size)
    return parameters, torch.randint(0, len(TARGETS), size, generator=g).numpy()


def _rates(recipe):
    return recipe.learning_rates().astype(np.float32)


def floor(recipe):
    """Do only the matrix products and the tanh of a step, in the same shapes."""
    batch, hidden = recipe.batch_size, recipe.hidden
    draw = np.random.default_rng(0).standard_normal
    x, w1, w2 = (
        draw(shape).astype(np.float32)
        for shape in ((batch, T * recipe.embedding), (T * recipe.embedding, hidden), (hidden, V))
    )
    dy, dh = draw((batch, V)).astype(np.float32), draw((batch, hidden)).astype(np.float32)
    for _ in range(recipe.steps):
        h = np.tanh(x @ w1)
        h @ w2
        h.T @ dy
        dy @ w2.T
        x.T @ dh
        dh @ w1.T


def train(recipe):
    """Train one run."""
    return bn.train(DATASET, recipe).loss


def sweep_16(recipe):
    """Train sixteen runs, as many at a time as there are threads."""
    return bn.sweep(DATASET, recipe, seed=SIXTEEN)[0].loss


ROWS = {  # name -> function, runs
    "plain autograd loop": (plain_loop, 1),
    "nn.Sequential, optim.SGD": (sequential, 1),
    "JAX, jit(scan)": (jax_one, 1),
    "JAX, jit(vmap(scan)), 16 runs": (jax_16, 16),
    "bn.train": (train, 1),
    "bn.sweep, 16 runs, 2 threads": (sweep_16, 16),
    "floor: matrix products and tanh in NumPy": (floor, 1),
}


def microseconds(recipe, rows, repeats):
    """Time rows in turn: dict of name to the median time of a step of one run."""
    times = {name: [] for name in rows}
    for repeat in range(repeats + 1):  # the first round warms up
        for name, (function, runs) in rows.items():
            start = time.perf_counter()
            function(recipe)
            if repeat:
                times[name].append((time.perf_counter() - start) / recipe.steps / runs * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def seconds_to_start(code, cache=None):
    """Time a new Python process that runs code, with its compiled functions in another folder."""
    cached = {} if cache is None else {"NUMBA_CACHE_DIR": cache}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | cached)
    return time.perf_counter() - start


def peak_memory(name, steps):
    """Run a row in a process of its own: the megabytes that it adds to what is there before."""
    before = _highest()
    ROWS[name][0](bn.Recipe(steps=steps))
    return _highest() - before


def _highest():
    status = Path("/proc/self/status").read_text()  # Linux; getrusage would count the parent in
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def _memory(name, steps):
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(peak_memory, name, steps).result()


def check_losses(rows, steps):
    """Demand that the rows which promise the same losses agree to four decimals."""
    recipe = bn.Recipe(steps=steps)
    expected = plain_loop(recipe)
    for name, (function, _) in rows.items():
        if function in (jax_one, jax_16, train, sweep_16):
            difference = (function(recipe) - expected).abs().max().item()
            if difference >= 5e-5:
                raise SystemExit(f"{name}: losses differ from the plain loop by {difference}")


def print_rows(steps, repeats):
    """Print the table of the seed recipe with batch norm."""
    rows = {name: row for name, row in ROWS.items() if jax_scan or "JAX" not in name}
    if not jax_scan:
        print('No rows for JAX, which is missing here: pip install -e ".[bench]"\n')
    check_losses(rows, min(steps, 1_000))
    print("| seed recipe | µs a step and run | times as fast as the plain loop | peak memory, MB |")
    print("|---|---|---|---|")
    times = microseconds(bn.Recipe(steps=steps), rows, repeats)
    for name, time_ in times.items():
        factor, memory = times["plain autograd loop"] / time_, _memory(name, steps)
        print(f"| {name} | {time_:.1f} | {factor:.1f} | {memory:.0f} |")
    print("\nThe losses of the plain loop, JAX, bn.train and bn.sweep are equal to four decimals.")
    memory = _memory("bn.train", LONG)
    print(f"A run of {LONG:,} steps with the statistics of every batch takes {memory:.0f} MB.")


def print_shapes(steps, repeats):
    """Print the table of other networks."""
    print("\n| network | plain loop, µs a step | bn.train, µs a step | times as fast |")
    print("|---|---|---|---|")
    rows = {name: ROWS[name] for name in ("plain autograd loop", "bn.train")}
    for name, shape in SHAPES.items():
        plain, ours = microseconds(bn.Recipe(steps=steps, **shape), rows, repeats).values()
        print(f"| {name} | {plain:.1f} | {ours:.1f} | {plain / ours:.1f} |")


def print_start(repeats):
    """Print what a process waits for before its first step."""
    print("\n| start of a process | seconds |")
    print("|---|---|")
    times = {name: [] for name in START}
    for _ in range(repeats):
        for name, code in START.items():
            times[name].append(seconds_to_start(code))
    for name, values in times.items():
        print(f"| {name} | {statistics.median(values):.2f} |")
    with tempfile.TemporaryDirectory() as empty:
        print(f"| the same, and compile it first | {seconds_to_start(code, empty):.1f} |")


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    print(
        f"{platform.machine()}, torch {torch.__version__}, numpy {np.__version__}, "
        f"{torch.get_num_threads()} threads, {arguments.steps} steps, "
        f"medians of {arguments.repeats}\n"
    )
    print_rows(arguments.steps, arguments.repeats)
    print_shapes(arguments.steps, arguments.repeats)
    print_start(arguments.repeats)


if __name__ == "__main__":
    main()
