"""Draw the README's moving picture: the playground in JupyterLab, with somebody's hand on it.

``python -m tools.readme_animation [FILE]``. Needs Chromium, like the browser tests.
"""

import io
import sys
import tempfile
from pathlib import Path

import nbformat
from PIL import Image

from tools.lab import lab

FILE = Path(__file__).parents[1] / "docs" / "playground.webp"
MOST_BYTES = 1_500_000
WIDTH = 800  # of the picture in the README
PAUSE = 120  # ms between two frames
CELL = """
import bn_tutorial as bn
from bn_tutorial import explorers
explorers.Playground(bn.Dataset.from_words(bn.load_words()))
"""
# keys on the learning rate's slider, and buttons; then frames to look at what comes of it
STORY = [
    *[("ArrowRight", 2)] * 14,  # from 0.1 to 1.5
    *[("ArrowRight", 6)] * 4,  # to 3.16
    ("a bad start", 12),
    ("ten layers", 20),
    ("the seed's recipe", 12),
]


def frames(folder):
    """Yield what there is to see: Image."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL)],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    nbformat.write(notebook, folder / "playground.ipynb")
    with lab(folder) as open_notebook, open_notebook("playground.ipynb") as opened:
        opened.page.set_viewport_size({"width": 1200, "height": 1400})
        opened.run_all()
        (explorer,) = opened.explorers()
        explorer.settle()
        for move, looks in STORY:
            if move.startswith("Arrow"):
                explorer.slider().focus()
                opened.page.keyboard.press(move)
            else:
                explorer.root.get_by_role("button", name=move).click()
            for _ in range(looks):
                yield Image.open(io.BytesIO(explorer.root.screenshot()))
                opened.page.wait_for_timeout(PAUSE / 2)


def main():
    """Write the file, and say how large it is."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else FILE
    with tempfile.TemporaryDirectory() as folder:
        first, *others = (
            image.convert("RGB").resize((WIDTH, round(image.height * WIDTH / image.width)))
            for image in frames(Path(folder))
        )
    same = [other.resize(first.size) for other in others]  # the text may take a line more
    first.save(path, save_all=True, append_images=same, duration=PAUSE, loop=0, quality=55)
    print(f"{path}: {1 + len(same)} frames, {path.stat().st_size:,} bytes")
    if path.stat().st_size > MOST_BYTES:
        sys.exit(f"expected at most {MOST_BYTES:,} bytes")


if __name__ == "__main__":
    main()
