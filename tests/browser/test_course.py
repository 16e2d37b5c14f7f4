"""The course as its reader sees it: every notebook and explorer in JupyterLab, in Chromium."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tools.run_notebooks import course

MOST_BYTES = 48 * 1024  # of a message
BACKLOG = 250  # ms from the release of a dragged slider to the last picture
GROWN = 1_500  # ms, where it is the picture of networks trained to the end
TRIES = 3  # for that time, on a machine that does other things too


@pytest.fixture(scope="module", params=course(), ids=lambda path: path.stem)
def notebook(open_notebook, request):
    with open_notebook(request.param.name) as notebook:
        notebook.run_all()
        yield notebook


@pytest.fixture
def explorers(notebook):
    explorers = notebook.explorers()
    for explorer in explorers:
        explorer.root.get_by_role("button", name="Reset").click()
        explorer.settle()
    yield explorers
    assert notebook.errors() == []


def press_an_arrow(explorer):
    """Move the first slider by one position, away from the nearer end."""
    handle = explorer.slider()
    now, least, most = (
        float(handle.get_attribute(f"aria-value{which}")) for which in ("now", "min", "max")
    )
    handle.focus()
    explorer.page.keyboard.press("ArrowLeft" if now > (least + most) / 2 else "ArrowRight")


def test_run_all_leaves_no_error_and_no_cell_running(notebook):
    assert notebook.errors() == []
    prompts = notebook.page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
    assert prompts == [f"[{number}]:" for number in range(1, len(prompts) + 1)]


def test_a_key_moves_picture_text_and_state_together(explorers):
    for explorer in explorers:
        before = explorer.look()
        press_an_arrow(explorer)
        after = explorer.look()
        for old, new in zip(before, after, strict=True):
            assert new != old
        assert after[1] == explorer.ask("text") == explorer.picture.get_attribute("alt")


def test_a_key_costs_two_small_messages_at_most_and_no_full_redraw(explorers):
    """But for a network that is trained: each picture of its growing curves is one."""
    for explorer in explorers:
        press_an_arrow(explorer)
        explorer.settle()
        draws = explorer.ask("draws")
        explorer.page.evaluate("() => { messages.length = 0 }")
        for _ in range(5):
            press_an_arrow(explorer)
            explorer.settle()
        messages = explorer.messages()
        # the page's number, and that of a field which follows the slider
        assert len(messages) <= 2 * 5 or explorer.ask("grows"), messages
        assert all(message["bytes"] <= MOST_BYTES for message in messages), messages
        assert explorer.ask("draws") == draws


def test_a_drag_ends_on_its_last_value_and_never_blanks_the_picture(explorers):
    for explorer in explorers:
        explorer.settle()
        draws, backlogs = explorer.ask("draws"), []
        handle = explorer.slider()
        explorer.page.evaluate("selector => watchPicture(selector)", explorer.selector)
        for _ in range(TRIES):
            times = handle.evaluate(
                "(handle, how) => drag(handle, how)",
                {"seconds": 1, "from": 0.1, "to": 0.8, "turns": 3},
            )
            explorer.settle()
            seen = explorer.page.evaluate("() => seen")
            assert all(frame["source"] for frame in seen)
            assert len({frame["source"] for frame in seen}) > (2 if explorer.ask("grows") else 4)
            backlogs.append(seen[-1]["time"] - times["end"])
            assert explorer.caption.inner_text() == explorer.ask("text")
        assert min(backlogs) <= (GROWN if explorer.ask("grows") else BACKLOG), backlogs
        assert explorer.ask("draws") == draws
        explorer.page.evaluate("() => { watching = null }")


def test_reset_and_presets_do_what_they_say(explorers):
    for explorer in explorers:
        # again: another one's reset moves it, where it is linked to that
        explorer.root.get_by_role("button", name="Reset").click()
        start = explorer.look()
        buttons = explorer.root.get_by_role("button").all()
        names = [button.inner_text() for button in buttons]
        for button, name in zip(buttons, names, strict=True):
            if name in explorer.ask("presets"):
                button.click()
                _, text, state = explorer.look()
                assert state.items() >= explorer.ask("presets")[name].items()
                assert text == explorer.ask("text")
        press_an_arrow(explorer)
        explorer.root.get_by_role("button", name="Reset").click()
        assert explorer.look()[1:] == start[1:]


def test_explorers_are_accessible(explorers):
    if not explorers:
        return
    found = Axe().run(explorers[0].page, context={"include": [[".bn-explorer"]]})
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
    for explorer in explorers:
        for row in explorer.root.locator(".widget-slider").all():
            handle, readout = row.locator(".noUi-handle"), row.locator(".widget-readout")
            assert handle.get_attribute("aria-label") == row.locator("label").inner_text()
            assert handle.get_attribute("aria-valuetext") == readout.inner_text()
