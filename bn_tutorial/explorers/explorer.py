"""What all explorers share: controls -> compute -> draw, and what a reader needs around it."""

import base64
import threading
import time
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from functools import partial

import ipywidgets

from bn_tutorial._expect import expect_kind
from bn_tutorial.explorers.controls import State, button, check_value, lay_out, positions, reading
from bn_tutorial.explorers.page import to_html
from bn_tutorial.explorers.picture import LOCK, Picture
from bn_tutorial.explorers.renderer import Renderer

PAUSE = 0.002  # seconds between two pages drawn ahead, in which a move that waits gets its turn
TURN = threading.Lock()  # of the explorers that draw ahead: a move waits for one of them only


class Explorer(ipywidgets.VBox):
    """Controls, and a picture that follows them.

    A subclass makes its controls, calls ``set_up`` at the end of its ``__init__``, and gives
    ``compute``, ``build``, ``update``, ``describe`` and ``key_numbers`` (below); ``scene`` and
    ``set_scene`` where axes can't keep their limits.

    A move of a control draws the moving artists over a stored picture of all others (*blitting*)
    and sends one message. The control that ``flip`` names is faster still: the pictures of all its
    positions are drawn ahead and sent, and the browser switches between them by itself. Each is
    stamped with what the controls read, so the page never shows one of another state unmarked.

    Moves, clicks and pages drawn ahead come in several threads: JupyterLab has the messages of
    widgets handled in another one than cells. So whatever reads the controls, computes, draws,
    stores and sends does all of it under ``LOCK``, for one state that it has read once: a page
    drawn ahead is of the state that its edition began with, not of what the controls say by now. A
    control that a browser changes meanwhile is followed by a move of its own, which waits for the
    lock, at most for one page. Subclasses change under the lock what the drawing reads beside the
    state.

    Attributes
    ----------
    state : dict
        The values of all controls. Set it, in part or in whole, to move them in one step; observe
        it, or link it to another explorer's. Whoever observes it finds numbers and picture there.
    numbers
        What ``compute`` gave for the present state.
    controls, presets, picture, figure
    draws : int
        Full redraws so far.
    drawing : bool
        Whether pages of the flipbook are being drawn ahead.
    error : Exception or None
        What the last move raised.
    """

    state = State()
    grows = False  # whether its picture does, while networks are trained at a move
    to_html = to_html  # a page that lives without a kernel

    def set_up(
        self,
        controls: dict[str, ipywidgets.Widget],
        *,
        flip: str | None = None,
        presets: dict[str, dict] | None = None,
        extras: Sequence[ipywidgets.Widget] = (),
        state: dict | None = None,
        size: tuple[float, float] = (9, 3.4),
    ):
        """Show controls and the first picture.

        Parameters
        ----------
        controls : dict of str to Widget
            Each has a ``value``, which is an element of the state, and a ``description``.
        flip : str, optional
            Name of a SelectionSlider among the controls.
        presets : dict of str to dict, optional
            Text of a button -> the part of the state that it sets.
        extras : sequence of Widget
            Further buttons and the like, shown beside the presets.
        state : dict, optional
            Where to start, in part or in whole. Reset leads to the default all the same.
        size : tuple of float
            Of the picture, in units of 100 pixels.
        """
        self.controls, self._flip, self.presets = controls, flip, presets or {}
        self._start = self._values()
        self._quiet = self._wanted = False  # wanted: a browser asks for the frames
        self.drawing, self.error = False, None
        # pages are drawn ahead and all of them are sent; a live picture is waited for
        self._renderer = Renderer(size, compress_level=3 if flip is None else 6)
        self.figure = self._renderer.figure
        self._set_controls({} if state is None else state)
        with LOCK:
            self._draw_first()
        self.picture.on_msg(self._heard)
        for control in controls.values():
            control.observe(self._moved, "value")
        buttons = [button(text, partial(self.move, part)) for text, part in self.presets.items()]
        buttons += [button("Reset", self.reset), *extras]
        main = flip or next(iter(controls))
        self.children = [self.picture, *lay_out(controls, main, buttons, self.picture.width)]
        self.add_class("bn-explorer")

    def _draw_first(self):
        self.numbers = self.compute(self._values())
        self._renderer.animate(self.build(self.figure, self.numbers))
        self.arrange(self._values())
        state = self._values()
        self._frame = self._draw(state, self.numbers)  # what is shown: PNG bytes and text
        self._book, self._frames = state, {self._page_of(state): self._frame}
        controls, width = list(self.controls.values()), round(self.figure.bbox.width)
        self.picture = Picture(*self._frame, self._stamp(state), controls=controls, width=width)
        type(self).state.follow(self, state)

    # what a subclass gives

    def compute(self, state: dict) -> object:
        """Return all numbers of the picture for a state. Changes nothing, needs no browser."""
        raise NotImplementedError

    def build(self, figure, numbers):
        """Draw once, with functions of ``plots`` where one fits; return the artists that move."""
        raise NotImplementedError

    def update(self, numbers):
        """Give the moving artists their data, and nothing else."""
        raise NotImplementedError

    def describe(self, numbers) -> str:
        """Return one line of words that says what the picture shows."""
        raise NotImplementedError

    def key_numbers(self, numbers) -> dict:
        """Return the few numbers that ``repr`` shows: dict of str to number or text."""
        raise NotImplementedError

    def scene(self, state):
        """Return what limits, ticks and titles depend on. A change of it costs a full redraw."""

    def set_scene(self, numbers):
        """Set limits, ticks and titles, before a full redraw."""

    def arrange(self, state):
        """Enable, disable or rename controls, as a state demands."""

    def clicked(self, x, y):
        """React to a click on the picture, at these pixels of the figure (from below left)."""

    # the state

    def _values(self):
        with LOCK:  # not while a preset has set half of them
            return {name: control.value for name, control in self.controls.items()}

    def _set_controls(self, state):
        expect_kind("state", state, dict)
        for name, value in state.items():
            if name not in self.controls:
                raise ValueError(f"state: expected {', '.join(self.controls)}, got {name!r}")
            check_value(name, self.controls[name], value)
        with self._unnoticed():
            for name, value in state.items():
                self.controls[name].value = value

    @contextmanager
    def _unnoticed(self):
        """Change controls without a move. What a browser changes meanwhile is noticed."""
        with LOCK:
            self._quiet = True
            try:
                yield
            finally:
                self._quiet = False

    @property
    def text(self):
        """The line that says what the picture shows."""
        with LOCK:
            return self.describe(self.numbers)

    draws = property(lambda self: self._renderer.draws)
    busy = property(lambda self: self.drawing)  # or at anything else in the background

    # a move

    def move(self, state):
        """Set the controls to a state, in part or in whole, and show it."""
        with LOCK:
            self._set_controls(state)
            self.refresh()

    def reset(self):
        """Go back to the default state."""
        self.move(self._start)

    def _moved(self, _change):
        with LOCK:  # another thread must not see that this one changes controls unnoticed
            if not self._quiet:
                self.refresh()

    def refresh(self, *, anew: bool = False):
        """Show the present state.

        Parameters
        ----------
        anew : bool
            Something beside the state has changed, so pages drawn ahead are of no use any more.

        Raises
        ------
        Exception
            What ``compute`` or the drawing raised. The reader sees it in the line of text, and
            the next move works again.
        """
        with LOCK:
            state = self._values()
            try:
                with self._told_to_the_reader():
                    with self._unnoticed():
                        self.arrange(state)
                    state = self._values()  # once: a browser may change a control at any moment
                    self._show(state, anew)
            finally:
                type(self).state.follow(self, state)

    def _show(self, state, anew):
        page = self._page_of(state)
        self.numbers = self.compute(state)
        if self._flip is None or anew or not self._holds(state):
            self._frames = {page: self._draw(state, self.numbers)}
            self.picture.show(*self._frames[page], self._stamp(state))
        elif page in self._frames:
            self.picture.turn(self._stamp(state))
        else:
            self._frames[page] = self._draw(state, self.numbers)
            self.picture.add_page(*self._frames[page], self._stamp(state))
        self._book, self._frame = state, self._frames[page]
        self._draw_ahead()
        self.error = None

    def _draw(self, state, numbers):
        """Draw: PNG bytes and the line of text."""
        self.update(numbers)
        png = self._renderer.draw(self.scene(state), lambda: self.set_scene(numbers))
        return png, self.describe(numbers)

    @contextmanager
    def _told_to_the_reader(self):
        try:
            yield
        except Exception as error:
            with LOCK:
                self.error, self._book = error, None  # the next move begins anew
                self.picture.text = f"This move failed. {type(error).__name__}: {error}"
            raise

    # the flipbook

    def _page_of(self, state):
        """Return the page that shows a state; -1 where there is no flipbook."""
        return -1 if self._flip is None else self._positions().index(state[self._flip])

    def _stamp(self, state):
        """List what the controls read in a state."""
        return [reading(control, state[name]) for name, control in self.controls.items()]

    def _state_of(self, page):
        return self._book | {self._flip: self._positions()[page]}

    def _positions(self):
        return positions(self.controls[self._flip])

    def _holds(self, state):
        """Return whether a state is one of the present flipbook's."""
        return self._book is not None and state == self._book | {self._flip: state[self._flip]}

    def _draw_ahead(self):
        if self._wanted and not self.drawing and self._next_page() is not None:
            self.drawing = True
            # of its own: an event loop may be busy with a cell, or end with the page that began it
            threading.Thread(target=self._draw_all, name="pages ahead").start()

    def _draw_all(self):
        drawing = True
        while drawing:
            with TURN:
                with LOCK:
                    with suppress(Exception), self._told_to_the_reader():
                        self._draw_next()
                    drawing = self.drawing
                time.sleep(PAUSE)

    def _draw_next(self):
        """Draw the next page of the present edition, or end the drawing."""
        page = self._next_page()
        self.drawing = page is not None and threading.main_thread().is_alive()
        if self.drawing:
            state = self._state_of(page)
            self._frames[page] = self._draw(state, self.compute(state))
            self.picture.add_page(*self._frames[page], self._stamp(state))

    def _next_page(self):
        """Return the page to be drawn ahead next: the nearest that is missing, or None."""
        if self._flip is None or self._book is None:
            return None
        now, pages = self._page_of(self._book), range(len(self._positions()))
        missing = set(pages) - set(self._frames)
        return min(missing, key=lambda page: (abs(page - now), page), default=None)

    # messages of the browser

    def _heard(self, _picture, content, _buffers):
        with LOCK, self._told_to_the_reader():
            if "click" in content:
                x, y = content["click"]
                self.clicked(x * self.figure.bbox.width, y * self.figure.bbox.height)
            if "ready" in content:
                self._wanted = True
                self._send_all(anew=self._renderer.set_ratio(content.get("ratio", 1)))

    def _send_all(self, anew):
        """Send what there is to a browser that has just come, drawn anew if it must be."""
        if anew:
            return self.refresh(anew=True)
        self.picture.show_again()
        if self._flip and self._book is not None:
            for page, frame in self._frames.items():
                self.picture.add_page(*frame, self._stamp(self._state_of(page)))
        self.picture.turn(self._stamp(self._values()))
        self._draw_ahead()

    # in the page

    def __repr__(self):
        with LOCK:
            numbers = self.state | self.key_numbers(self.numbers)
        return f"{type(self).__name__}({', '.join(f'{k}={v}' for k, v in numbers.items())})"

    def _repr_mimebundle_(self, **kwargs):
        """Add the picture and a line of text, for a page without a kernel."""
        with LOCK:
            return super()._repr_mimebundle_(**kwargs) | {
                "text/plain": repr(self),
                "image/png": base64.b64encode(self._frame[0]).decode(),
            }
