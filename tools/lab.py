"""JupyterLab in a headless Chromium, driven from Python: for the browser tests and benchmarks.

It needs the extra ``[browser]`` and a Chromium: any in the path, or the one that
``python -m tools.lab`` lets Playwright download.
"""

import ast
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

from bn_tutorial.lab import SETTINGS as LEARNERS

HOW_TO_GET_CHROMIUM = (
    "On Debian: apt-get install chromium; elsewhere: install Google Chrome, or, with a network, "
    "let Playwright download one: .venv/bin/playwright install chromium"
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = json.loads((LEARNERS / "overrides.json").read_text(encoding="utf-8")) | {
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
    "IPYTHONDIR",
)
KERNEL = "jupyterapp.shell.currentWidget.sessionContext.session.kernel"
IDLE = f"() => window.jupyterapp && {KERNEL.replace('.', '?.')}?.status === 'idle'"


def find_chromium():
    """Return the path of Chromium: the machine's, or else Playwright's own.

    Raises
    ------
    FileNotFoundError
        If there is none; it says how to get one.
    """
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    if Path(path).exists():
        return path
    raise FileNotFoundError(
        "Chromium: expected one of chromium, chromium-browser or google-chrome in the path, or "
        f"Playwright's own, found none. {HOW_TO_GET_CHROMIUM}"
    )


def download_chromium():
    """Let Playwright download its own Chromium, unless there is one: the exit code."""
    try:
        find_chromium()
    except FileNotFoundError:
        # the whole browser: the small one that Playwright prefers has another path
        command = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
        if subprocess.run(command, check=False).returncode:
            print(
                f"Chromium: there is none here and it can't be downloaded. {HOW_TO_GET_CHROMIUM}",
                file=sys.stderr,
            )
            return 1
    return 0


@contextmanager
def jupyter_server(folder):
    """Start JupyterLab on a folder, with settings of its own: yields its port and token."""
    port, token = free_port(), secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {name: str(Path(home, name.lower())) for name in FOLDERS}
        overrides = Path(environment["JUPYTER_CONFIG_DIR"], "labconfig")
        overrides.mkdir(parents=True)
        (overrides / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
        with open(Path(home, "log"), "w+b") as log:
            server = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
                    *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
                    *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
                    "--expose-app-in-browser",
                ],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_for_server(f"http://127.0.0.1:{port}/api/status?token={token}", server, log)
                yield port, token
            finally:
                server.terminate()
                server.wait()


def free_port():
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_server(url, server, log=None, seconds=60):
    """Wait until a server, which is a Popen, answers; or say what stands in its log."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            urllib.request.urlopen(url).close()
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    said = ""
    if log is not None:
        log.seek(0)
        said = log.read().decode()[-2_000:]
    raise RuntimeError(f"JupyterLab did not start:\n{said}")


@contextmanager
def lab(folder, *, through=None):
    """Start JupyterLab on a folder, and a browser.

    Parameters
    ----------
    folder : Path
    through : callable, optional
        Port of the server -> context manager that gives the port to use in its place, such as
        that of a slow line.

    Yields
    ------
    callable
        Name of a notebook -> Notebook.
    """
    executable = find_chromium()
    with ExitStack() as stack:
        port, token = stack.enter_context(jupyter_server(folder))
        if through is not None:
            port = stack.enter_context(through(port))
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        stack.callback(browser.close)

        @contextmanager
        def open_notebook(name):
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            page.set_default_timeout(120_000)
            page.add_init_script(path=Path(__file__).with_suffix(".js"))
            notebook = Notebook(page)
            page.goto(f"http://127.0.0.1:{port}/lab/tree/{name}?token={token}&reset")
            notebook.wait()
            page.wait_for_timeout(1_000)  # JupyterLab asks the new kernel for widgets
            notebook.wait()
            page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
            page.evaluate(f"() => listen({KERNEL})")
            try:
                yield notebook
            finally:
                page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
                page.close()

        yield open_notebook


class Notebook:
    """A notebook that is open in JupyterLab.

    Parameters
    ----------
    page : playwright.sync_api.Page
    """

    def __init__(self, page):
        self.page, self.console = page, []
        page.on("console", lambda m: self.console.append(m.text) if m.type == "error" else None)

    def wait(self):
        """Wait until the kernel is idle."""
        self.page.wait_for_function(IDLE)

    def run_all(self):
        """Run all cells and wait for the last."""
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait()

    def evaluate(self, expression):
        """Evaluate an expression in the kernel: what ``repr`` of it shows, as a Python string."""
        reply = self.page.evaluate(
            f"""expression => {KERNEL}.requestExecute({{
                code: '', user_expressions: {{value: expression}}, store_history: false
            }}).done.then(reply => reply.content.user_expressions.value)""",
            expression,
        )
        if reply["status"] != "ok":
            raise RuntimeError(f"{expression}: {reply['ename']}: {reply['evalue']}")
        return reply["data"]["text/plain"]

    def errors(self):
        """List what cells, kernel and browser have said of errors so far."""
        kinds = ("application/vnd.jupyter.error", "application/vnd.jupyter.stderr")
        shown = self.page.locator(
            ", ".join(f'.jp-OutputArea-output[data-mime-type="{kind}"]' for kind in kinds)
        )
        said = shown.all_inner_texts() + self.page.evaluate("() => complaints") + self.console
        # what a kernel answers that is asked for widgets before it has imported ipywidgets
        return [text for text in said if not re.fullmatch(r"No such comm: \S+\s*", text)]

    def explorers(self):
        """List the explorers in the page: list of Explorer."""
        return [Explorer(self, n) for n in range(self.page.locator(".bn-explorer").count())]


class Explorer:
    """One explorer in an open notebook, in the page and in the kernel.

    Parameters
    ----------
    notebook : Notebook
    number : int
        Counted from the top of the page.
    """

    def __init__(self, notebook, number):
        self.notebook, self.page = notebook, notebook.page
        self.root = self.page.locator(".bn-explorer").nth(number)
        self.picture, self.caption = self.root.locator("img"), self.root.locator("p[role=status]")
        self.kernel_object = (
            "[w for w in __import__('ipywidgets').widgets.widget._instances.values() "
            f"if 'bn-explorer' in getattr(w, '_dom_classes', ())][{number}]"
        )
        self.picture.wait_for()
        self.root.evaluate("(root, n) => root.setAttribute('data-number', n)", number)
        self.selector = f'.bn-explorer[data-number="{number}"] img'

    def ask(self, attribute):
        """Evaluate an attribute of the explorer in the kernel."""
        return ast.literal_eval(self.notebook.evaluate(f"{self.kernel_object}.{attribute}"))

    def messages(self):
        """List what its picture and its controls have been sent since ``messages`` was emptied."""
        it = self.kernel_object
        comms = self.notebook.evaluate(
            f"[widget.comm.comm_id for widget in ({it}.picture, *{it}.controls.values())]"
        )
        messages = self.page.evaluate("() => messages")
        return [message for message in messages if message["comm"] in ast.literal_eval(comms)]

    def look(self):
        """Return what there is to see and to know: picture, text, state."""
        self.settle()
        source = self.picture.evaluate("image => image.currentSrc")
        return source, self.caption.inner_text(), self.ask("state")

    def slider(self):
        """Return the handle of the first slider that can be moved."""
        return self.root.locator(".widget-slider .noUi-target:not([disabled]) .noUi-handle").first

    def settle(self):
        """Wait until browser and kernel have nothing more to do for the explorer."""
        while True:
            self.page.wait_for_timeout(150)
            self.notebook.wait()
            if not self.ask("busy"):
                return


if __name__ == "__main__":
    sys.exit(download_chromium())
