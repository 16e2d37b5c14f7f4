"""A guess in JupyterLab: by keyboard, locked by the truth, told once, accessible."""

import pytest
from axe_playwright_python.sync_playwright import Axe

PREPARE = "from bn_tutorial import explorers"
NUMBER = 'number = explorers.Guess("How many?", unit="nats")\nnumber'
CHOICE = 'choice = explorers.Guess("Which?", ["this", "that", "neither"])\nchoice'


@pytest.fixture
def notebook(run_cells):
    with run_cells(PREPARE, NUMBER, CHOICE) as notebook:
        page = notebook.page
        page.locator("fieldset").nth(1).wait_for()
        yield notebook
        assert notebook.errors() == []


def wait_for(page, number, text):
    page.locator("form p[role=status]").nth(number).filter(has_text=text).wait_for()


def test_a_number_is_typed_and_held_against_the_truth(notebook):
    page = notebook.page
    field = page.get_by_label("Your guess").first
    field.focus()
    page.keyboard.type("abc")
    page.keyboard.press("Enter")
    wait_for(page, 0, "Type a number")
    field.fill("3.3")
    page.keyboard.press("Enter")
    wait_for(page, 0, "You say 3.3 nats")
    notebook.evaluate("number.reveal(17.1)")
    wait_for(page, 0, "17.1")
    page.locator("fieldset:disabled").first.wait_for()


def test_a_choice_is_made_by_arrow_keys(notebook):
    page = notebook.page
    page.get_by_role("radio", name="this").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    assert page.get_by_role("radio", name="that").is_checked()
    page.get_by_role("button", name="This is my guess").nth(1).press("Enter")
    wait_for(page, 1, "that")
    notebook.evaluate("choice.reveal('neither')")
    wait_for(page, 1, "neither")


def test_guesses_are_accessible(notebook):
    found = Axe().run(notebook.page, context={"include": [["form"]]})
    serious = [v for v in found.response["violations"] if v["impact"] in ("serious", "critical")]
    assert serious == []
