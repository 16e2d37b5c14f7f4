"""Controls of an explorer: sliders, menus and buttons, and the values that they take."""

import ipywidgets
import traitlets

from bn_tutorial.explorers.picture import LOCK

NAMED = {"description_width": "initial"}


class State(traitlets.Dict):
    """The values of all controls: dict. A part of it may be set, and the rest stays."""

    def get(self, explorer, cls=None):
        with LOCK:  # not while a move goes on; and a copy, for its owner to change
            return dict(super().get(explorer, cls))

    def set(self, explorer, value):
        with LOCK:
            explorer.move(value)

    def follow(self, explorer, value):
        """Take on what the controls say, and tell observers."""
        super().set(explorer, value)


def slider(description, values, value, text="{:g}"):
    """Make a slider over a few values, each of which it shows as text.

    Returns
    -------
    SelectionSlider
    """
    return ipywidgets.SelectionSlider(
        options=[(text.format(v), v) for v in values],
        value=value,
        description=description,
        layout=ipywidgets.Layout(width="420px"),
        style=NAMED,
    )


def choice(description, options):
    """Make a menu, on its first entry.

    Parameters
    ----------
    description : str
    options : dict of str to value

    Returns
    -------
    Dropdown
    """
    return ipywidgets.Dropdown(
        options=list(options.items()),
        description=description,
        layout=ipywidgets.Layout(width="auto", margin="2px 20px 2px 2px"),
        style=NAMED,
    )


def button(text, function):
    """Make a button that calls a function without arguments.

    Returns
    -------
    Button
    """
    made = ipywidgets.Button(description=text)
    made.layout.width = "auto"
    made.on_click(lambda _: function())
    return made


def panel(*rows):
    """Put rows of widgets under each other, each wrapped where the page is narrow.

    Returns
    -------
    VBox
    """
    wrap = ipywidgets.Layout(flex_flow="row wrap")
    return ipywidgets.VBox([ipywidgets.Box(list(row), layout=wrap) for row in rows])


def positions(control):
    """Return the values of a slider or menu, in order."""
    return [option[1] if isinstance(option, tuple) else option for option in control.options]


def check_value(name, control, value):
    """Raise a ValueError that says so where a control can't take a value."""
    if hasattr(control, "options"):
        allowed = positions(control)
        if not any(type(value) is type(a) and value == a for a in allowed):
            raise ValueError(f"{name}: expected one of {allowed}, got {value!r}")
    elif isinstance(getattr(control, "value", None), bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name}: expected True or False, got {value!r}")
    elif hasattr(control, "min"):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}: expected a number, got {value!r}")
        low, high = control.min, control.max
        if hasattr(control, "base"):
            low, high = control.base**low, control.base**high
        if not low <= value <= high:
            raise ValueError(f"{name}: expected {low:g} to {high:g}, got {value!r}")
