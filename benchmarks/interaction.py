"""How fast explorers answer: from a key press to changed pixels in JupyterLab, in one run.

``make bench``, or ``python -m benchmarks.interaction [--keys N] [NAME ...]``. Each explorer stands
beside an ``interact`` that draws the same picture of the same numbers; both are moved by the same
keys and drags, directly and through a line that delays everything by 100 ms each way. Needs
Chromium, like the browser tests.
"""

import argparse
import asyncio
import math
import statistics
import tempfile
import threading
import time
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat

import bn_tutorial as bn
from bn_tutorial.explorers import MomentumExplorer
from tools.lab import lab

DELAY = 0.1  # s each way
SECONDS = 3  # of a drag

SETUP = """\
%matplotlib inline
import matplotlib.pyplot as plt
from ipywidgets import SelectionSlider, interact
import bn_tutorial as bn
from bn_tutorial import explorers

dataset = bn.Dataset.from_words(bn.load_words())
run = bn.train(dataset, bn.Recipe(hidden_bias=False, steps={steps}))
runs = {runs}
"""
INTERACT = """\
twin = {call}
name, control = next((k, c) for k, c in twin.controls.items() if hasattr(c, "readout"))
slider = SelectionSlider(options=control.options, value=control.value, description=name)

def redraw(value):
    numbers = twin.compute(twin.state | {{name: value}})
    figure = plt.figure(figsize=twin.figure.get_size_inches(), dpi=100, layout="constrained")
    twin.build(figure, numbers)
    twin.update(numbers)
    twin.set_scene(numbers)
    plt.show()

interact(redraw, value=slider);
"""
CALLS = {
    "ActivationExplorer": "explorers.ActivationExplorer(dataset)",
    "BatchMatesExplorer": "explorers.BatchMatesExplorer(run, dataset)",
    "CalibrationExplorer": "explorers.CalibrationExplorer(run, dataset)",
    "MomentumExplorer": "explorers.MomentumExplorer(run, dataset)",
    "LearningRateExplorer": "explorers.LearningRateExplorer(dataset, runs)",
    "DepthExplorer": "explorers.DepthExplorer(dataset)",
    "BatchSizeExplorer": "explorers.BatchSizeExplorer(runs, dataset)",
    "Playground": "explorers.Playground(dataset)",
    "MapExplorer": """explorers.MapExplorer(
    [0.01 * 4**i for i in range(7)], [0.04, 0.2, 1, 5, 25],
    {"plain": [[3.0] * 7] * 5, "batch norm": [[2.6] * 7] * 5}, level=3.33)""",
    "SpiralExplorer": "explorers.SpiralExplorer()",
    "OrderExplorer": "explorers.OrderExplorer(run, dataset)",
    "WeightExplorer": "explorers.WeightExplorer(run)",
}
RUNS = {
    "LearningRateExplorer": """bn.sweep(
    dataset, bn.Recipe(steps=300), norm=[None, "batch"], hidden_gain=[1.0],
    learning_rate=[10 ** (i / 12 - 3) for i in range(49)])""",
    "BatchSizeExplorer": """[
    run
    for b in (2, 4, 8, 16, 32, 64, 128, 256, 512)
    for run in bn.sweep(
        dataset, bn.Recipe(steps=8_192 // b, batch_size=b, eps=1e-5),
        norm=["batch", "layer", None], seed=range(3))]""",
}
EXPLORER, INTERACTIVE = ".bn-explorer img", ".widget-interact .jp-OutputArea-output img"


def write_notebook(folder, name):
    """Write the notebook of one explorer: preparation, explorer, interact."""
    cells = [
        SETUP.format(steps=50_000 if name == "MomentumExplorer" else 3_000, runs=RUNS.get(name)),
        CALLS[name],
        INTERACT.format(call=CALLS[name]),
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / f"{name}.ipynb")


async def pump(reader, writer):
    """Pass on what comes, each piece so much later."""
    line = asyncio.Queue()

    async def receive():
        while data := await reader.read(65_536):
            line.put_nowait((time.monotonic() + DELAY, data))
        line.put_nowait((time.monotonic() + DELAY, b""))

    receiving = asyncio.ensure_future(receive())
    try:
        while True:
            due, data = await line.get()
            await asyncio.sleep(due - time.monotonic())
            if not data:
                break
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        receiving.cancel()
        writer.close()


@contextmanager
def slow_line(port):
    """Pass connections on to a port, delayed: yields the port to use in its place."""

    async def connect(reader, writer):
        upstream = await asyncio.open_connection("127.0.0.1", port)
        with suppress(asyncio.CancelledError):  # at the end
            await asyncio.gather(pump(reader, upstream[1]), pump(upstream[0], writer))

    async def serve():
        server = await asyncio.start_server(connect, "127.0.0.1", 0)
        started.set_result((server.sockets[0].getsockname()[1], asyncio.current_task()))
        await asyncio.Event().wait()

    def run():
        with suppress(asyncio.CancelledError):
            asyncio.run(serve())

    started = Future()
    thread = threading.Thread(target=run)
    thread.start()
    slow_port, task = started.result()
    try:
        yield slow_port
    finally:
        task.get_loop().call_soon_threadsafe(task.cancel)
        thread.join()


def run_next_cell(notebook):
    """Run the selected cell and select the next."""
    notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell-and-select-next')")


def measure(notebook, keys):
    """Measure the explorer and the interact of an open notebook: dict of name to dict."""
    page = notebook.page
    page.evaluate("() => { jupyterapp.shell.currentWidget.content.activeCellIndex = 0 }")
    run_next_cell(notebook)
    notebook.wait()
    page.evaluate(f"() => watchPicture('{EXPLORER}')")
    begin = page.evaluate("() => performance.now()")
    run_next_cell(notebook)
    page.wait_for_function("() => seen.some(frame => frame.source)")
    first = page.evaluate("() => seen.find(frame => frame.source).time") - begin
    (explorer,) = notebook.explorers()
    explorer.settle()
    run_next_cell(notebook)
    notebook.wait()
    page.locator(INTERACTIVE).wait_for()
    return {
        "explorer": moves(page, EXPLORER, explorer.slider(), keys)
        | {"first": first, "flip": explorer.ask("_flip") is not None},
        "interact": moves(
            page, INTERACTIVE, page.locator(".widget-interact .noUi-handle").first, keys
        ),
    }


def moves(page, selector, handle, keys):
    """Measure key presses and a drag: latencies in ms, frames a second, ms after the release."""
    page.evaluate(f"() => watchPicture({selector!r})")
    page.wait_for_timeout(1_000)
    latencies, complete = [], []
    handle.focus()
    for number in range(keys):
        before = page.evaluate("() => seen.length")
        page.keyboard.press("ArrowLeft" if number % 2 else "ArrowRight")
        page.wait_for_function(f"() => seen.slice({before}).some(frame => frame.source)")
        latencies.append(
            page.evaluate(f"() => seen.slice({before}).find(f => f.source).time - pressed")
        )
        page.wait_for_timeout(1_000)
        complete.append(page.evaluate("() => seen.findLast(f => f.source).time - pressed"))
    before = page.evaluate("() => seen.length")
    positions = float(handle.get_attribute("aria-valuemax")) * 0.8
    # fast enough for a new position in every frame of a 60 Hz screen
    turns = 2 * math.ceil(60 * SECONDS / positions / 2)
    times = handle.evaluate(
        "(handle, how) => drag(handle, how)",
        {"seconds": SECONDS, "from": 0.1, "to": 0.9, "turns": turns},
    )
    page.wait_for_timeout(3_000)
    shown = [f["time"] for f in page.evaluate(f"() => seen.slice({before})") if f["source"]]
    frames = sum(times["begin"] <= time <= times["end"] for time in shown)
    page.evaluate("() => { watching = null }")
    return {
        "latencies": sorted(latencies),
        "complete": statistics.median(complete),
        "frames": frames / SECONDS,
        "backlog": max(0.0, max(shown, default=0) - times["end"]),
    }


def recompute():
    """Return the milliseconds of a new momentum over 50,000 recorded steps of 100 units."""
    dataset = bn.Dataset.from_words(bn.load_words())
    explorer = MomentumExplorer(bn.train(dataset, bn.Recipe()), dataset)
    times = []
    for number in range(51):
        state = explorer.state | {"momentum": 0.00123 + number * 1e-6}
        start = time.perf_counter()
        explorer.compute(state)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def row(name, result, interact):
    """Format one row of the table."""
    latencies = result["latencies"]
    median, p95 = statistics.median(latencies), latencies[int(0.95 * (len(latencies) - 1))]
    times = statistics.median(interact["latencies"]) / median
    first = f"{result['first'] / 1e3:.2f}" if "first" in result else ""
    return (
        f"| {name} | {median:.0f} / {p95:.0f} | {result['complete']:.0f} | {times:.1f} "
        f"| {result['frames']:.0f} "
        f"| {result['backlog']:.0f} | {first} |"
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(CALLS), metavar="NAME")
    parser.add_argument("--keys", type=int, default=24)
    arguments = parser.parse_args()
    print(
        "| | key to pixels, ms: median / p95 | to the last picture, ms | times as fast as interact "
        "| frames/s in a drag | ms after release | first picture, s |\n"
        "|---|---|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names:
            write_notebook(Path(folder), name)
        for through, where in ((None, ""), (slow_line, ", 100 ms away")):
            with lab(folder, through=through) as open_notebook:
                for name in arguments.names:
                    with open_notebook(f"{name}.ipynb") as notebook:
                        results = measure(notebook, arguments.keys)
                    kind = "flipbook" if results["explorer"].pop("flip") else "live"
                    kind = "trained anew" if name == "Playground" else kind
                    for label, what in ((kind, "explorer"), ("interact", "interact")):
                        text = row(f"{name}, {label}{where}", results[what], results["interact"])
                        print(text, flush=True)
    print(f"\nMomentumExplorer, the state for a new momentum: {recompute():.1f} ms (median of 51)")


if __name__ == "__main__":
    main()
