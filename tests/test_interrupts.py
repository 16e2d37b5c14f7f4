"""Ctrl-C in a training or a sweep: what is done is kept, exactly."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch
from jobs import PATIENCE, torch_threads, wait_until
from reference import assert_same_run

import bn_tutorial as bn
from bn_tutorial import parallel
from bn_tutorial.parallel import run_jobs


def test_an_interrupt_gives_back_the_steps_done(dataset, interrupt_after):
    recipe = bn.Recipe(steps=300, depth=2)
    interrupt_after(100)
    with pytest.warns(UserWarning, match="interrupted: 100 of 300 steps") as caught:
        run = bn.train(dataset, recipe)
    assert caught[0].filename == __file__
    assert run.recipe == recipe
    assert len(run.loss) == 100
    whole = bn.train(dataset, recipe)
    assert torch.equal(run.loss, whole.loss[:100])
    short = bn.train(dataset, replace(recipe, steps=100))
    assert_same_run(run, replace(short, recipe=recipe))


@torch_threads(1)
def test_runs_that_are_done_outlive_an_interrupt(dataset, interrupt_after):
    interrupt_after(150)
    recipe, steps = bn.Recipe(), [50, 300, 300]
    with pytest.warns(UserWarning, match="interrupted: 200 of 650 steps") as caught:
        runs = bn.sweep(dataset, recipe, steps=steps)
    assert caught[0].filename == __file__
    for run, done in zip(runs, [50, 150, 0], strict=True):
        whole = bn.train(dataset, replace(recipe, steps=300))
        assert torch.equal(run.loss, whole.loss[:done])


@torch_threads(1)
def test_jobs_not_begun_at_an_interrupt_give_runs_of_no_steps(dataset, interrupt_after):
    recipe = bn.Recipe(steps=300)
    interrupt_after(50)
    with pytest.warns(UserWarning, match="interrupted: 50 of 900 steps"):
        runs = bn.sweep(dataset, recipe, record="statistics", hidden=[10, 20, 30])
    assert [run.recipe.hidden for run in runs] == [10, 20, 30]
    for run, steps in zip(runs, [50, 0, 0], strict=True):
        short = bn.train(dataset, replace(run.recipe, steps=steps))
        assert_same_run(run, replace(short, recipe=run.recipe))


def test_a_second_interrupt_loses_nothing(dataset, monkeypatch):
    """It comes while those at work are being waited for."""
    began = threading.Event()

    def work(item, watch):
        began.set()
        wait_until(lambda: watch.stop)
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
        return "kept"

    def waited(*args, **kwargs):
        assert began.wait(PATIENCE)
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", waited)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert run_jobs(work, ["item"], [1]) == (["kept"], "interrupted")
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_oneself(item, watch):
    os.kill(os.getpid(), signal.SIGINT)  # as the terminal does to all processes
    return "kept"


def test_a_worker_process_does_not_hear_the_terminals_interrupt(process_pool):
    results = run_jobs(interrupt_oneself, ["item"], [1], executor=process_pool)
    assert results == (["kept"], None)
