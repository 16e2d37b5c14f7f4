"""One thread for the matrix libraries as long as anybody computes, and then what there was."""

import sys
import threading

import pytest
import torch
from jobs import PATIENCE
from threadpoolctl import threadpool_info, threadpool_limits

import bn_tutorial as bn
from bn_tutorial import threads
from bn_tutorial.network import Network
from bn_tutorial.threads import one_blas_thread


def settings():
    """What is changed while anybody computes: the matrix libraries' threads."""
    libraries = {library["filepath"]: library["num_threads"] for library in threadpool_info()}
    return libraries, round(sys.getswitchinterval(), 6), torch.get_num_threads()


def limit_blas(threads):
    # threadpoolctl lets no other thread set limits while the one that began is alive
    thread = threading.Thread(target=threadpool_limits, args=(threads, "blas"))
    thread.start()
    thread.join()


@pytest.fixture
def before():
    """Settings that differ from those of a job on any machine; restored whatever happens."""
    with one_blas_thread:
        pass  # all libraries are loaded now
    (blas,) = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
    limit_blas(2)
    yield settings()
    limit_blas(blas)


def inside():
    """Whether the matrix libraries have one thread."""
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"} == {1}


def test_there_is_one_thread_inside_and_what_there_was_outside(before):
    assert not inside()
    with one_blas_thread:
        assert inside()
        with one_blas_thread:
            assert inside()
        assert inside()
    assert settings() == before


def test_training_has_one_thread(before, dataset, monkeypatch):
    seen, train = [], Network.train

    def looked(*args, **options):
        seen.append(inside())
        return train(*args, **options)

    monkeypatch.setattr(Network, "train", looked)
    bn.train(dataset, bn.Recipe(steps=5))
    assert set(seen) == {True}
    assert settings() == before


def test_settings_are_restored_after_an_error(before):
    with pytest.raises(RuntimeError, match="broken"), one_blas_thread:
        raise RuntimeError("broken")
    assert settings() == before


def test_settings_are_restored_after_an_interrupt(before, dataset, interrupt_after):
    interrupt_after(5)
    with pytest.warns(UserWarning, match="interrupted"):
        bn.train(dataset, bn.Recipe(steps=10))
    assert settings() == before


@pytest.mark.parametrize("when", ["_set", "after"])
def test_an_interrupt_while_they_are_set_leaves_nothing_set(before, monkeypatch, when):
    def interrupted(function):
        if when == "after":
            in_a_thread(function)
        monkeypatch.undo()
        raise KeyboardInterrupt

    in_a_thread = threads._in_a_thread
    monkeypatch.setattr(threads, "_in_a_thread", interrupted)
    with pytest.raises(KeyboardInterrupt), one_blas_thread:
        pass
    assert settings() == before
    with one_blas_thread:
        assert inside()
    assert settings() == before


def test_settings_are_restored_after_two_users_that_overlap(before):
    """As when an explorer trains in the background: the one that began first ends first."""
    second_began, first_ended = threading.Event(), threading.Event()

    def first():
        with one_blas_thread:
            assert second_began.wait(PATIENCE)
        first_ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    with one_blas_thread:
        second_began.set()
        assert first_ended.wait(PATIENCE)
        assert inside()
    thread.join()
    assert settings() == before
