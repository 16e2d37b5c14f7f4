"""What a known bug is."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Bug:
    """A wrong implementation, and what to tell somebody whose answer behaves like it.

    Attributes
    ----------
    name : str
        Unique in the library.
    check : str
        The check that it belongs to, as a name in ``bn_tutorial.checks``.
    chapter : str
        The notebook to reread, without its ending.
    symptom : str
        One sentence: what one can observe. It does not name the cause.
    explanation : str
        The cause, and what would be right.
    code : callable
        Runs: a function, or a subclass of ``nn.Module``, as the check takes it.
    variants : tuple of callable
        Other ways to write the same misconception that behave differently in detail.
    """

    name: str
    check: str
    chapter: str
    symptom: str
    explanation: str
    code: Callable
    variants: tuple[Callable, ...] = ()

    def __repr__(self):
        return f"Bug({self.name!r})"

    def source(self, name=None):
        """Show the code, under another name if one is given.

        Parameters
        ----------
        name : str, optional
            Say "Patient", where the code's own name would tell too much.

        Returns
        -------
        str
        """
        text = inspect.getsource(self.code)
        return text if name is None else re.sub(rf"\b{self.code.__name__}\b", name, text)
