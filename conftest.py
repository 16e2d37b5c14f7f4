"""How the tests run: nbval's settings, the machine that it stands for, and who runs what."""

import os
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

TESTS = Path(__file__).with_name("tests")
NO_SANDBOX = "no sandbox here"


def pytest_configure(config):
    """Tell nbval where its settings are, and torch's threads how to wait.

    nbval's own option is relative to where pytest starts. And a thread that waits busily does so on
    a core that the other tests need: they take half as long again.
    """
    config.option.nbval_sanitize_with = str(TESTS / "nbval_sanitize.cfg")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no process is left with one at the end."""
    items.sort(
        key=lambda item: (
            item.path.name != "test_notebooks_again.py",
            item.path.suffix != ".ipynb",
            "grading" not in item.path.name,
        )
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Start nbval's kernels with one thread and without the newest instructions.

    The stored outputs come from two threads and all instructions: they must hold here too.
    """
    if item.path.suffix != ".ipynb":
        return (yield)
    found = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    wide = [name for name in found if "AVX512" in name or name == "X86_V4"]
    plain_machine = {
        "OMP_NUM_THREADS": "1",
        "ATEN_CPU_CAPABILITY": "default",
        "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
        "NUMBA_CPU_NAME": "generic",
    }
    with mock.patch.dict(os.environ, plain_machine):
        return (yield)


@pytest.fixture(scope="session")
def sandbox_here():
    """Skip what grades in the sandbox where there is none, or fail where there has to be one."""
    from bn_tutorial.grading import sandbox

    if (reason := sandbox.lacking()) is None:
        return
    if os.environ.get("BN_TUTORIAL_REQUIRE_SANDBOX"):
        pytest.fail(f"{NO_SANDBOX}: {reason}", pytrace=False)
    pytest.skip(f"{NO_SANDBOX}: {reason}")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Say last, and once, how many tests were skipped for want of a sandbox and how to get it."""
    result = yield
    skipped = [str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", [])]
    reasons = [text[text.index(NO_SANDBOX) :] for text in skipped if NO_SANDBOX in text]
    if reasons:
        terminalreporter.write_line(f"{len(reasons)} tests skipped, {reasons[0]}", yellow=True)
    return result
