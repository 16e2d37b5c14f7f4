"""A recipe as the call that makes it, and back."""

import ast
from dataclasses import fields

from bn_tutorial.recipe import Recipe


def code_of(recipe: Recipe) -> str:
    """Write the call that makes a recipe, but for its norm.

    Examples
    --------
    >>> code_of(Recipe(steps=100, depth=2))
    'bn.Recipe(depth=2, steps=100)'
    """
    default = Recipe()
    changed = [
        f"{field.name}={getattr(recipe, field.name)!r}"
        for field in fields(Recipe)
        if field.name != "norm" and getattr(recipe, field.name) != getattr(default, field.name)
    ]
    return f"bn.Recipe({', '.join(changed)})"


def arguments_of(code: str) -> dict:
    """Return the keyword arguments of a call of Recipe, which is not run.

    Raises
    ------
    ValueError
        If it is no such call, or not of plain values.

    Examples
    --------
    >>> arguments_of("bn.Recipe(steps=100, depth=2)")
    {'steps': 100, 'depth': 2}
    """
    wanted = "as code: expected bn.Recipe(...) with numbers by name"
    try:
        call = ast.parse(code.strip(), mode="eval").body
        name = call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id
        if name != "Recipe" or call.args:
            raise ValueError
        return {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (SyntaxError, ValueError, AttributeError, TypeError):
        raise ValueError(f"{wanted}, got {code!r}") from None
