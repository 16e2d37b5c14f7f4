"""Explorers moved faster than they answer, in JupyterLab: no wrong page is left anywhere."""

import ast
import random

import pytest

PREPARE = """
import bn_tutorial as bn
from bn_tutorial import explorers
dataset = bn.Dataset.from_words(bn.load_words())
run = bn.train(dataset, bn.Recipe(steps=500))

def wrong_pages(explorer):
    "List the pages that are missing or not as a fresh explorer draws them."
    positions = explorer._positions()
    fresh, wrong = make(state=explorer.state), []
    for page, value in enumerate(positions):
        fresh.state = {explorer._flip: value}
        if explorer._frames.get(page) != fresh._frames[page]:
            wrong.append(page)
    return wrong
"""
MAKE = {
    "momentum": "explorers.MomentumExplorer(run, dataset, state=state)",
    "batch mates": "explorers.BatchMatesExplorer(run, dataset, state=state)",
    "depth": "explorers.DepthExplorer(dataset, state=state)",
}
KEYS = ["ArrowLeft", "ArrowRight", "PageUp", "PageDown", "Home", "End"]
MOVES = 60


@pytest.fixture(params=[*((name, True) for name in MAKE), ("momentum", False)], ids=str)
def explorer(run_cells, request):
    name, subshells = request.param
    show = f"make = lambda state=None: {MAKE[name]}\nexplorer = make()\nexplorer"
    with run_cells(PREPARE, show, subshells=subshells) as notebook:
        (explorer,) = notebook.explorers()
        yield explorer
        assert notebook.errors() == []


def hurry(explorer, moves, seed):
    """Press keys on all sliders and all buttons, without waiting for what comes of it."""
    chance = random.Random(seed)
    handles = explorer.root.locator(".widget-slider .noUi-handle").all()
    buttons = explorer.root.get_by_role("button").all()
    for _ in range(moves):
        if chance.random() < 0.15:
            chance.choice(buttons).click()
        else:
            chance.choice([handles[0], *handles]).focus()
            explorer.page.keyboard.press(chance.choice(KEYS))
        explorer.page.wait_for_timeout(chance.choice([0, 20, 60, 200]))


def leaf_through(explorer):
    """Turn all pages in the browser: list of (source, text), from the first position on."""
    explorer.slider().focus()
    explorer.page.keyboard.press("Home")
    seen = []
    for _ in explorer.ask("_positions()"):
        explorer.page.wait_for_timeout(50)
        source = explorer.picture.evaluate("image => image.currentSrc")
        seen.append((source, explorer.caption.inner_text()))
        explorer.page.keyboard.press("ArrowRight")
    return seen


def test_moves_that_do_not_wait_leave_no_wrong_page(explorer):
    for seed in range(2):  # the first at once after Run All
        hurry(explorer, MOVES, seed)
        explorer.settle()
        explorer.settle()
        assert explorer.notebook.evaluate("wrong_pages(explorer)") == "[]"
    edition = explorer.ask("picture.edition")
    seen = leaf_through(explorer)
    explorer.settle()
    assert explorer.ask("picture.edition") == edition  # all of them were there
    stored = explorer.notebook.evaluate(
        "[(__import__('base64').b64encode(png).decode(), text) "
        "for _, (png, text) in sorted(explorer._frames.items())]"
    )
    stored = [(f"data:image/png;base64,{png}", text) for png, text in ast.literal_eval(stored)]
    assert [n for n, page in enumerate(stored) if page != seen[n]] == []
