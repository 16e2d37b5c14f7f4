"""Submissions of A1, right, wrong, broken and hostile: made from the authored notebook.

``cases`` maps a name to a ``Case``; ``hand_in`` puts them into a folder.
"""

import os
from pathlib import Path

from submissions.base import A1, ALL, RIGHT, Case, forward
from submissions.files import broken_files
from submissions.honest import honest
from submissions.hostile import MARK, cheats, endless, escapes, processes
from submissions.own_norms import own_norms
from submissions.stubborn import stubborn
from submissions.wrong import broken_code, known_bugs

__all__ = ["A1", "ALL", "MARK", "Case", "cases", "hand_in", "harmless"]


def cases(port, outside, others_file):
    """Return all cases: dict of name to ``Case``."""
    return {
        "correct": Case(forward(RIGHT), ALL),
        **honest(),
        **stubborn(),
        **known_bugs(),
        **broken_code(),
        **endless(),
        **processes(),
        **cheats(),
        **own_norms(),
        **escapes(port, outside, others_file),
        **broken_files(others_file),
    }


def harmless():
    """Return the names of the cases that a notebook may run without a sandbox."""
    return [*honest(), *known_bugs(), *broken_code(), *own_norms()]


def hand_in(folder, cases):
    """Put every case into a folder of its own."""
    for name, case in cases.items():
        for file, content in case.files.items():
            path = folder / name / file if file else folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Path):
                os.symlink(content, path)
            else:
                path.write_bytes(content)
