"""The table that a reader changes, in JupyterLab."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PREPARE = "from bn_tutorial import explorers\ntable = explorers.BatchTable()"


@pytest.fixture
def notebook(run_cells):
    with run_cells(PREPARE, "table") as notebook:
        notebook.page.locator(".bn-batch-table").wait_for()
        yield notebook
        assert notebook.errors() == []


def field(notebook, name):
    return notebook.page.get_by_role("textbox", name=name, exact=True)


def wait_for(notebook, row, values):
    """Wait until a row of the table, such as "mean", reads so."""
    notebook.page.wait_for_function(
        """([row, values]) => [...document.querySelectorAll(".bn-batch-table tr")].some(tr => {
            const cells = [...tr.querySelectorAll("td")].map(td => td.textContent);
            return tr.querySelector("th")?.textContent === row && cells.join() === values.join();
        })""",
        arg=[row, values],
    )


def state(notebook, name):
    notebook.wait()
    return notebook.evaluate(f"table.state[{name!r}]")


def test_keys_typing_and_slider_move_the_column(notebook):
    typed = field(notebook, "x of example 1, unit 2")
    typed.fill("43")
    wait_for(notebook, "mean", ["3.00", "15.00", "-5.00"])
    for _ in range(8):
        typed.press("ArrowUp")
    wait_for(notebook, "mean", ["3.00", "16.00", "-5.00"])
    notebook.page.keyboard.press("Tab")  # to unit 3 of the same example
    slider = notebook.page.get_by_role("slider", name="x of example 1, unit 3")
    slider.focus()
    for _ in range(4):
        notebook.page.keyboard.press("ArrowLeft")
    wait_for(notebook, "mean", ["3.00", "16.00", "-5.50"])
    assert field(notebook, "x of example 1, unit 3").input_value() == "-6.5"
    notebook.page.locator(".bn-batch-table select").select_option("n = 4 (correction 0)")
    wait_for(notebook, "std", ["1.73", "18.41", "0.71"])


def test_what_is_no_number_is_refused_in_words_and_doesn_t_stay(notebook):
    status = notebook.page.locator(".bn-batch-table p[role=status]")
    typed = field(notebook, "bias of unit 1")
    typed.fill("-")
    assert typed.get_attribute("aria-invalid") == "true"
    typed.press("Tab")
    said = "bias of unit 1: expected a number from -1e6 to 1e6, got '-'. It stays 0."
    status.get_by_text(said).wait_for()
    assert (typed.input_value(), typed.get_attribute("aria-invalid")) == ("0", "false")
    typed.fill("2")
    status.get_by_text("Variance: the sum of squares").wait_for()
    assert state(notebook, "bias") == "[2.0, 0.0, 0.0]"


def test_buttons_do_what_they_say(notebook):
    button = notebook.page.locator(".bn-batch-table").get_by_role("button")
    button.get_by_text("a column of equal numbers").click()
    wait_for(notebook, "std", ["0.00", "10.00", "0.58"])
    assert "not a number (nan)" in notebook.page.locator(".bn-batch-table p").inner_text()
    button.get_by_text("Reset").click()
    wait_for(notebook, "std", ["2.00", "10.00", "0.58"])


def test_it_is_accessible_in_light_and_dark(notebook):
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme
        )
        light = "true" if theme.endswith("Light") else "false"
        body = f'body[data-jp-theme-light="{light}"]'
        notebook.page.wait_for_selector(body, state="attached")
        found = Axe().run(notebook.page, context={"include": [[".bn-batch-table"]]})
        assert found.response["violations"] == []
