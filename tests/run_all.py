"""Run notebooks as JupyterLab's Run All does, and print what each test cell says, as JSON.

Each in a process of its own, forked from one that has everything loaded. Where a cell fails, Run
All stops: the tests below say nothing.
"""

import contextlib
import io
import json
import os
import signal
import sys
import warnings

import torch
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from bn_tutorial import checks

SECONDS = 60


def verdicts(path):
    """Return for each test cell whether it passed: dict; None where it was not reached."""
    with open(path, encoding="utf-8-sig") as file:
        cells = json.load(file)["cells"]
    shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
    found, stopped = {}, False
    for cell in (cell for cell in cells if cell["cell_type"] == "code"):
        about = cell["metadata"].get("nbgrader", {})
        name = about.get("grade_id")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            done = None if stopped else shell.run_cell("".join(cell["source"]))
        if about.get("grade") and not about.get("solution"):
            found[name] = None if stopped or not done.success else done.result == about["points"]
        stopped = stopped or not done.success
    return found


def in_a_process(path):
    """Return the verdicts as JSON."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        signal.alarm(SECONDS)
        with os.fdopen(write, "w") as out:
            json.dump(verdicts(path), out)
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return text or "{}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # else its threads would be missing in a process that was forked
    checks.batch_norm_forward(lambda x, weight, bias, eps: x)  # what it needs is loaded
    for path in sys.argv[1:]:
        print(in_a_process(path), flush=True)
