"""A picture in the page: PNG bytes with a text that says what they show, and a flipbook of them."""

import threading
from pathlib import Path

import anywidget
import traitlets

# whoever changes or sends a picture holds it, and so does an explorer from the reading of its
# controls on. One for all: explorers that move each other can't wait in a circle, and matplotlib
# has caches and a parser that all figures share
LOCK = threading.RLock()


class Picture(anywidget.AnyWidget):
    """An image with its caption, which is its alternative text too.

    It shows one picture, which ``show`` replaces in one message; or the pages of a flipbook, which
    ``add_frame`` sends ahead. A slider that the browser links to ``ahead`` turns them without
    asking the kernel; not every page that shows widgets has such links, so the kernel sets
    ``index`` too. The script also gives names to the sliders of the explorer around it, for screen
    readers.

    Parameters
    ----------
    png : bytes
    text : str
    page : int
        The page of the flipbook that this is; -1 where there is none.

    Attributes
    ----------
    index : int
        The page to show. One that has not come yet leaves the picture as it is.
    ahead : int
        The page that a link in the browser turns to. A browser that has one, and so is ahead of
        the kernel, pays no attention to ``index``.
    edition : int
        Number of the present flipbook. A new one forgets the pages of the last.
    """

    _esm = Path(__file__).with_name("picture.js")
    png = traitlets.Bytes().tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    page = traitlets.Int().tag(sync=True)
    index = traitlets.Int().tag(sync=True)
    ahead = traitlets.Int().tag(sync=True)
    edition = traitlets.Int().tag(sync=True)

    def __init__(self, png, text, page=-1):
        super().__init__(png=png, text=text, page=page, index=page, ahead=page)

    def show(self, png, text, page=-1, *, new_edition=False):
        """Replace the picture, in one message; with ``new_edition`` the pages are forgotten."""
        with self.hold_sync():
            self.png, self.text, self.page = png, text, page
            self.edition += new_edition

    def show_again(self):
        """Send the picture once more, to a browser that may have made its own from an older one."""
        self.send_state(["png", "text", "page", "edition"])

    def _handle_msg(self, msg):
        # a trait that a message changes would tear the one message of show apart
        with LOCK:
            super()._handle_msg(msg)

    def add_frame(self, png, text, page):
        """Send a page of the present edition."""
        self.send({"page": page, "edition": self.edition, "text": text}, buffers=[png])
