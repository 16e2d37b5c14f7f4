"""What the tests share: the course's data set, and nbval's settings."""

from pathlib import Path

import pytest
import torch

import bn_tutorial as bn


def pytest_configure(config):
    # nbval takes a path relative to wherever pytest was started from
    config.option.nbval_sanitize_with = str(Path(__file__).with_name("nbval_sanitize.cfg"))


@pytest.fixture(scope="session")
def dataset():
    return bn.Dataset.from_words(bn.load_words())


@pytest.fixture(scope="module")
def one_thread():
    # torch's threads only wait for each other at these sizes: ten times as long on a busy machine
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
