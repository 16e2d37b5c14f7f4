"""A picture in the page: PNG bytes with a text that says what they show, and a flipbook of them."""

import threading
from pathlib import Path

import anywidget
import traitlets
from ipywidgets import Widget, widget_serialization

# whoever changes or sends a picture holds it, and so does an explorer from the reading of its
# controls on. One for all: explorers that move each other can't wait in a circle, and matplotlib
# has caches and a parser that all figures share
LOCK = threading.RLock()


class Picture(anywidget.AnyWidget):
    """An image with its caption, which is its alternative text too.

    Each picture has a *stamp*: what the controls read in the state that it shows. The page compares
    it with what they read now, so it can turn the pages of a flipbook that were sent ahead without
    asking the kernel, and marks a picture as long as it is of another state. In a page whose
    widgets can't look at each other it shows what the kernel says.

    The script also gives names to the sliders of the explorer around it, for screen readers.

    Parameters
    ----------
    png : bytes
    text : str
    stamp : list
    controls : list of Widget
        Those that the stamp reads.
    width : int
        Of the picture in the page, in CSS pixels; its own may be more, for sharp screens.

    Attributes
    ----------
    edition : int
        Number of the present flipbook. A new one forgets the pages of the last.
    """

    _esm = Path(__file__).with_name("picture.js")
    _css = Path(__file__).with_name("picture.css")
    png = traitlets.Bytes().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    stamp = traitlets.List().tag(sync=True)
    edition = traitlets.Int().tag(sync=True)
    controls = traitlets.List(traitlets.Instance(Widget)).tag(sync=True, **widget_serialization)
    width = traitlets.Int().tag(sync=True)

    def __init__(self, png, text, stamp=(), *, controls=(), width):
        given = {"stamp": [*stamp], "controls": [*controls], "width": width}
        super().__init__(png=png, text=text, **given)

    def show(self, png, text, stamp):
        """Replace the picture, in one message, and with it all pages."""
        with self.hold_sync():
            self.png, self.text, self.stamp = png, text, stamp
            self.edition += 1

    def show_again(self):
        """Send the picture once more, to a browser that may have made its own from an older one."""
        self.send_state(["png", "text", "stamp", "edition"])

    def _handle_msg(self, msg):
        # a trait that a message changes would tear the one message of show apart
        with LOCK:
            super()._handle_msg(msg)

    def add_page(self, png, text, stamp):
        """Send a page of the present edition."""
        content = {"edition": self.edition, "text": text, "stamp": stamp}
        self.send(content, buffers=[png])

    def turn(self, stamp):
        """Turn to a page that is there, in a page of the browser that does not by itself."""
        self.send({"turn": stamp})
