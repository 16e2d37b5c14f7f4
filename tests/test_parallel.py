"""Jobs on threads and executors: the same results, interrupts, errors, the bar."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

import bn_tutorial as bn
from bn_tutorial import parallel, training
from bn_tutorial.network import Network
from bn_tutorial.parallel import run_jobs
from bn_tutorial.threads import one_blas_thread

PATIENCE = 20  # seconds until a test gives up waiting for what should happen at once


def assert_same_run(run, other, atol=0.0):
    assert run.recipe == other.recipe
    assert run.diverged_at == other.diverged_at
    for name in ("loss", "parameters", "batch_mean", "batch_std"):
        mine, others = vars(run)[name], vars(other)[name]
        assert (mine is None) == (others is None)
        if mine is not None:
            torch.testing.assert_close(mine, others, atol=atol, rtol=0, equal_nan=True)


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


@contextmanager
def torch_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def one_thread():
    with torch_threads(1):
        yield


@pytest.fixture
def two_threads():
    with torch_threads(2):
        yield


# threads and executors


@pytest.mark.parametrize("fields", [{}, {"norm": None}, {"norm": "layer", "depth": 2}], ids=str)
def test_one_and_two_threads_give_identical_runs(dataset, fields):
    recipe, values = bn.Recipe(steps=200, **fields), {"hidden": [20, 100], "seed": [1, 2, 3]}
    with torch_threads(1):
        alone = bn.sweep(dataset, recipe, record="statistics", **values)
    with torch_threads(2):
        together = bn.sweep(dataset, recipe, record="statistics", **values)
    for run, other in zip(together, alone, strict=True):
        assert_same_run(run, other)


@pytest.fixture(scope="module")
def process_pool():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as executor:
        yield executor


@pytest.fixture
def forked_pool():
    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("no fork here")
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=fork) as executor:
        yield executor


@pytest.fixture
def dask_cluster(tmp_path):
    distributed = pytest.importorskip("distributed")
    size = {"n_workers": 2, "threads_per_worker": 1, "processes": False}
    with (
        distributed.LocalCluster(
            **size, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
        client.get_executor() as executor,
    ):
        yield executor


@pytest.fixture
def thread_pool():
    with ThreadPoolExecutor(1) as executor:
        yield executor


@pytest.mark.usefixtures("two_threads")  # torch's own threads, which a fork leaves behind
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning", "ignore:.*fork:RuntimeWarning")
def test_a_pool_started_by_fork_gives_the_same_runs(dataset, forked_pool):
    torch.ones(1_000, 1_000).exp()  # they are there now
    recipe = bn.Recipe(steps=50, hidden_gain=0.5, depth=2)
    values = {"hidden": [10, 400], "record": bn.Record(statistics=True, snapshots=[0])}
    here = bn.sweep(dataset, recipe, **values)
    there = bn.sweep(dataset, recipe, executor=forked_pool, **values)
    for run, other in zip(there, here, strict=True):
        assert_same_run(run, other)


@pytest.mark.parametrize("pool", ["process_pool", "dask_cluster", "thread_pool"])
def test_an_executor_gives_the_same_runs(dataset, pool, request):
    recipe = bn.Recipe(steps=100, dtype=torch.float64, learning_rate=bn.StepDecay(0.3, 0.1, 50))
    values = {"hidden": [10, 20], "seed": [1, 2, 3, 4, 5]}
    executor = request.getfixturevalue(pool)
    here = bn.sweep(dataset, recipe, record="statistics", **values)
    there = bn.sweep(dataset, recipe, record="statistics", executor=executor, **values)
    for run, other in zip(there, here, strict=True):
        assert_same_run(run, other, atol=1e-12)


def fail(job, watch):
    raise RuntimeError(f"broken {job}")


def test_an_error_in_a_worker_process_reaches_the_caller(process_pool):
    with pytest.raises(RuntimeError, match="broken job"):
        run_jobs(fail, ["job"], [1], executor=process_pool)


# run_jobs


def test_results_come_in_the_order_of_the_jobs():
    second_is_done = threading.Event()

    def work(job, watch):
        if job == "first":
            assert second_is_done.wait(PATIENCE)
        second_is_done.set()
        return job.upper()

    results = run_jobs(work, ["first", "second", "third"], [1, 1, 1], threads=2)
    assert results == (["FIRST", "SECOND", "THIRD"], None)


def test_no_jobs_give_no_results():
    assert run_jobs(fail, [], [], threads=2, progress=True) == ([], None)


def test_each_job_has_a_watch_of_its_own():
    def work(job, watch):
        before = watch.total, watch.done, watch.stop
        watch.done += job
        return before

    results, _ = run_jobs(work, [1, 2, 3], [10, 20, 30])
    assert results == [(10, 0, False), (20, 0, False), (30, 0, False)]


def test_an_error_in_one_job_reaches_the_caller_and_stops_the_others():
    stopped = []

    def work(job, watch):
        if job == "bad":
            raise RuntimeError("broken")
        wait_until(lambda: watch.stop)
        stopped.append(job)

    with pytest.raises(RuntimeError, match="broken"):
        run_jobs(work, ["good", "bad"], [1, 1], threads=2)
    assert stopped == ["good"]


@pytest.mark.usefixtures("two_threads")
def test_an_error_in_one_run_ends_the_sweep_early(dataset, monkeypatch):
    calls, train = [], Network.train

    def fragile(network, contexts, targets, batches, rates, **options):
        if rates[0] == 0.5:
            raise RuntimeError("broken")
        calls.append(len(batches))
        return train(network, contexts, targets, batches, rates, **options)

    monkeypatch.setattr(Network, "train", fragile)
    with pytest.raises(RuntimeError, match="broken"):
        bn.sweep(dataset, bn.Recipe(steps=1_000_000, hidden=5), learning_rate=[0.1, 0.5])
    assert sum(calls) < 1_000_000


# the bar


class Bar:
    """Stands in for tqdm and remembers."""

    made = ()

    def __init__(self, total, unit):
        self.total, self.n, self.desc, self.said = total, 0, "", []
        Bar.made = [*Bar.made, self]

    def update(self, n):
        self.n += n

    def set_description(self, desc):
        self.desc = desc or ""
        self.said.append(self.desc)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def test_the_bar_moves_while_a_job_is_at_work(monkeypatch):
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(Bar, "made", ())

    def work(job, watch):
        watch.done = 30
        wait_until(lambda: [bar.n for bar in Bar.made] == [30])

    run_jobs(work, ["job"], [60], progress=True)
    (bar,) = Bar.made
    assert (bar.n, bar.total) == (60, 60)


@pytest.mark.parametrize("noticed", [0.0, 60.0])
def test_the_bar_says_so_where_a_job_waits_for_the_compiler(monkeypatch, noticed):
    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(Bar, "made", ())
    monkeypatch.setattr(parallel, "NOTICED", noticed)

    def work(job, watch):
        with watch.compiling():
            time.sleep(0.2)
        time.sleep(0.2)

    run_jobs(work, ["job"], [1], progress=True)
    (bar,) = Bar.made
    assert bar.said == (["compiling, once", ""] if noticed == 0 else [])


def test_a_bar_without_anywhere_to_go_is_none(dataset, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert len(bn.train(dataset, bn.Recipe(steps=5), progress=True).loss) == 5


@pytest.mark.parametrize("rates", [[0.1], [0.1, 0.2, 0.3], [0.1, 1e30]], ids=str)
def test_the_bar_ends_at_100_percent_on_stderr(dataset, rates, capsys):
    bn.sweep(dataset, bn.Recipe(steps=100), learning_rate=rates, progress=True)
    out, err = capsys.readouterr()
    last = err.rstrip().split("\r")[-1]
    assert last.startswith("100%")
    assert f"{100 * len(rates)}/{100 * len(rates)} " in last
    assert out == ""


def test_the_bar_also_shows_what_an_executor_does(dataset, thread_pool, capsys):
    recipe = bn.Recipe(steps=20)
    bn.sweep(dataset, recipe, hidden=[5, 6], progress=True, executor=thread_pool)
    assert "100%" in capsys.readouterr().err


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


@pytest.mark.usefixtures("two_threads")
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
    assert len(calls) <= 3 + 30 * (time.monotonic() - begin)


def test_a_function_is_called_about_thirty_times_a_second():
    calls = []

    def work(job, watch):
        wait_until(lambda: len(calls) == 4)

    begin = time.monotonic()
    run_jobs(work, range(3), [1] * 3, threads=3, progress=lambda _: calls.append(0))
    assert time.monotonic() - begin > 3 / 31


def test_it_is_called_at_the_end_of_the_shortest_work(dataset):
    for steps in (0, 1):
        _, seen = watch_all(dataset, bn.Recipe(steps=steps), norm=["batch"])
        ((done, total, loss),) = seen[-1]
        assert (done, total, 0 if loss is None else len(loss)) == (steps, steps, steps)


@pytest.mark.usefixtures("one_thread")
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


def stop_after(steps, jobs=slice(None)):
    """Give a function that ends some jobs when they have done so many steps together."""

    def look(watches):
        if sum(watch.done for watch in watches[jobs]) >= steps:
            for watch in watches[jobs]:
                watch.stop = True

    return look


def test_a_function_may_end_the_training(dataset):
    recipe = bn.Recipe(steps=100_000, hidden=5)
    run = bn.train(dataset, recipe, progress=stop_after(1))  # a warning would be an error
    assert 0 < len(run.loss) < 100_000
    whole = bn.train(dataset, replace(recipe, steps=len(run.loss)))
    assert_same_run(run, replace(whole, recipe=recipe))


@pytest.mark.usefixtures("one_thread")
def test_jobs_that_had_not_begun_give_runs_of_no_steps(dataset):
    recipe = bn.Recipe(steps=100_000)
    runs = bn.sweep(dataset, recipe, hidden=[5, 6, 7], progress=stop_after(1))
    assert [run.recipe.hidden for run in runs] == [5, 6, 7]
    assert 0 < len(runs[0].loss) < 100_000
    assert [len(run.loss) for run in runs[1:]] == [0, 0]


@pytest.mark.usefixtures("two_threads")
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


@pytest.mark.parametrize("pool", ["process_pool", "dask_cluster", "thread_pool"])
def test_a_function_sees_which_jobs_an_executor_has_done(dataset, pool, request):
    recipe, seen = bn.Recipe(steps=20), []

    def look(watches):
        seen.append([(watch.done, watch.total) for watch in watches])
        if pool == "process_pool":
            assert [watch.loss for watch in watches] == [None, None]

    executor = request.getfixturevalue(pool)
    bn.sweep(dataset, recipe, hidden=[5, 6], progress=look, executor=executor)
    assert seen[-1] == [(20, 20), (20, 20)]


def test_a_function_takes_back_what_an_executor_has_not_begun(dataset):
    executor = OneJob()  # the others wait for ever
    runs = bn.sweep(
        dataset, bn.Recipe(steps=20), hidden=[5, 6, 7], progress=stop_after(20), executor=executor
    )
    assert [len(run.loss) for run in runs] == [20, 0, 0]


def test_training_works_in_any_thread(dataset):
    recipe, threads = bn.Recipe(steps=300), set()
    with ThreadPoolExecutor(1) as pool:
        thread = pool.submit(threading.current_thread).result()
        run = pool.submit(
            bn.train, dataset, recipe, progress=lambda _: threads.add(threading.current_thread())
        ).result()
    assert_same_run(run, bn.train(dataset, recipe))
    assert threads == {thread}


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
    ("daemon", "steps", "said"), [(0, [30_000, 300, 1], "30000\n300\n"), (1, [10**7], "")]
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


# interrupts


@pytest.fixture
def interrupt_after(monkeypatch):
    """Send this process one real SIGINT when a job has done so many steps.

    The job then waits until the interrupt has arrived, so that the count is exact.
    """
    watches, steps, waiting, wait = [], [], threading.Event(), parallel.wait

    class Interrupting(parallel.Watch):
        def __init__(self, total):
            super().__init__(total)
            watches.append(self)

        def __setattr__(self, name, value):
            super().__setattr__(name, value)
            if name == "done" and steps and value >= steps[0]:
                steps.clear()
                assert waiting.wait(PATIENCE)
                os.kill(os.getpid(), signal.SIGINT)
                wait_until(lambda: all(watch.stop for watch in watches))

    def waited(*args, **kwargs):
        waiting.set()
        return wait(*args, **kwargs)

    monkeypatch.setattr(training, "CHUNK_STEPS", 5)
    monkeypatch.setattr(parallel, "Watch", Interrupting)
    monkeypatch.setattr(parallel, "wait", waited)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield steps.append
    signal.signal(signal.SIGINT, before)


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


@pytest.mark.usefixtures("one_thread")
def test_runs_that_are_done_outlive_an_interrupt(dataset, interrupt_after):
    interrupt_after(150)
    recipe, steps = bn.Recipe(), [50, 300, 300]
    with pytest.warns(UserWarning, match="interrupted: 200 of 650 steps") as caught:
        runs = bn.sweep(dataset, recipe, steps=steps)
    assert caught[0].filename == __file__
    for run, done in zip(runs, [50, 150, 0], strict=True):
        whole = bn.train(dataset, replace(recipe, steps=300))
        assert torch.equal(run.loss, whole.loss[:done])


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


@pytest.mark.usefixtures("one_thread")
def test_jobs_not_begun_at_an_interrupt_give_runs_of_no_steps(dataset, interrupt_after):
    recipe = bn.Recipe(steps=300)
    interrupt_after(50)
    with pytest.warns(UserWarning, match="interrupted: 50 of 900 steps"):
        runs = bn.sweep(dataset, recipe, record="statistics", hidden=[10, 20, 30])
    assert [run.recipe.hidden for run in runs] == [10, 20, 30]
    for run, steps in zip(runs, [50, 0, 0], strict=True):
        short = bn.train(dataset, replace(run.recipe, steps=steps))
        assert_same_run(run, replace(short, recipe=run.recipe))


class OneJob(Executor):
    """Does the first job; the others wait for ever, or end with an error."""

    def __init__(self, error=None, error_in_submit=None):
        self.error, self.error_in_submit, self.jobs = error, error_in_submit, []

    def submit(self, function, *args):
        if self.jobs and self.error_in_submit:
            raise self.error_in_submit
        job = Future()
        if not self.jobs:
            job.set_result(function(*args))
        elif self.error:
            job.set_exception(self.error)
        self.jobs.append(job)
        return job


@pytest.mark.parametrize("error", [None, BrokenProcessPool(), KeyboardInterrupt()], ids=repr)
def test_an_interrupt_keeps_what_an_executor_has_done(dataset, error, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", interrupted)
    executor, recipe = OneJob(error), bn.Recipe(steps=20)
    with pytest.warns(UserWarning, match="interrupted: 20 of 60 steps"):
        runs = bn.sweep(dataset, recipe, hidden=[10, 20, 30], executor=executor)
    assert [len(run.loss) for run in runs] == [20, 0, 0]
    assert all(job.done() for job in executor.jobs)


def test_an_interrupt_may_come_while_the_jobs_are_handed_out(dataset):
    executor, recipe = OneJob(error_in_submit=KeyboardInterrupt()), bn.Recipe(steps=20)
    try:
        with pytest.warns(UserWarning, match="interrupted: 20 of 60 steps"):
            runs = bn.sweep(dataset, recipe, hidden=[10, 20, 30], executor=executor)
    except KeyboardInterrupt:  # would end the test session
        pytest.fail("the interrupt lost the steps done")
    assert [len(run.loss) for run in runs] == [20, 0, 0]


def test_a_pool_that_broke_at_once_is_an_error(dataset):
    class Broken(Executor):
        def submit(self, function, *args):
            job = Future()
            job.set_exception(BrokenProcessPool("a worker died"))
            return job

    with pytest.raises(BrokenProcessPool, match="a worker died"):
        bn.sweep(dataset, bn.Recipe(steps=20), hidden=[10, 20], executor=Broken())


def test_a_pool_that_broke_gives_back_what_it_had_done(dataset):
    executor = OneJob(BrokenProcessPool("a worker died"))
    with pytest.warns(UserWarning, match="a worker died: 20 of 60 steps done and kept"):
        runs = bn.sweep(dataset, bn.Recipe(steps=20), hidden=[10, 20, 30], executor=executor)
    assert [len(run.loss) for run in runs] == [20, 0, 0]


def die_second(item, watch):
    if item == "bad" and not watch.stop:
        os._exit(1)
    return item.upper()


def test_a_worker_that_dies_leaves_the_others_results():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        results = run_jobs(die_second, ["good", "bad", "late"], [1, 1, 1], executor=pool)
    assert results == (["GOOD", "BAD", "LATE"], "a worker died")


# settings


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
    from bn_tutorial import threads

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
