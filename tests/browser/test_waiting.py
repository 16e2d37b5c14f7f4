"""No picture stands unmarked beside another state's controls: busy, restarted, killed, saved."""

import pytest

PREPARE = """
import time
import bn_tutorial as bn
from bn_tutorial import explorers
dataset = bn.Dataset.from_words(bn.load_words())
run = bn.train(dataset, bn.Recipe(steps=500))
"""
SHOW = "explorers.MomentumExplorer(run, dataset)"
MOST = 100  # ms in which readout and unmarked picture may differ
WAITING, GONE = "Waiting for the kernel.", "The kernel is gone: run the cell again."
# for how long, at most, the text did not name what the first slider reads, and no mark said so
WATCH = """
root => {
  let since = null;
  window.longest = 0;
  const look = () => {
    const image = root.querySelector("img");
    const readout = root.querySelector(".widget-readout").textContent;
    const differ = !image.alt.startsWith(`Momentum ${readout} (`);
    const marked = image.classList.contains("bn-late");
    if (!differ || marked) since = null;
    else since ??= performance.now();
    if (since !== null) longest = Math.max(longest, performance.now() - since);
    requestAnimationFrame(look);
  };
  look();
}
"""
KEYS = ["ArrowLeft", "ArrowLeft", "ArrowRight", "PageUp", "ArrowRight", "PageDown"]


@pytest.fixture
def opened(run_cells, request):
    with run_cells(PREPARE, SHOW, subshells=getattr(request, "param", True)) as notebook:
        (explorer,) = notebook.explorers()
        explorer.settle()
        explorer.root.evaluate(WATCH)
        yield notebook, explorer


def busy(notebook, seconds):
    """Let the kernel do something else."""
    notebook.page.evaluate(
        "code => { jupyterapp.shell.currentWidget.sessionContext.session.kernel"
        ".requestExecute({code}); }",
        f"import time; time.sleep({seconds})",
    )
    notebook.page.wait_for_timeout(300)


def press(explorer, pause, times=12):
    explorer.slider().focus()
    for number in range(times):
        explorer.page.keyboard.press(KEYS[number % len(KEYS)])
        explorer.page.wait_for_timeout(pause)


def assert_marked(tabs, act, tries=3):
    """Act, again where the page stalls: readout and unmarked picture differ for a moment only."""
    longest = []
    while len(longest) < tries and (not longest or longest[-1] > MOST):
        for tab in tabs:
            tab.page.evaluate("() => { longest = 0 }")
        act()
        longest.append(max(tab.page.evaluate("longest") for tab in tabs))
    assert longest[-1] <= MOST, longest


@pytest.mark.parametrize(
    ("opened", "pause"), [(True, 200), (True, 0), (False, 200), (False, 0)], indirect=["opened"]
)
def test_keys_at_a_human_pace_and_as_fast_as_they_go(opened, pause):
    notebook, explorer = opened

    def act():
        press(explorer, pause)
        explorer.settle()

    assert_marked([notebook], act)
    assert notebook.errors() == []


def test_another_slider_then_the_first_shows_no_page_of_the_old_edition(opened):
    """The unit's own pages are still to come when the momentum moves on."""
    notebook, explorer = opened
    unit = explorer.root.locator(".widget-slider .noUi-handle").nth(1)

    def act():
        unit.focus()
        explorer.page.keyboard.press("ArrowRight")
        press(explorer, 0)
        explorer.settle()

    assert_marked([notebook], act)
    assert explorer.caption.inner_text() == explorer.ask("text")


def test_a_busy_kernel_is_waited_for_in_words_and_answers_in_the_end(opened):
    notebook, explorer = opened
    busy(notebook, 4)
    unit = explorer.root.locator(".widget-dropdown select").first  # never touched before
    unit.select_option(index=1)
    explorer.page.wait_for_timeout(200)
    marked = "root => root.querySelector('img').classList.contains('bn-late')"
    if explorer.root.evaluate(marked):  # else it was answered meanwhile
        explorer.page.wait_for_function(
            "text => document.querySelector('p[role=status]').textContent === text", arg=WAITING
        )
    explorer.settle()
    assert not explorer.root.evaluate(marked)
    assert explorer.caption.inner_text() == explorer.ask("text")
    assert explorer.ask("state")["average"] == "cumulative"


def test_two_tabs_show_one_state(opened, open_notebook):
    notebook, explorer = opened
    notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    notebook.page.wait_for_timeout(1_000)
    with open_notebook("scratch.ipynb") as other:
        (twin,) = other.explorers()
        twin.root.evaluate(WATCH)

        def act():
            for moved in (explorer, twin):
                press(moved, 0)
                explorer.settle()
                assert twin.look() == explorer.look()
                assert twin.caption.inner_text() == explorer.ask("text")

        assert_marked([notebook, other], act)


def test_during_run_all_it_answers_or_says_that_it_waits(run_cells):
    with run_cells(PREPARE, SHOW, "pass") as notebook:
        page = notebook.page
        page.evaluate(
            "() => { const cell = jupyterapp.shell.currentWidget.content.widgets[2];"
            " cell.model.sharedModel.setSource('time.sleep(6)');"
            " jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        page.wait_for_function("() => document.querySelectorAll('.bn-explorer img').length")
        (explorer,) = notebook.explorers()
        explorer.root.evaluate(WATCH)
        press(explorer, 100)
        explorer.settle()
        assert page.evaluate("longest") <= MOST
        assert explorer.caption.inner_text() == explorer.ask("text")


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_without_its_kernel_it_says_so_and_rests(opened, how):
    notebook, explorer = opened
    kernel = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
    kill = f"{kernel}.requestExecute({{code: 'import os; os.kill(os.getpid(), 9)'}})"
    notebook.page.evaluate(f"() => {{ {kill if how == 'kill' else f'{kernel}.restart()'} }}")
    notebook.page.wait_for_function(
        "text => document.querySelector('p[role=status]').textContent.endsWith(text)", arg=GONE
    )
    assert explorer.root.evaluate("root => [...root.children].filter(c => c.inert).length") == 3
    notebook.wait()
    notebook.run_all()
    (explorer,) = notebook.explorers()
    press(explorer, 0, times=1)
    explorer.settle()
    assert explorer.caption.inner_text() == explorer.ask("text")


def test_the_stop_button_ends_a_training(run_cells):
    state = {"depth": 10, "batch_size": 512, "steps": 10_000}
    with run_cells(PREPARE, "explorers.Playground(dataset)") as notebook:
        (explorer,) = notebook.explorers()
        notebook.evaluate(f"{explorer.kernel_object}.move({state})")
        says = "text => document.querySelector('p[role=status]').textContent.includes(text)"
        notebook.page.wait_for_function(says, arg="plain is in training")
        notebook.page.evaluate("() => jupyterapp.commands.execute('notebook:interrupt-kernel')")
        notebook.page.wait_for_function(says, arg="plain was stopped after")
        explorer.settle()
        assert notebook.errors() == []


def test_a_saved_copy_shows_the_last_picture_and_how_to_bring_it_alive(run_cells, open_notebook):
    with run_cells(PREPARE, SHOW) as notebook:
        (explorer,) = notebook.explorers()
        explorer.settle()
        press(explorer, 0, times=1)
        explorer.settle()
        said = explorer.caption.inner_text()
        notebook.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        notebook.page.wait_for_timeout(1_000)
    with open_notebook("scratch.ipynb") as notebook:
        notebook.page.wait_for_function(
            "text => document.querySelector('p[role=status]')?.textContent === text",
            arg=f"{said} {GONE}",
        )
        assert "model not found" not in notebook.page.content()
