"""What a known bug is: a few edits of right code, and what to tell somebody who wrote it so."""

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import unified_diff
from functools import cache, cached_property

import torch
from torch import nn

_text = cache(inspect.getsource)  # it parses a whole file each time


@dataclass(frozen=True, repr=False, eq=False)
class Bug:
    """A wrong implementation, and what to tell somebody whose answer behaves like it.

    Attributes
    ----------
    explanation : str
        The cause, and what would be right.
    right : callable
        What is right: a function, or a subclass of ``nn.Module``, as the check takes it.
    edits : dict of str to str
        What to replace in its source by what. Each text occurs there once; new lines are indented
        as the one that they stand in.
    others : tuple of dict
        Other ways to write the same misconception, which behave differently in detail.
    check : str
        The check that it belongs to, as a name in ``bn_tutorial.checks``.
    chapter : str
        The notebook to reread, without its ending.
    symptom : str
        One sentence: what one can observe. It does not name the cause. The assignments' bugs have
        none.
    name : str
        Unique among the bugs of its check.
    code : callable
        The wrong code, to run.
    variants : tuple of callable
        The other ways, to run.
    """

    explanation: str
    right: Callable
    edits: Mapping[str, str]
    others: tuple[Mapping[str, str], ...]
    check: str
    chapter: str
    symptom: str = ""
    name: str = ""

    def __repr__(self):
        return f"Bug({self.name!r})"

    @cached_property
    def code(self):
        return self._run(self.edits)

    @cached_property
    def variants(self):
        return tuple(map(self._run, self.others))

    def source(self, name=None):
        """Return the wrong code as text, under another name if one is given."""
        return self._named(edited(_text(self.right), self.edits), name)

    def diff(self, name=None):
        """Return what is wrong as a diff: the lines with ``-`` are right, those with ``+`` wrong.

        Examples
        --------
        >>> from bn_tutorial import checks
        >>> print(checks.find_bug("fold_without_shift").diff())
             folded = nn.Linear(linear.in_features, linear.out_features)
             folded.weight.copy_(linear.weight * scale[:, None])
        -    folded.bias.copy_((linear.bias - batch_norm.running_mean) * scale + batch_norm.bias)
        +    folded.bias.copy_((linear.bias - batch_norm.running_mean) * scale)
             return folded
        """
        right = self._named(_text(self.right), name)
        texts = right.splitlines(), self.source(name).splitlines()
        _, _, _, *lines = unified_diff(*texts, n=2, lineterm="")
        shown = ("..." if line.startswith("@@") else line.rstrip() for line in lines)
        return "\n".join(shown).strip("\n")

    def _named(self, text, name):
        return text if name is None else re.sub(rf"\b{self.right.__name__}\b", name, text)

    def _run(self, edits):
        room = {"torch": torch, "nn": nn, "math": math, "__name__": __name__}
        exec(edited(_text(self.right), edits), room)
        return room[self.right.__name__]


def bugs_from(right, *, check, chapter):
    """Return what makes the bugs of right code, ``bug(explanation, edits, *others, symptom="")``.

    A bug may belong to another ``chapter`` than most of them.
    """

    def bug(explanation, edits, *others, symptom="", chapter=chapter):
        return Bug(explanation, right, edits, others, check, chapter, symptom)

    return bug


def named(**bugs):
    """Return a tuple of bugs, each with its keyword as its name."""
    return tuple(replace(bug, name=name) for name, bug in bugs.items())


def edited(text, edits):
    r"""Return a text with all edits made at once. A line of which nothing is left goes.

    Raises
    ------
    ValueError
        If a text to be replaced does not occur exactly once.

    Examples
    --------
    >>> edited("def f(x):\n    return x\n", {"return x": "x += 1\nreturn x"})
    'def f(x):\n    x += 1\n    return x\n'
    """
    for old in edits:
        if text.count(old) != 1:
            raise ValueError(f"edits: expected {old!r} once in the right code")

    def new(match):
        line = text[text.rfind("\n", 0, match.start()) + 1 :]
        indent = line[: len(line) - len(line.lstrip(" "))]
        return edits[match[0]].replace("\n", f"\n{indent}")

    changed = re.sub("|".join(map(re.escape, edits)), new, text)
    return re.sub(r"^ +\n", "", changed, flags=re.MULTILINE)
