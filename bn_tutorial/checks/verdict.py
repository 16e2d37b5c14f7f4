"""What a check says about an answer."""

import html
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Verdict:
    """Whether an answer is right, and if not, which known bug it has and what differs.

    True in an ``if`` where the answer passed. A notebook shows the message.

    Attributes
    ----------
    passed : bool
    bug : str or None
        The ``name`` of the known bug that the answer behaves like, for ``find_bug``. None where it
        passed, and where it is wrong in another way.
    message : str
        Plain text. It may quote what the answer raised, on one line and shortened.
    attempted : bool
        False where there was nothing to check but a stub.
    diff : str
        ``Bug.diff()`` of the known bug, folded in a notebook. Empty where there is none, and where
        the right code is asked for in an assignment.

    Examples
    --------
    >>> Verdict(False, None, "y[0, 0] is 2, expected 1")
    not yet: y[0, 0] is 2, expected 1
    """

    passed: bool
    bug: str | None
    message: str
    attempted: bool = True
    diff: str = ""

    def __bool__(self):
        return self.passed

    @property
    def _head(self):
        if not self.attempted:
            return ""
        if self.passed:
            return "right: "
        return f"not yet ({self.bug}): " if self.bug else "not yet: "

    def __repr__(self):
        return self._head + self.message

    def _repr_html_(self):
        style = "solid" if self.passed else "dashed" if self.attempted else "dotted"
        head, message = html.escape(self._head), html.escape(self.message)
        folded = (
            "<details><summary>Right code (-), and code with this bug (+)</summary>"
            f"<pre>{html.escape(self.diff)}</pre></details>"
        )
        return (
            f'<div style="border-left: 4px {style} currentColor; padding-left: 0.8em">'
            f"<strong>{head}</strong>{message}{folded if self.diff else ''}</div>"
        )

    def score(self, points):
        """Print the verdict and return the points: all of them where it passed, else 0.

        As the last line of a test cell the number is what nbgrader counts.
        """
        print(self)
        return points if self.passed else 0


def not_attempted(why):
    """Return the verdict on a stub; ``why`` is how one sees that it is one."""
    return Verdict(False, None, f"not attempted yet ({why})", attempted=False)
