"""What being late costs, in plain words: ``10% a day, at most 3 days``."""

import math
import re
from dataclasses import dataclass
from datetime import datetime

RULE = re.compile(r"(\d{1,3}(?:[.,]\d+)?) ?% (?:a|per) day(?:, at most (\d{1,3}) days?)?")


@dataclass(frozen=True)
class Late:
    """A deadline, and what is taken of the points earned for each day that has begun after it.

    Attributes
    ----------
    deadline : datetime or None
    share : float
        Of the points earned, from 0 to 1.
    most : float
        Days after which nothing is left.
    """

    deadline: datetime | None = None
    share: float = 0.0
    most: float = math.inf

    def days(self, when):
        """Return how many days have begun since the deadline; None where that is not known."""
        if self.deadline is None or when is None:
            return None
        return max(0, math.ceil((when - self.deadline).total_seconds() / 86_400))

    def keeps(self, days):
        """Return which share of the points is kept.

        Examples
        --------
        >>> [Late(share=0.1, most=3).keeps(days) for days in (0, 2, 4)]
        [1.0, 0.8, 0.0]
        """
        return 0.0 if days > self.most else max(0.0, 1 - self.share * days)


def late(deadline, rule):
    """Return what a deadline and a rule in words mean: Late.

    Raises
    ------
    ValueError
        If they mean nothing.

    Examples
    --------
    >>> late("2026-11-22 18:00", "10% a day, at most 3 days").share
    0.1
    """
    try:
        when = datetime.fromisoformat(deadline) if deadline else None
    except ValueError:
        raise ValueError(f"expected a time like '2026-11-22 18:00', got {deadline!r}") from None
    if not rule:
        return Late(when and when.replace(tzinfo=None))
    if not (match := RULE.fullmatch(rule.strip())):
        raise ValueError(f"expected a rule like '10% a day, at most 3 days', got {rule!r}")
    share = float(match[1].replace(",", ".")) / 100
    return Late(when and when.replace(tzinfo=None), share, float(match[2] or math.inf))
