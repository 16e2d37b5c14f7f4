"""A notebook that was run and saved, exported by nbconvert: explorers as they were seen last."""

import base64
import json
import tomllib
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from jupyterlab.labapp import LabApp
from nbconvert.exporters import HTMLExporter, LatexExporter
from traitlets.config import Config

import bn_tutorial
from bn_tutorial import explorers
from bn_tutorial.lab import start
from bn_tutorial.saved import STATE, VIEW

PACKAGE = Path(bn_tutorial.__file__).parent
FILES = sorted((PACKAGE / "export_settings").rglob("*.json"))
SETTINGS = json.loads(FILES[0].read_text(encoding="utf-8"))


def saved(shown, *others):
    """Return a notebook with widgets, as JupyterLab saves it with their state."""
    from ipywidgets.embed import embed_data

    views = [shown, *others]
    state = embed_data(views=views, drop_defaults=False)["manager_state"]
    outputs = []
    for view in views:
        data = view._repr_mimebundle_()
        data = data[0] if isinstance(data, tuple) else data
        outputs.append(nbformat.v4.new_output("execute_result", dict(data), execution_count=1))
    cell = nbformat.v4.new_code_cell("shown", outputs=outputs)
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata["widgets"] = {STATE: state}
    return notebook


def export(notebook, exporter=HTMLExporter):
    return exporter(config=Config(SETTINGS)).from_notebook_node(notebook)


@pytest.fixture
def spiral():
    return explorers.SpiralExplorer()


def test_an_explorer_shows_its_last_picture_and_sentence(spiral):
    notebook = saved(spiral)
    assert VIEW in notebook.cells[0].outputs[0].data
    spiral.move({"length": 4.0})
    notebook.metadata["widgets"] = saved(spiral).metadata["widgets"]
    soup = BeautifulSoup(export(notebook)[0], "html.parser")
    (image,) = soup.find_all("img")
    assert base64.b64decode(image["src"].partition(",")[2]) == spiral._frame[0]
    assert image["alt"] == spiral.text
    assert soup.find("p", string=spiral.text)
    assert not soup.find_all("script", type=VIEW)


def test_print_shows_it_too(spiral):
    _, resources = export(saved(spiral), LatexExporter)
    assert list(resources["outputs"].values()) == [spiral._frame[0]]


def test_a_guess_says_what_was_said():
    guess = explorers.Guess("How large?", unit="nats")
    guess.answer = 3.0
    guess.reveal(17.2)
    text = BeautifulSoup(export(saved(guess))[0], "html.parser").text
    assert "How large?" in text
    assert "You said 3 nats, it is 17.2 nats." in text


def test_a_table_of_numbers_stays_one():
    table = explorers.BatchTable()
    soup = BeautifulSoup(export(saved(table))[0], "html.parser")
    assert "unit 1" in soup.text
    assert not soup.find_all("script", type=VIEW)


def test_widgets_of_others_and_notebooks_without_state_stay_as_they_are(spiral):
    from ipywidgets import IntSlider

    notebook = saved(IntSlider())
    assert VIEW in export(notebook)[0]
    notebook = saved(spiral)
    del notebook.metadata["widgets"]
    (image,) = BeautifulSoup(export(notebook)[0], "html.parser").find_all("img")
    assert base64.b64decode(image["src"].partition(",")[2]) == spiral._frame[0]


def test_words_are_no_markup(spiral):
    notebook = saved(spiral)
    for one in notebook.metadata["widgets"][STATE]["state"].values():
        if "text" in one["state"]:
            one["state"]["text"] = '"><script>alert(1)</script>'
    soup = BeautifulSoup(export(notebook)[0], "html.parser")
    assert soup.find("img")["alt"] == '"><script>alert(1)</script>'
    assert "alert(1)" not in [script.text for script in soup.find_all("script")]


def test_nbconvert_and_jupyterlab_are_told(tmp_path, monkeypatch):
    build = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["shared-data"] == {
        "bn_tutorial/export_settings": "etc/jupyter"
    }
    assert [file.name for file in FILES] == ["jupyter_nbconvert_config.json"]
    given = []
    monkeypatch.setattr(LabApp, "launch_instance", given.extend)
    start(tmp_path, [])
    (name,) = SETTINGS["Exporter"]["preprocessors"]
    assert f"--Exporter.preprocessors={name}" in given
