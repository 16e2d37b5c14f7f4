"""A notebook that a reader ran and saved, exported by nbconvert without a network."""

import os
import subprocess
import sys
from pathlib import Path

import bn_tutorial

SETTINGS = Path(bn_tutorial.__file__).with_name("export_settings")
CELLS = (
    "from bn_tutorial import explorers\n"
    "guess = explorers.Guess('How long?')\nguess.answer = 3\nguess",
    "explorers.SpiralExplorer()",
)


def test_the_export_shows_what_was_seen_last(run_cells, folder, tmp_path, browser):
    with run_cells(*CELLS) as notebook:
        (explorer,) = notebook.explorers()
        explorer.settle()
        explorer.slider().focus()
        explorer.page.keyboard.press("ArrowRight")
        explorer.settle()
        said = explorer.caption.inner_text()
        notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        notebook.page.wait_for_timeout(1_000)
    subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "html", "--output-dir", tmp_path]
        + [folder / "scratch.ipynb"],
        env=os.environ | {"JUPYTER_CONFIG_PATH": str(SETTINGS)},
        check=True,
    )
    context = browser.new_context(offline=True, viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.goto((tmp_path / "scratch.html").as_uri(), wait_until="domcontentloaded")
    image = page.get_by_role("img", name=said)
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 900
    assert page.locator("p", has_text=said).is_visible()
    assert page.get_by_text("You say 3. Run on to see.").is_visible()
    context.close()
