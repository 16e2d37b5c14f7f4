"""The wheel is whole: without the checkout it trains, grades, and starts the course."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120  # seconds
PURELIB = "import sysconfig; print(sysconfig.get_path('purelib'))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT]
    subprocess.run([sys.executable, "-m", "pip", *command], check=True, timeout=PATIENCE)
    return next(folder.glob("bn_tutorial-*.whl"))


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """Return a new environment with the wheel: its folder for programs.

    What the wheel depends on is borrowed from the environment of these tests, all but the
    checkout that is installed there.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    binaries = folder / ("Scripts" if os.name == "nt" else "bin")
    python = binaries / "python"
    install = ["--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True, timeout=PATIENCE)
    packages = ask([python, "-c", PURELIB], folder)
    borrowed = Path(packages) / "borrowed.pth"
    borrowed.write_text(sysconfig.get_path("purelib") + "\n")
    return binaries


@pytest.fixture(scope="module")
def outside(tmp_path_factory):
    """Return a folder to work in, and an environment that doesn't lead to the checkout."""
    return tmp_path_factory.mktemp("outside")


def clean():
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "BN_TUTORIAL"))}


def ask(command, folder):
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_it_has_the_course_and_nothing_that_was_made_from_it(wheel):
    inside = [name for name in zipfile.ZipFile(wheel).namelist() if "/course/" in name]
    names = {name.removeprefix("bn_tutorial/course/") for name in inside}
    course = {str(path.relative_to(ROOT)) for path in ROOT.glob("notebooks/[0-9][0-9]_*.ipynb")}
    for folder in ("data", "notebooks/assignments/source"):
        course |= {str(p.relative_to(ROOT)) for p in (ROOT / folder).rglob("*") if p.is_file()}
    assert names == course | {"notebooks/assignments/README.md"}


TRAIN = """
import bn_tutorial as bn
dataset = bn.Dataset.from_words(bn.load_words())
run = bn.train(dataset, bn.Recipe(steps=100))
print(bn.__file__, len(bn.load_words()), len(run.loss))
"""


def test_it_trains(elsewhere, outside):
    where, *numbers = ask([elsewhere / "python", "-c", TRAIN], outside).split()
    assert Path(where).is_relative_to(elsewhere.parent)
    assert numbers == ["948", "100"]


def test_it_grades(elsewhere, outside, sandbox_here):
    (outside / "in").mkdir()
    source = ROOT / "notebooks" / "assignments" / "source" / "A1" / "A1.ipynb"
    shutil.copy(source, outside / "in" / "someone.ipynb")
    said = ask([elsewhere / "bn-tutorial", "grade", "A1", "in", "--out", "out"], outside)
    assert "1 of 1 submissions graded" in said
    grade = (outside / "out" / "grades.csv").read_text().splitlines()[1]
    assert grade.startswith("someone,,4,1,4,5,,,,,14,20,graded,")


def test_it_starts_the_course(elsewhere, outside):
    options = ["--no-browser", "--port=0", "--ServerApp.port_retries=0", "--allow-root"]
    command = [elsewhere / "bn-tutorial", "lab", "course", *options]
    with (outside / "log").open("w+") as log:
        server = subprocess.Popen(command, cwd=outside, env=clean(), stdout=log, stderr=log)
        try:
            address = wait_for_address(outside / "log", server)
            with urllib.request.urlopen(address, timeout=PATIENCE) as page:
                assert page.status == 200
        finally:
            server.terminate()
            server.wait(PATIENCE)
    assert "/lab/tree/00_tour.ipynb" in address
    assert len(list((outside / "course").glob("*.ipynb"))) == 13


def wait_for_address(log, server):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/\S+", log.read_text()):
            return found[0]
        time.sleep(0.2)
    raise AssertionError(log.read_text())
