"""What the tests share: the course's data set, and nbval's settings."""

from pathlib import Path

import pytest

import bn_tutorial as bn


def pytest_configure(config):
    # nbval takes a path relative to wherever pytest was started from
    config.option.nbval_sanitize_with = str(Path(__file__).with_name("nbval_sanitize.cfg"))


@pytest.fixture(scope="session")
def dataset():
    return bn.Dataset.from_words(bn.load_words())
