"""Which answers are alike beyond what the task explains: winnowing over normalized tokens.

Fingerprints are hashes of runs of tokens, in which every name is the same name; of each few
neighbours the smallest is kept, so that a run of some length that two texts share is always found
(Schleimer, Wilkerson and Aiken 2003, "Winnowing", SIGMOD). What the master has or many have, the
template and the usual ways to write a task, is left out: only what few have in common counts.
"""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from keyword import kwlist
from zlib import crc32

LONGEST = 20_000  # characters of an answer that are compared
RUN, WINDOW = 10, 4  # tokens of a fingerprint, and of how many neighbours one is kept
SHARED, SHARE = 8, 0.5  # fingerprints that only few have: so many, and of the shorter answer's
TOKEN = re.compile(
    r"(?P<skip>#[^\n]*|\s+)"
    r"|(?P<text>\"\"\".*?\"\"\"|'''.*?'''|'[^'\n]*'|\"[^\"\n]*\")"
    r"|(?P<name>[^\W\d]\w*)|(?P<number>\d[\w.]*)|(?P<sign>.)",
    re.DOTALL,
)
KEPT = {*kwlist, "mean", "var", "std", "sum", "sqrt", "log"}  # the names that are no other


@dataclass(frozen=True)
class Pair:
    """Two answers to one task that are alike.

    Attributes
    ----------
    task : str
        The ``grade_id`` of the solution.
    students : tuple of (str, str)
    shared : int
        Fingerprints that both and only few others have.
    share : float
        Of those of the shorter answer that only few have.
    sides : tuple of two lists of (str, bool)
        The lines of both, and whether they are in something shared.
    """

    task: str
    students: tuple[str, str]
    shared: int
    share: float
    sides: tuple[list[tuple[str, bool]], list[tuple[str, bool]]]


def fingerprints(source):
    r"""Return the fingerprints of an answer: dict of hash to set of line numbers, from 0.

    Examples
    --------
    >>> a = "def f(x):\n    y = x - x.mean(0)\n    return y / (y * y).mean(0).sqrt()"
    >>> fingerprints(a).keys() == fingerprints(a.replace("y", "centered")).keys()
    True
    """
    tokens, line = [], 0
    for match in TOKEN.finditer(source[:LONGEST]):
        kind, text = match.lastgroup, match.group()
        if kind == "name":
            tokens.append((text if text in KEPT else "n", line))
        elif kind != "skip":
            tokens.append((text if kind == "sign" else kind, line))
        line += text.count("\n")
    runs = [tokens[i : i + RUN] for i in range(len(tokens) - RUN + 1)]
    hashes = [crc32(" ".join(text for text, _ in run).encode()) for run in runs]
    found = defaultdict(set)
    for i in range(max(0, len(hashes) - WINDOW + 1)):
        at = min(range(i, i + WINDOW), key=lambda j: (hashes[j], -j))
        found[hashes[at]] |= {line for _, line in runs[at]}
    return dict(found)


def similar(rows, assignment):
    """Return the pairs that are alike, most of it first: list of Pair.

    Parameters
    ----------
    rows : list of report.Row
    assignment : Assignment
    """
    pairs = []
    for task in dict.fromkeys(task.solution for task in assignment.tasks):
        sources = {
            row.handed_in.student: row.handed_in.submission.sources[task]
            for row in rows
            if row.handed_in.submission and task in row.handed_in.submission.sources
        }
        pairs += _alike(task, sources, assignment.answers.get(task, ""))
    return sorted(pairs, key=lambda pair: (-pair.shared, pair.task, pair.students))


def _alike(task, sources, master):
    usual = fingerprints(master)
    prints = {student: fingerprints(source) for student, source in sources.items()}
    counts = Counter(each for found in prints.values() for each in found)
    few = max(3, len(prints) // 30)
    rare, having = {}, defaultdict(list)
    for student, found in prints.items():
        rare[student] = {each for each in found if counts[each] <= few and each not in usual}
        for each in rare[student]:
            having[each].append(student)
    shared = Counter(pair for names in having.values() for pair in combinations(sorted(names), 2))
    for students, count in shared.items():
        one, other = (rare[student] for student in students)
        share = count / min(len(one), len(other))
        if count >= SHARED and share >= SHARE:
            common = one & other
            sides = tuple(_marked(sources[who], prints[who], common) for who in students)
            yield Pair(task, students, count, share, sides)


def _marked(source, found, common):
    lines = set().union(*(found[each] for each in common))
    return [(text, i in lines) for i, text in enumerate(source[:LONGEST].split("\n"))]
