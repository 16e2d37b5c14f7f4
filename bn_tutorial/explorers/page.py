"""An explorer as a page that lives without a kernel: pictures drawn ahead, and a slider."""

import base64
import hashlib
import json
import time
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from bn_tutorial._expect import expect_kind
from bn_tutorial.explorers.controls import positions, reading
from bn_tutorial.explorers.picture import LOCK
from bn_tutorial.explorers.renderer import DPI

HERE = Path(__file__).parent
TEMPLATES = Environment(
    loader=PackageLoader("bn_tutorial.explorers", ""),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ONE = {"": {}}  # edition, without a name: the present state


def to_html(explorer, path=None, *, main=None, values=None, editions=None) -> str:
    """Return a page that lives without a kernel: HTML in one piece, to be opened from a file.

    The picture follows one slider, whose position the page's address keeps after its ``#``. A menu
    leads from edition to edition. All other controls are shown as they stand. The page needs no
    network, and keeps to a strict content policy.

    Parameters
    ----------
    explorer : Explorer
    path : str or Path, optional
        Where to write the page to.
    main : str, optional
        The control that moves: a slider or a menu. By default that of the flipbook, or the first.
    values : sequence, optional
        Its positions in the page, by default all that it has.
    editions : dict of str to dict, optional
        Name -> part of the state. By default the present state is all there is.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If there is no such control or state.

    Examples
    --------
    >>> from bn_tutorial.explorers import SpiralExplorer
    >>> lengths = {f"length {length}": {"length": length} for length in (1.0, 4.0)}
    >>> html = SpiralExplorer().to_html(values=[0.32, 0.64], editions=lengths)
    >>> html.startswith("<!DOCTYPE html>"), html.count("<option")
    (True, 2)
    """
    book = draw_book(explorer, main=main, values=values, editions=editions)
    title = (type(explorer).__doc__ or type(explorer).__name__).partition("\n")[0].rstrip(".")
    script, style = bundle(), style_sheet()
    html = TEMPLATES.get_template("page.html").render(
        title=title,
        script=script,
        style=style,
        hashes={"script": _sha256(script), "style": _sha256(style)},
        fragment=fragment(book),
    )
    if path is not None:
        Path(path).write_text(html, encoding="utf-8")
    return html


def draw_book(explorer, *, main=None, values=None, editions=None) -> dict:
    """Draw the positions of one control, in some editions. Nothing is shown or sent.

    Returns
    -------
    dict
        As ``page.js`` takes it: ``main``, the number of the control that moves; ``names`` and
        ``labels`` of all controls; ``width`` and ``height`` of the picture in CSS pixels;
        ``editions``, each with its ``name``, the ``readings`` of all controls, the ``labels`` of
        the positions, and ``pages`` with ``text`` and ``png`` in base64; ``start``, an
        edition and a page, and the ``text`` there; ``presets``, such pairs by name.
    """
    main = main or explorer._flip or next(iter(explorer.controls))
    editions = ONE if editions is None else editions
    expect_kind("editions", editions, dict)
    while explorer.busy:  # it trains, or draws ahead
        time.sleep(0.05)
    with LOCK:
        present = explorer._values()
        try:
            states = _states(explorer, main, values, editions)
            drawn = [_draw_edition(explorer, main, pages) for pages in states]
            presets = {name: present | part for name, part in explorer.presets.items()}
            presets = {name: _find(states, state) for name, state in presets.items()}
        finally:
            _arrange(explorer, present)
        width, height = explorer.figure.get_size_inches() * DPI
        edition, page = start = _find(states, present) or (0, 0)
        return {
            "main": list(explorer.controls).index(main),
            "names": list(explorer.controls),
            "labels": [control.description for control in explorer.controls.values()],
            "width": round(width),
            "height": round(height),
            "editions": [{"name": n} | one for n, one in zip(editions, drawn, strict=True)],
            "start": start,
            "text": drawn[edition]["pages"][page]["text"],
            "presets": {name: place for name, place in presets.items() if place},
        }


def _states(explorer, main, values, editions):
    """Return the state of each page, in a list an edition, after a look at all of them."""
    movable = [name for name, one in explorer.controls.items() if hasattr(one, "options")]
    if main not in movable:
        raise ValueError(f"main: expected one of {', '.join(movable)}, got {main!r}")
    present = explorer._values()
    for part in editions.values():
        explorer._set_controls(part)
        explorer._set_controls(present)
    values = positions(explorer.controls[main]) if values is None else [*values]
    for value in values:
        explorer._set_controls({main: value})
    if not values or not editions:
        raise ValueError("values, editions: expected at least one of each")
    return [[present | part | {main: value} for value in values] for part in editions.values()]


def _arrange(explorer, state):
    """Set the controls as a move does, without a picture."""
    explorer._set_controls(state)
    with explorer._unnoticed():
        explorer.arrange(state)


def _draw_edition(explorer, main, states):
    _arrange(explorer, states[0])  # it may rename positions
    control, pages = explorer.controls[main], []
    for state in states:
        png, text = explorer._draw(state, explorer.compute(state))
        pages.append({"text": text, "png": base64.b64encode(png).decode()})
    labels = [reading(control, state[main]) for state in states]
    return {"readings": explorer._stamp(states[0]), "labels": labels, "pages": pages}


def _find(states, state):
    """Return the edition and the page that show a state, or None."""
    for edition, pages in enumerate(states):
        if state in pages:
            return edition, pages.index(state)
    return None


def fragment(book, *, name=None, image=None) -> str:
    """Return the part of a page that shows a book.

    Parameters
    ----------
    book : dict
        As ``draw_book`` gives it. In place of its ``pages`` an edition may have a ``source``: the
        address of a script that hands them over, as ``pages_script`` makes it.
    name : str, optional
        Its name in the page and in the address, by default the control's.
    image : str, optional
        The address of the picture that is shown first, where it is not in the book.

    Returns
    -------
    str
        HTML, which needs the script ``bundle()`` and the style ``style_sheet()``.
    """
    number, page = book["start"]
    edition, main = book["editions"][number], book["main"]
    others = [*zip(book["labels"], edition["readings"], strict=True)]
    del others[main]
    if image is None:
        image = f"data:image/png;base64,{edition['pages'][page]['png']}"
    return TEMPLATES.get_template("fragment.html").render(
        book=book,
        edition=edition,
        page=page,
        others=others,
        name=name or book["names"][main],
        text=book["text"],
        image=image,
    )


def pages_script(source, pages) -> str:
    """Return a script that hands pages to the fragment that loads it from that address."""
    return f"bnPages({json.dumps(source)}, {json.dumps(pages, ensure_ascii=False)});\n"


def bundle() -> str:
    """Return the script of these pages: that of the picture with a kernel, and what stands in."""
    picture = (HERE / "picture.js").read_text(encoding="utf-8")
    before, exported, after = picture.partition("export default () =>")
    if not exported:
        raise ValueError("picture.js: expected an export default, got none")
    page = (HERE / "page.js").read_text(encoding="utf-8")
    return f"(() => {{\n{before}const makePicture = () =>{after}\n{page}}})();\n"


def style_sheet() -> str:
    """Return the style of these pages."""
    return "".join(
        (HERE / f"{name}.css").read_text(encoding="utf-8") for name in ("picture", "page")
    )


def _sha256(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
