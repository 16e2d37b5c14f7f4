"""A notebook that was run and saved, exported: its explorers as they were seen last.

JupyterLab saves of a widget that there was one, and its state. nbconvert then counts on a script
from elsewhere, without which nothing is shown. ``export_settings`` makes it use this module.
"""

from html import escape

from nbconvert.preprocessors import Preprocessor

VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"


class LastPictures(Preprocessor):
    """Put pictures and sentences in the place of the course's widgets."""

    def preprocess(self, nb, resources):
        """Change the outputs of a notebook: it and the resources."""
        saved = nb.metadata.get("widgets", {}).get(STATE, {}).get("state", {})
        for cell in nb.cells:
            for output in cell.get("outputs", []):
                if VIEW in output.get("data", {}):
                    _show(output.data, saved)
        return nb, resources


def _show(data, saved):
    """Replace the view of a widget of ours by what was saved of it."""
    widget = _find(data[VIEW]["model_id"], saved)
    if widget is None:
        return
    state, words = widget["state"], widget["state"].get("text", "")
    png = [one["data"] for one in widget.get("buffers", []) if one["path"] == ["png"]]
    del data[VIEW]
    if png:
        data["image/png"], data["text/plain"] = png[0], words
        image = f'<img src="data:image/png;base64,{png[0]}" alt="{escape(words)}"'
        data["text/html"] = f'{image} width="{state["width"]}"><p>{escape(words)}</p>'
    elif "question" in state:
        data["text/plain"] = f"{state['question']}\n{words or 'No guess.'}"


def _find(name, saved):
    """Return what was saved of a widget, or of the picture in it, where it is ours; or None."""
    widget = saved.get(name, {"state": {}})
    if str(widget["state"].get("_anywidget_id")).startswith("bn_tutorial."):
        return widget
    children = [one.removeprefix("IPY_MODEL_") for one in widget["state"].get("children", [])]
    return next((found for child in children if (found := _find(child, saved))), None)
