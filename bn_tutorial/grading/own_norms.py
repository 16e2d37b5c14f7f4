"""Whether a function leaves to PyTorch's own batch norm what the student was to write."""

import ast

from bn_tutorial.grading.box.worker import is_norm
from bn_tutorial.grading.notebook import parsed


def found(function, cells, setup=()):
    """Look for one of PyTorch's normalizations in a function and in what it uses.

    Only what the function can reach is looked at: its definition, and those at the top level of the
    same notebook whose names it mentions. A comparison with PyTorch beside it is no offence.

    Parameters
    ----------
    function : str
    cells : list of str
        Sources of the student's cells; one that is no Python is left out.
    setup : list of str
        Sources of the cells that run before, for their imports.

    Returns
    -------
    str or None
        The full name of what is used.

    Examples
    --------
    >>> found("f", ["from torch.nn import functional as F", "def f(x): return F.batch_norm(x)"])
    'torch.nn.functional.batch_norm'
    >>> found("f", ["from torch import nn", "def f(x): return x", "f(nn.BatchNorm1d(3).weight)"])
    """
    trees = [tree for source in (*setup, *cells) if (tree := parsed(source))]
    imports, definitions = {}, {}
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports |= _imported(node)
        for statement in tree.body:
            for name in _bound(statement):
                definitions.setdefault(name, []).append(statement)
    return _search(function, imports, definitions)


def _imported(node):
    """Give what an import binds: name -> full name."""
    if isinstance(node, ast.ImportFrom):
        return {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    names = {}
    for alias in node.names:
        whole = alias.name if alias.asname else alias.name.partition(".")[0]
        names[alias.asname or whole] = whole
    return names


def _bound(statement):
    """Give the names that a statement at the top level binds."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    names = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and _stores(n)}
    inner = (n for n in ast.walk(statement) if isinstance(n, ast.FunctionDef | ast.ClassDef))
    return names | {node.name for node in inner}


def _stores(name):
    return isinstance(name.ctx, ast.Store)


def _search(function, imports, definitions):
    waiting, seen = [function], set()
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        for statement in definitions.get(name, []):
            for node in ast.walk(statement):
                full = _full_name(node, imports)
                if full and full.startswith("torch") and is_norm(full):
                    return full
                if isinstance(node, ast.Name):
                    waiting.append(node.id)
    return None


def _full_name(node, imports):
    """Give the full name of ``F.batch_norm`` and the like, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.ImportFrom) and not parts:
        full = [name for name in _imported(node).values() if is_norm(name)]
        return full[0] if full else None
    if not isinstance(node, ast.Name) or node.id not in imports:
        return None
    return ".".join([imports[node.id], *reversed(parts)])
