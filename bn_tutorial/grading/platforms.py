"""Whose is a file? What learning platforms make of names when they export submissions.

    Moodle       Alice Ash_4711_assignsubmission_file_/A1.ipynb, or ..._file_A1.ipynb
    Canvas       ashalice_4711_815_A1.ipynb, ashalice_LATE_4711_815_A1-1.ipynb
    Blackboard   A1_aash_attempt_2026-11-22-18-50-00_A1.ipynb
    Brightspace  4711-815 - Alice Ash - Nov 22, 2026 650 PM/A1.ipynb
    Gradescope   submission_4711/A1.ipynb, and who that is in submission_metadata.yml
    plain        alice.ipynb, alice/A1/A1.ipynb: nbgrader's, or made by hand

All names in a folder are read as one platform's: a student may call a file what another platform
would call somebody else's.
"""

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import yaml

PATTERNS = {
    "moodle": r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)(?:_.*)?",
    "brightspace": r"(?P<id>\d+)-\d+ - (?P<name>.+?) - (?P<when>\w+\.? \d+, \d{4} \d{3,4} [AP]M)"
    r"(?: - .*)?",
    "blackboard": r".+?_(?P<name>[^_]+)_attempt_(?P<when>\d{4}(?:-\d\d){5})(?:[_.].*)?",
    "canvas": r"(?P<name>[^_]+?)(?P<late>_LATE)?_(?P<id>\d{3,})_(?P<attempt>\d{3,})_.+",
}
PATTERNS = {name: re.compile(pattern, re.DOTALL) for name, pattern in PATTERNS.items()}
TIMES = {"brightspace": "%b %d, %Y %I%M %p", "blackboard": "%Y-%m-%d-%H-%M-%S"}
GRADESCOPE = "submission_metadata.yml"
KNOWN = ["canvas", "moodle", "blackboard", "brightspace", "gradescope", "plain"]


@dataclass(frozen=True)
class Owner:
    """Whose a file is, as its name says.

    Attributes
    ----------
    name, id : str
        The id is the platform's, "" where there is none in the name.
    when : datetime or None
        When it was handed in, without a time zone: the platform's own.
    attempt : int
    late : bool
        Whether the platform says so.
    known : bool
        Whether the name is as the platform makes it.
    """

    name: str
    id: str = ""
    when: datetime | None = None
    attempt: int = 0
    late: bool = False
    known: bool = True


def guess(names):
    """Return the platform that made most of the names: str.

    Examples
    --------
    >>> guess(["ashalice_4711_815_A1.ipynb", "bergbob_4712_816_absentann_attempt_9_.ipynb"])
    'canvas'
    >>> guess(["alice.ipynb", "bob.ipynb"])
    'plain'
    """
    if GRADESCOPE in names:
        return "gradescope"
    counts = Counter(
        platform
        for name in names
        for platform, pattern in PATTERNS.items()
        if pattern.fullmatch(name)
    )
    [(platform, count)] = counts.most_common(1) or [("plain", 0)]
    return platform if 2 * count >= len(names) else "plain"


def owner(name, platform):
    """Return whose a file or folder of this name is: Owner."""
    if platform not in PATTERNS:
        return Owner(_without_suffix(name))
    if not (match := PATTERNS[platform].fullmatch(name)):
        return Owner(_without_suffix(name), known=False)
    groups = match.groupdict()
    when = _time(groups.get("when"), TIMES.get(platform))
    attempt, late = int(groups.get("attempt") or 0), bool(groups.get("late"))
    name = " ".join(groups["name"].split())  # with no-break spaces as plain ones
    return Owner(name, groups.get("id") or "", when, attempt, late)


def _without_suffix(name):
    return re.sub(r"\.ipynb(\.txt|\.json)?", "", name, flags=re.IGNORECASE)


def _time(text, form):
    try:
        return datetime.strptime(text, form) if text else None
    except ValueError:  # in another language
        return None


class _Plain(yaml.SafeLoader):
    """Takes what has a tag that it does not know for what is in it."""

    def untagged(self, _, node):
        """Return a mapping, a list or a text."""
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node)


_Plain.add_multi_constructor("!", _Plain.untagged)


def gradescope(text):
    """Return who handed in what, from Gradescope's metadata: dict of folder name to Owner.

    Of a group the first member stands for all, and their names are put together.
    """
    owners = {}
    for folder, about in (yaml.load(text, _Plain) or {}).items():
        people = about.get(":submitters") or [{}]
        names = " + ".join(str(one.get(":name") or one.get(":email") or folder) for one in people)
        when = about.get(":created_at")
        when = when.replace(tzinfo=None) if isinstance(when, datetime) else None
        owners[str(folder)] = Owner(names, str(people[0].get(":sid") or ""), when)
    return owners
