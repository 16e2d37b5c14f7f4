"""What only one explorer can, and what becomes of mistakes, in JupyterLab."""

PREPARE = """
import bn_tutorial as bn
from bn_tutorial import explorers
dataset = bn.Dataset.from_words(bn.load_words())
"""
GRID = """
runs = bn.sweep(
    dataset, bn.Recipe(steps=200), norm=[None, "batch"], learning_rate=[0.01, 0.1, 1.0, 10.0]
)
explorer = explorers.LearningRateExplorer(dataset, runs)
explorer
"""


def click_at(explorer, pixels):
    """Click on the picture, at pixels of the figure from below left."""
    x, y = pixels
    box = explorer.picture.bounding_box()
    width, height = explorer.ask("figure.bbox.size.tolist()")
    position = {"x": x * box["width"] / width, "y": box["height"] * (1 - y / height)}
    explorer.picture.click(position=position)


def test_a_click_takes_a_batch_mate_to_be_dragged(run_cells):
    cell = (
        "run = bn.train(dataset, bn.Recipe(steps=500))\nexplorers.BatchMatesExplorer(run, dataset)"
    )
    with run_cells(PREPARE, cell) as notebook:
        (explorer,) = notebook.explorers()
        assert explorer.ask("state")["dragged"] == 1
        dot = f"{explorer.kernel_object}.joins({explorer.kernel_object}.numbers)[5][1]"
        click_at(explorer, explorer.ask(f"figure.axes[0].transData.transform({dot}).tolist()"))
        _, text, state = explorer.look()
        assert state["dragged"] == 5
        assert text == explorer.ask("text")
        assert notebook.errors() == []


def test_a_click_picks_a_learning_rate(run_cells):
    with run_cells(PREPARE, GRID) as notebook:
        (explorer,) = notebook.explorers()
        for rate in (1.0, 0.01):
            click_at(
                explorer, explorer.ask(f"figure.axes[1].transData.transform(({rate}, 3)).tolist()")
            )
            _, text, state = explorer.look()
            assert state["learning_rate"] == rate
            assert text.startswith(f"Learning rate {rate:g}, ")
        assert notebook.errors() == []


def test_a_curve_grows_on_the_screen_and_stays(run_cells):
    with run_cells(PREPARE, GRID.replace("200", "2_000")) as notebook:
        (explorer,) = notebook.explorers()
        page = explorer.page
        page.evaluate("selector => watchPicture(selector)", explorer.selector)
        field = explorer.root.get_by_label("exact rate")
        field.fill("0.25")
        field.press("Enter")
        page.wait_for_function("() => seen.length > 3")
        page.wait_for_function(
            "selector => document.querySelector(selector).alt.includes('batch norm ends at')",
            arg=explorer.selector,
        )
        _, text, state = explorer.look()
        assert state["learning_rate"] == 0.25
        assert "plain ends at" in text
        assert all(frame["source"] for frame in page.evaluate("() => seen"))
        assert notebook.errors() == []


def test_training_the_grid_can_be_cancelled_and_taken_up_again(run_cells):
    cell = "explorers.LearningRateExplorer(dataset, recipe=bn.Recipe(steps=600))"
    with run_cells(PREPARE, cell) as notebook:
        (explorer,) = notebook.explorers()
        cancel = explorer.root.get_by_role("button", name="Cancel")
        again = explorer.root.get_by_role("button", name="Train the grid")
        cancel.click()
        again.wait_for()
        explorer.page.wait_for_function(
            "selector => document.querySelector(selector).alt.includes('runs are missing')",
            arg=explorer.selector,
        )
        assert cancel.is_disabled()
        again.click()
        explorer.page.wait_for_function(
            "selector => !/missing|still to come/.test(document.querySelector(selector).alt)",
            arg=explorer.selector,
        )
        assert explorer.ask("grid.missing()") == []
        assert notebook.errors() == []


def test_a_mistake_is_told_to_the_reader_and_the_next_move_works(run_cells):
    cell = "explorer = explorers.ActivationExplorer(dataset)\nexplorer"
    with run_cells(PREPARE, cell) as notebook:
        (explorer,) = notebook.explorers()
        notebook.evaluate("explorer.__dict__.update(compute=lambda state: 1 / 0)")
        handle = explorer.slider()
        handle.focus()
        explorer.page.keyboard.press("ArrowRight")
        _, text, _ = explorer.look()
        assert text == "This move failed. ZeroDivisionError: division by zero"
        notebook.evaluate("explorer.__dict__.pop('compute') and None")
        explorer.page.keyboard.press("ArrowRight")
        _, text, _ = explorer.look()
        assert text == explorer.ask("text")


def test_a_page_that_is_loaded_again_shows_the_explorer_as_it_was(run_cells):
    cell = "run = bn.train(dataset, bn.Recipe(steps=500))\nexplorers.MomentumExplorer(run, dataset)"
    with run_cells(PREPARE, cell) as notebook:
        (explorer,) = notebook.explorers()
        handle = explorer.slider()
        handle.focus()
        explorer.page.keyboard.press("End")
        _, before, _ = explorer.look()
        explorer.page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
        explorer.page.reload()
        notebook.wait()
        explorer.picture.wait_for()
        explorer.page.wait_for_function(
            "text => document.querySelector('.bn-explorer img').alt === text", arg=before
        )
