"""What explorers ask of the runs of a sweep."""

from dataclasses import fields

from bn_tutorial.recipe import Recipe


def check_symbols(runs, symbols):
    """Raise a ValueError that says so where runs are for another vocabulary."""
    for run in runs:
        if (there := len(run.parameters["output.bias"])) != symbols:
            raise ValueError(f"runs: expected this dataset's {symbols} symbols, got {there}")


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
