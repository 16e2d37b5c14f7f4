"""A list of people, as a platform or a teacher has it, and who of them a name or an id means."""

import re
from dataclasses import replace
from itertools import pairwise

from bn_tutorial.grading import tables
from bn_tutorial.grading.submissions import HandedIn

NOBODY = {"pointspossible", "studenttest"}  # rows of Canvas's gradebook
IDENTIFIER = re.compile(r"\A#|\A'?[\d.,-]*\Z|.@|\AParticipant \d+\Z")  # no name
UNKNOWN = "not in the roster, or name and id fit several people there"


class Roster:
    """The rows of a table that has a person in each.

    Parameters
    ----------
    path : Path
        A CSV file with a header. Which columns it has does not matter: a name, an id, a login or an
        address may stand in any.

    Attributes
    ----------
    header : list of str
    rows : list of list of str
    people : list of int
        The numbers of the rows that are somebody's.

    Raises
    ------
    TableError
        If it is no table.
    """

    def __init__(self, path):
        self.header, *self.rows = tables.read(path)
        self._keys = [_keys(row) for row in self.rows]
        self.people = [i for i, keys in enumerate(self._keys) if not keys & NOBODY]

    def find(self, student, id=""):
        """Return the number of a student's row, or None: none, several, or two by id and name."""
        rows = set()
        for text in filter(None, (tables.plain(id), tables.plain(student))):
            found = [i for i, keys in enumerate(self._keys) if text in keys]
            if len(found) == 1:
                rows.update(found)
        return rows.pop() if len(rows) == 1 else None

    def name(self, row):
        """Return what to call the person of a row: its first cells that are words."""
        cells = [tables.unguarded(cell) for cell in self.rows[row]]
        words = [cell for cell in cells if not IDENTIFIER.search(cell)]
        many = len(words) > 1 and not any(" " in word.strip() for word in words[:1])
        return " ".join(words[:2]) if many and words[1] else (words or cells)[0]


def _keys(row):
    """Return all that may stand for the person of a row: set of str."""
    keys = set()
    for cell in filter(None, row):
        words = cell.replace(",", " ").split()
        keys |= {tables.plain(cell), tables.plain(" ".join(reversed(words)))}
        keys.add(tables.plain(" ".join(words[-1:] + words[:-1])))  # Ash, Alice Berta
        if words[0] == "Participant":  # Moodle's worksheet
            keys.add(tables.plain(words[-1]))
        if "@" in cell[1:]:
            keys.add(tables.plain(cell.partition("@")[0]))
    for first, second in pairwise(row):  # first and last name in two columns
        if first and second:
            keys |= {tables.plain(first + second), tables.plain(second + first)}
    return keys - {""}


def with_roster(found, roster):
    """Return what is in a folder with those of the roster who have handed in nothing: Found.

    Who is in the folder and not in the roster is marked as unclear.
    """
    there = {one.student: roster.find(one.student, one.id) for one in found.handed_in}
    handed_in = [
        one
        if there[one.student] is not None
        else replace(one, unclear=True, note="; ".join(filter(None, [one.note, UNKNOWN])))
        for one in found.handed_in
    ]
    for row in sorted(set(roster.people) - set(there.values())):
        name = roster.name(row)
        if name in there:  # of two people who are both called so
            name = f"{name} ({', '.join(filter(None, roster.rows[row]))})"
        handed_in.append(HandedIn(name, "", None, problem="handed in nothing"))
    return replace(found, handed_in=sorted(handed_in, key=lambda one: one.student))
