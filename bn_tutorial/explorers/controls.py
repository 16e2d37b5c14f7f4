"""Controls of an explorer: sliders, menus and buttons, and the values that they take."""

import ipywidgets
import traitlets

from bn_tutorial.explorers.picture import LOCK

NAMED = {"description_width": "120px"}  # so that all controls begin at the same place


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
        layout=ipywidgets.Layout(width="auto"),
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
        layout=ipywidgets.Layout(width="auto"),
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


def lay_out(controls, main, buttons, width):
    """Put the main control at its full width over the others in a grid, and buttons in a row.

    Parameters
    ----------
    controls : dict of str to Widget
    main : str
        One of them.
    buttons : list of Widget
    width : int
        In CSS pixels.

    Returns
    -------
    list of Widget
    """
    controls[main].layout.width = f"{width}px"
    grid = ipywidgets.Box([control for name, control in controls.items() if name != main])
    row = ipywidgets.Box(buttons)
    grid.add_class("bn-controls")
    row.add_class("bn-buttons")
    rows = [controls[main], grid, row] if grid.children else [controls[main], row]
    for widget in rows:
        widget.layout.max_width = f"min(100%, {width}px)"
    return rows


def reading(control, value):
    """Return what a control reads when it has a value: a label, where it has labels."""
    if not hasattr(control, "options"):
        return value
    return control._options_labels[positions(control).index(value)]


def positions(control):
    """Return the values of a slider or menu, in order."""
    return [option[1] if isinstance(option, tuple) else option for option in control.options]


def offer(control, value):
    """Give a slider over numbers a position for a value where it has none."""
    values = positions(control)
    if value in values or type(value) not in (int, float):
        return  # what is no number is refused when it is set
    options = sorted([*control.options, (f"{value:g}", value)], key=lambda option: option[1])
    before = control.value
    # in two messages: a browser that gets both in one cuts the index to the old range
    with control.hold_sync():
        index = control.index
        control.options = options
        control.index = index
    control.value = before


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
