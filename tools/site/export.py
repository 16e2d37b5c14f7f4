"""Notebooks to HTML: nbconvert with the template of this folder, formulas as MathML."""

from pathlib import Path

from jinja2 import pass_context
from latex2mathml.converter import convert
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import ExtractOutputPreprocessor

HERE = Path(__file__).parent
WIDE = 'class="wide" role="group" aria-label="{}" tabindex="0"'  # can be scrolled by key


class Words(IPythonRenderer):
    """Markdown to HTML, with formulas that a browser shows by itself."""

    def inline_math(self, body):
        """Return a formula within a line."""
        return _mathml(body, "inline")

    def block_math(self, body):
        """Return a formula on a line of its own."""
        return f"<span {WIDE.format('Formula')}>{_mathml(body, 'block')}</span>"

    def block_code(self, code, info=None):
        """Return code that can be scrolled by key."""
        return super().block_code(code, info).replace("<pre>", '<pre tabindex="0">', 1)

    def table(self, text):
        """Return a table that can be scrolled by key."""
        return f"<div {WIDE.format('Table')}><table>{text}</table></div>"

    def link(self, text, url, title=None):
        """Return a link, to the page of a notebook where it leads to one."""
        if not url.startswith("http"):
            url = url.replace(".ipynb", ".html")
        return super().link(text, url, title)


class CourseExporter(HTMLExporter):
    """A notebook as a page of the site; its pictures are beside it."""

    def __init__(self, **options):
        super().__init__(
            template_name="course",
            extra_template_basedirs=[str(HERE / "templates")],
            preprocessors=[ExtractOutputPreprocessor(extract_output_types={"image/png"})],
            **options,
        )

    @pass_context
    def markdown2html(self, context, source):
        """Return Markdown as HTML."""
        return MarkdownWithMath(renderer=Words(escape=False)).render(source)


def _mathml(formula, display):
    r"""Convert a formula. The converter takes the ``\_`` of a text for two symbols."""
    return convert(formula, display=display).replace(r"\_", "_")
