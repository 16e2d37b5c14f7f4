"""How much memory a notebook's kernel takes after Run All.

``make bench``, or ``python -m benchmarks.memory [NOTEBOOK ...]``; on Linux. A class on one machine
needs what is a kernel's own for each learner, and the libraries, which kernels share, once. PSS
counts a shared page in parts: beside other kernels it is a little more than what is a kernel's own,
alone it is all.
"""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

from tools.run_notebooks import course, execute

IDLE = [new_code_cell("import matplotlib.pyplot, torch")]
LAST = new_code_cell("print(open('/proc/self/smaps_rollup').read())")
COLUMNS = {"its own": "Pss_Anon", "PSS": "Pss", "with all libraries": "Rss"}


def megabytes(cells, folder):
    """Run code cells in a new kernel, in a folder: the MB that it takes then, by column."""
    with tempfile.NamedTemporaryFile("w", suffix=".ipynb", dir=folder) as file:
        nbformat.write(new_notebook(cells=[*cells, LAST]), file)
        file.flush()
        text = execute(Path(file.name)).cells[-1].outputs[0].text
    kilobytes = dict(re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE))
    return [int(kilobytes[key]) // 1024 for key in COLUMNS.values()]


def main(names):
    """Print the table, of the named notebooks or of the whole course."""
    paths = [Path(name) for name in names] or course()
    print("| MB after Run All |", " | ".join(COLUMNS), "|\n|---|" + "---|" * len(COLUMNS))
    notebooks = {path.name: nbformat.read(path, as_version=4).cells for path in paths}
    for name, cells in ({"torch and matplotlib alone": IDLE} | notebooks).items():
        taken = " | ".join(map(str, megabytes(cells, paths[0].parent)))
        print(f"| {name} | {taken} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
