"""What explorers ask of the runs of a sweep."""

from collections.abc import Iterable
from dataclasses import fields

from bn_tutorial._expect import expect_kind
from bn_tutorial.recipe import Recipe
from bn_tutorial.run import Run


def list_runs(runs, symbols):
    """Return runs as a list.

    Raises
    ------
    TypeError, ValueError
        If they are something else, or for another vocabulary than one of so many symbols.
    """
    expect_kind("runs", runs, Iterable)
    runs = list(runs)
    for run in runs:
        check_symbols("runs", run, symbols)
    return runs


def check_symbols(name, run, symbols):
    """Raise an error that says so where there is no run, or one for another vocabulary."""
    expect_kind(name, run, Run)
    if (there := len(run.parameters["output.bias"])) != symbols:
        raise ValueError(f"{name}: expected this dataset's {symbols} symbols, got {there}")


def values_of(runs, field):
    """List the different values of a field of the recipes, in the order of the runs."""
    return list(dict.fromkeys(getattr(run.recipe, field) for run in runs))


def check_alike(runs, free, where=""):
    """Raise a ValueError that says so where runs differ in other fields than the free ones."""
    for field in fields(Recipe):
        values = values_of(runs, field.name)
        if field.name not in free and len(values) > 1:
            raise ValueError(
                f"runs: expected the same {field.name} in all{where}, got {field.name}={values}"
            )
