"""What the tests share: the course's data set, and torch with one thread."""

import pytest
import torch
from matplotlib.figure import Figure

import bn_tutorial as bn


@pytest.fixture(scope="session")
def dataset():
    return bn.Dataset.from_words(bn.load_words())


@pytest.fixture
def ax():
    """Axes of a figure that nothing else knows of."""
    return Figure().subplots()


@pytest.fixture(scope="module")
def one_thread():
    # torch's threads only wait for each other at these sizes: ten times as long on a busy machine
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
