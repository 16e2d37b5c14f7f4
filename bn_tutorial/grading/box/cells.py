"""The cells of a notebook as the worker runs them: from the top, statement by statement.

What fails takes only itself along: an own cell may draw pictures or read files that the sandbox
does not have, and the helper below must be defined all the same. IPython's own lines are
translated by IPython.
"""

import __future__

import ast
import asyncio
import inspect
import linecache
import signal
import sys
import time
import types
from contextlib import contextmanager

MOST = 20  # failures of a cell that are told
NAMES = 50  # of a failure
RUNS = {"time", "capture", "prun"}  # magics whose code binds names
AGAIN = 0.1  # seconds after which an exception that was swallowed comes again


class OutOfTimeError(BaseException):
    """Ends a statement; no Exception, so that few handlers catch it."""


class Anything:
    """Stands for what the sandbox lacks: it can be had and called."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments, **keywords):
        return self


class Shell(Anything):
    """Stands for IPython's: runs the code that a magic was given, and nothing else."""

    def __init__(self, cells):
        self._cells = cells

    def run_line_magic(self, name, line, *_, **__):
        if name in RUNS:
            self._cells.execute(line, f"cell line of %{name}")
        return Anything()

    def run_cell_magic(self, name, line, cell):
        if name in RUNS:
            self._cells.execute(cell, self._cells.file)
        return Anything()

    def getoutput(self, *_, **__):
        return []


class Cells:
    """Runs cells in one namespace, as a kernel does."""

    def __init__(self):
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.namespace = vars(main)
        shell = Shell(self)
        self.namespace |= {"display": lambda *_, **__: None, "get_ipython": lambda: shell}
        self.file = ""
        self._flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # and of each from __future__, from then on

    def run(self, name, source, seconds):
        """Run a cell; a statement of it has so many seconds of processor time.

        Returns
        -------
        list of dict
            What failed: ``"error"``, an exception, and ``"names"``, what it would have bound.
        """
        self.file = f"cell {name}"
        linecache.cache[self.file] = len(source), None, source.splitlines(True), self.file
        try:
            statements = self._parsed(source, self.file).body
        except BaseException as error:
            return [{"error": error, "names": []}]
        failed = []
        for statement in statements:
            try:
                with _limited(seconds):
                    self._run(statement, self.file)
            except BaseException as error:  # SystemExit and OutOfTimeError too
                failed.append({"error": error, "names": _bound(statement)})
        return failed[:MOST]

    def execute(self, source, file):
        """Run a text as a whole."""
        for statement in self._parsed(source, file).body:
            self._run(statement, file)

    def _parsed(self, source, file):
        flags = self._flags | ast.PyCF_ONLY_AST
        try:
            return compile(source, file, "exec", flags, dont_inherit=True)
        except SyntaxError:
            translated = _translated(source)
            if translated.rstrip("\n") == source.rstrip("\n"):
                raise
            return compile(translated, file, "exec", flags, dont_inherit=True)

    def _run(self, statement, file):
        module = ast.Module([statement], type_ignores=[])
        code = compile(module, file, "exec", self._flags, dont_inherit=True)
        for name in __future__.all_feature_names:
            self._flags |= code.co_flags & getattr(__future__, name).compiler_flag
        if code.co_flags & inspect.CO_COROUTINE:
            _wait_for(eval(code, self.namespace))
        else:
            exec(code, self.namespace)


def _translated(source):
    from IPython.core.inputtransformer2 import TransformerManager

    return TransformerManager().transform_cell(source)


def _bound(statement):
    """Return the names that a statement binds, in any depth: list of str."""
    names = []
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.alias):
            names.append((node.asname or node.name).partition(".")[0])
    return [name[:100] for name in names[:NAMES]]


@contextmanager
def _limited(seconds):
    if not hasattr(signal, "setitimer"):  # Windows: the grader's limit is the only one
        yield
        return

    def end(*_):
        raise OutOfTimeError(f"it took longer than {seconds:g} seconds of processor time")

    signal.signal(signal.SIGPROF, end)
    signal.setitimer(signal.ITIMER_PROF, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


class _Waiting:
    """Stands for a selector: there is nothing to wait for but time."""

    def select(self, timeout):
        time.sleep(timeout or 0)
        return []


class _Loop(asyncio.BaseEventLoop):
    """An event loop without sockets, which the sandbox does not have."""

    def __init__(self):
        super().__init__()
        self._selector = _Waiting()

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass


def _wait_for(coroutine):
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(coroutine)
