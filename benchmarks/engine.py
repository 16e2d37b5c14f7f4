"""How fast training is, against PyTorch's ways of doing the same: one table, everything in one run.

``make bench``, or ``python -m benchmarks.engine [--steps N] [--repeats N]``. Every row trains the
seed recipe with batch norm; rows take turns, so that a busy moment of the machine hits them all,
and the table gives medians. The factor is the plain loop's time over the row's, per run.
"""

import argparse
import multiprocessing
import platform
import re
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import bn_tutorial as bn
from bn_tutorial.network import draw_parameters

DATASET = bn.Dataset.from_words(bn.load_words())
V, T = len(DATASET.vocabulary), DATASET.block_size


def plain_loop(recipe):
    """Train with autograd, the way a tutorial writes it."""
    contexts, targets = DATASET.train.contexts, DATASET.train.targets
    g = torch.Generator().manual_seed(recipe.seed)
    parameters = draw_parameters(recipe, V, T, g)
    for p in parameters.values():
        p.requires_grad = True
    embedding, w1, b1, gain, shift, w2, b2 = parameters.values()
    losses = []
    for step in range(recipe.steps):
        batch = torch.randint(0, len(targets), (recipe.batch_size,), generator=g)
        x = embedding[contexts[batch]].view(recipe.batch_size, -1)
        h = x @ w1 + b1
        h = gain * ((h - h.mean(0, keepdim=True)) / h.std(0, keepdim=True)) + shift
        loss = F.cross_entropy(torch.tanh(h) @ w2 + b2, targets[batch])
        losses.append(loss.item())
        for p in parameters.values():
            p.grad = None
        loss.backward()
        rate = recipe.learning_rate(step)
        for p in parameters.values():
            p.data -= rate * p.grad
    return torch.tensor(losses)


def sequential(recipe):
    """Train ``nn.Sequential`` with ``optim.SGD`` (its variance divides by n, so losses differ)."""
    contexts, targets = DATASET.train.contexts, DATASET.train.targets
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
        batch = torch.randint(0, len(targets), (recipe.batch_size,), generator=g)
        loss = F.cross_entropy(model(contexts[batch]), targets[batch])
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return torch.tensor(losses)


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
    """Train sixteen runs side by side."""
    return bn.sweep(DATASET, recipe, seed=range(23, 39))[0].loss


def sweep_64(recipe):
    """Train sixty-four runs side by side."""
    return bn.sweep(DATASET, recipe, seed=range(23, 87))[0].loss


ROWS = {  # name -> function, runs
    "plain autograd loop": (plain_loop, 1),
    "nn.Sequential, optim.SGD": (sequential, 1),
    "bn.train": (train, 1),
    "bn.sweep, 16 runs, 2 threads": (sweep_16, 16),
    "bn.sweep, 64 runs, 2 threads": (sweep_64, 64),
    "floor: matrix products and tanh": (floor, 1),
}


def microseconds_per_step(steps, repeats):
    """Time the rows in turn: dict of name to the median time of a step of one run."""
    recipe, times = bn.Recipe(steps=steps), {name: [] for name in ROWS}
    for repeat in range(repeats + 1):  # the first round warms up
        for name, (function, runs) in ROWS.items():
            start = time.perf_counter()
            function(recipe)
            if repeat:
                times[name].append((time.perf_counter() - start) / steps / runs * 1e6)
    return {name: statistics.median(values) for name, values in times.items()}


def peak_memory(name, steps):
    """Run a row in a process of its own: the megabytes that it adds to what is there before."""
    before = _highest()
    ROWS[name][0](bn.Recipe(steps=steps))
    return _highest() - before


def _highest():
    status = Path("/proc/self/status").read_text()  # Linux; getrusage would count the parent in
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def check_losses(steps):
    """Demand that the rows which promise the same losses agree to four decimals."""
    recipe = bn.Recipe(steps=steps)
    expected = plain_loop(recipe)
    for function in (train, sweep_16, sweep_64):
        difference = (function(recipe) - expected).abs().max().item()
        if difference >= 5e-5:
            raise SystemExit(
                f"{function.__name__}: losses differ from the plain loop by {difference}"
            )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    check_losses(min(arguments.steps, 1_000))
    times = microseconds_per_step(arguments.steps, arguments.repeats)
    spawn = multiprocessing.get_context("spawn")
    print(
        f"{platform.machine()}, torch {torch.__version__}, numpy {np.__version__}, "
        f"{torch.get_num_threads()} threads, {arguments.steps} steps, "
        f"medians of {arguments.repeats}\n"
    )
    print("| | µs a step and run | times as fast as the plain loop | peak memory, MB |")
    print("|---|---|---|---|")
    for name, microseconds in times.items():
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            memory = pool.submit(peak_memory, name, arguments.steps).result()
        factor = times["plain autograd loop"] / microseconds
        print(f"| {name} | {microseconds:.1f} | {factor:.1f} | {memory:.0f} |")
    print("\nLosses of plain loop, train and sweeps: equal to four decimals.")


if __name__ == "__main__":
    main()
