"""What is seen of jobs at work: the bar, a function that watches, and threads in the background."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from jobs import PATIENCE, stop_after, torch_threads, wait_until
from reference import assert_same_run

import bn_tutorial as bn
from bn_tutorial import parallel
from bn_tutorial.parallel import run_jobs

# the bar


class Bar:
    """Stands in for tqdm and remembers."""

    def __init__(self, total, unit):
        self.total, self.n, self.desc, self.said = total, 0, "", []
        Bar.made.append(self)

    def update(self, n):
        self.n += n

    def set_description(self, desc):
        self.desc = desc or ""
        self.said.append(self.desc)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def bars(monkeypatch):
    """Return the bars that are made."""
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(Bar, "made", made := [], raising=False)
    return made


def test_the_bar_moves_while_a_job_is_at_work(bars):
    def work(job, watch):
        watch.done = 30
        wait_until(lambda: [bar.n for bar in bars] == [30])

    run_jobs(work, ["job"], [60], progress=True)
    (bar,) = bars
    assert (bar.n, bar.total) == (60, 60)


@pytest.mark.parametrize("noticed", [0.0, 60.0])
def test_the_bar_says_so_where_a_job_waits_for_the_compiler(bars, monkeypatch, noticed):
    monkeypatch.setattr(parallel, "NOTICED", noticed)

    def work(job, watch):
        with watch.compiling():
            time.sleep(0.2)
        time.sleep(0.2)

    run_jobs(work, ["job"], [1], progress=True)
    (bar,) = bars
    assert bar.said == (["compiling, once", ""] if noticed == 0 else [])


def test_a_bar_without_anywhere_to_go_is_none(dataset, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert len(bn.train(dataset, bn.Recipe(steps=5), progress=True).loss) == 5


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.2, 0.3], [0.1, 1e30]], ids=str)
@pytest.mark.parametrize("pool", [None, "thread_pool"])
def test_the_bar_ends_at_100_percent_on_stderr(dataset, rates, pool, request, capsys):
    executor = pool and request.getfixturevalue(pool)
    named = {"learning_rate": rates, "executor": executor, "progress": True}
    bn.sweep(dataset, bn.Recipe(steps=100), **named)
    out, err = capsys.readouterr()
    last = err.rstrip().split("\r")[-1]
    assert last.startswith("100%")
    assert f"{100 * len(rates)}/{100 * len(rates)} " in last
    assert out == ""


def test_train_shows_a_bar_where_it_is_asked_for(dataset, capsys):
    bn.train(dataset, bn.Recipe(steps=100), progress=True)
    assert "100/100 " in capsys.readouterr().err


def test_without_a_bar_nothing_is_written(dataset, capfd):
    bn.train(dataset, bn.Recipe(steps=100))
    bn.sweep(dataset, bn.Recipe(steps=100), learning_rate=[0.1, 1e30])
    assert capfd.readouterr() == ("", "")


# a function that watches


def watch_all(dataset, recipe, **values):
    """Sweep, and give the runs and what was seen: at each call a list of (done, steps, loss)."""
    seen = []

    def look(watches):
        loss = [None if w.loss is None else w.loss.copy() for w in watches]
        seen.append(
            [(w.done, w.total, one) for w, one in zip(watches, loss, strict=True)],
        )

    return bn.sweep(dataset, recipe, progress=look, **values), seen


@torch_threads(2)
def test_a_function_is_called_while_jobs_are_at_work_and_at_the_end():
    calls, caller = [], threading.current_thread()

    def look(watches):
        assert threading.current_thread() is caller
        calls.append([(watch.done, watch.total) for watch in watches])

    def work(job, watch):
        watch.done = job
        wait_until(lambda: {(5, 50), (7, 70)} <= set(chain(*calls)))

    begin = time.monotonic()
    run_jobs(work, [5, 7], [50, 70], threads=2, progress=look)
    assert calls[-1] == [(50, 50), (70, 70)]
    assert len(calls) <= 3 + 60 * (time.monotonic() - begin)


def test_a_function_is_called_no_more_often_than_sixty_times_a_second():
    calls = []

    def work(job, watch):
        wait_until(lambda: len(calls) == 4)

    begin = time.monotonic()
    run_jobs(work, range(3), [1] * 3, threads=3, progress=lambda _: calls.append(0))
    assert time.monotonic() - begin > 3 / 61


def test_it_is_called_at_the_end_of_the_shortest_work(dataset):
    for steps in (0, 1):
        _, seen = watch_all(dataset, bn.Recipe(steps=steps), norm=["batch"])
        ((done, total, loss),) = seen[-1]
        assert (done, total, 0 if loss is None else len(loss)) == (steps, steps, steps)


@torch_threads(1)
def test_the_losses_so_far_are_seen_in_the_order_of_the_grid(dataset):
    recipe, rates = bn.Recipe(steps=6_000), [0.1, 1e30, bn.StepDecay(0.1, 1e30, 100), 1]
    runs, seen = watch_all(dataset, recipe, norm=["batch", None], learning_rate=rates)
    assert len(seen) > 2
    for number, run in enumerate(runs):
        losses = [call[number][2] for call in seen if call[number][2] is not None]
        lengths = [len(loss) for loss in losses]
        assert lengths == sorted(lengths)
        for loss in losses:
            np.testing.assert_array_equal(loss, run.loss[: len(loss)])
        assert len(losses[-1]) == len(run.loss)
        assert seen[-1][number][:2] == (6_000, 6_000)
    first = [len(call[0][2]) for call in seen if call[0][2] is not None]
    assert any(0 < length < 6_000 for length in first)
    assert seen[0][-1][2] is None  # it had not begun


def test_the_losses_so_far_cannot_be_changed(dataset):
    def look(watches):
        for loss in (watch.loss for watch in watches if watch.loss is not None):
            with pytest.raises(ValueError, match="read-only"):
                loss[0] = 0

    run = bn.train(dataset, bn.Recipe(steps=500), progress=look)
    run.loss[0] = 0  # but the run is the reader's


def test_a_function_may_end_the_training(dataset):
    recipe = bn.Recipe(steps=100_000, hidden=5)
    run = bn.train(dataset, recipe, progress=stop_after(1))  # a warning would be an error
    assert 0 < len(run.loss) < 100_000
    whole = bn.train(dataset, replace(recipe, steps=len(run.loss)))
    assert_same_run(run, replace(whole, recipe=recipe))


@torch_threads(1)
def test_jobs_that_had_not_begun_give_runs_of_no_steps(dataset):
    recipe = bn.Recipe(steps=100_000)
    runs = bn.sweep(dataset, recipe, hidden=[5, 6, 7], progress=stop_after(1))
    assert [run.recipe.hidden for run in runs] == [5, 6, 7]
    assert 0 < len(runs[0].loss) < 100_000
    assert [len(run.loss) for run in runs[1:]] == [0, 0]


@torch_threads(2)
def test_a_function_may_end_one_job_of_several(dataset):
    recipe = bn.Recipe(hidden=5)
    runs = bn.sweep(dataset, recipe, steps=[100_000, 900], progress=stop_after(1, slice(1)))
    assert 0 < len(runs[0].loss) < 100_000
    assert_same_run(runs[1], bn.train(dataset, runs[1].recipe, record=None))


def test_what_a_function_raises_ends_the_training(dataset):
    def look(watches):
        raise RuntimeError("seen enough")

    with pytest.raises(RuntimeError, match="seen enough"):
        bn.train(dataset, bn.Recipe(steps=100_000, hidden=5), progress=look)


def test_training_works_in_any_thread(dataset):
    recipe, threads = bn.Recipe(steps=300), set()
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.current_thread).result()
        run = pool.submit(
            bn.train, dataset, recipe, progress=lambda _: threads.add(threading.current_thread())
        ).result()
    assert_same_run(run, bn.train(dataset, recipe))
    assert threads == {thread}


# the end of the interpreter


IN_THE_BACKGROUND = """
import sys, threading, time
import bn_tutorial as bn

dataset = bn.Dataset.from_words(bn.load_words())
bn.train(dataset, bn.Recipe(steps=1))
began = threading.Event()

def work(steps, *more):
    recipe = bn.Recipe(steps=steps, learning_rate=0.1)
    run = bn.train(dataset, recipe, record=None, progress=lambda watches: began.set())
    if more:
        print(len(run.loss), flush=True)
        work(*more)

daemon, *steps = map(int, sys.argv[1:])
threading.Thread(target=work, args=steps, daemon=bool(daemon)).start()
began.wait()
"""


@pytest.mark.parametrize(
    ("daemon", "steps", "said"), [(0, [10_000, 300, 1], "10000\n300\n"), (1, [10**7], "")]
)
def test_the_interpreter_may_end_meanwhile(daemon, steps, said):
    """It waits for a thread, and for what it trains then, but not for a daemon."""
    command = [sys.executable, "-c", IN_THE_BACKGROUND, str(daemon), *map(str, steps)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3 * PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


A_DAEMON = """
import threading, time
from bn_tutorial.parallel import run_jobs

began = threading.Event()

def work(item, watch):
    began.set()
    while not watch.stop:
        time.sleep(0.01)
    print("told to stop", flush=True)

threading.Thread(target=run_jobs, args=(work, [None], [1]), daemon=True).start()
began.wait()
"""


def test_a_daemons_job_is_stopped_and_not_cut_off_when_the_interpreter_ends():
    done = subprocess.run(
        [sys.executable, "-c", A_DAEMON], capture_output=True, text=True, timeout=3 * PATIENCE
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "told to stop\n", "")
