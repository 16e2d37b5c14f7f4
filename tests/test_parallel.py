"""Jobs on threads and executors: the same results, errors, what is left of a pool that broke."""

import multiprocessing
import os
import threading
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch
from jobs import PATIENCE, OneJob, stop_after, torch_threads, wait_until
from reference import assert_same_run

import bn_tutorial as bn
from bn_tutorial import parallel
from bn_tutorial.network import Network
from bn_tutorial.parallel import run_jobs

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


@torch_threads(2)  # torch's own threads, which a fork leaves behind
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
def test_an_executor_gives_the_same_runs_and_says_which_it_has_done(dataset, pool, request):
    recipe = bn.Recipe(steps=100, dtype=torch.float64, learning_rate=bn.StepDecay(0.3, 0.1, 50))
    values, seen = {"hidden": [10, 20], "seed": [1, 2, 3, 4, 5], "record": "statistics"}, []

    def look(watches):
        seen.append([(watch.done, watch.total) for watch in watches])
        if pool == "process_pool":
            assert not any(watch.loss for watch in watches)

    executor = request.getfixturevalue(pool)
    here = bn.sweep(dataset, recipe, **values)
    there = bn.sweep(dataset, recipe, executor=executor, progress=look, **values)
    for run, other in zip(there, here, strict=True):
        assert_same_run(run, other, atol=1e-12)
    assert seen[-1] == [(100, 100)] * 10


def test_a_function_takes_back_what_an_executor_has_not_begun(dataset):
    executor = OneJob()  # the others wait for ever
    runs = bn.sweep(
        dataset, bn.Recipe(steps=20), hidden=[5, 6, 7], progress=stop_after(20), executor=executor
    )
    assert [len(run.loss) for run in runs] == [20, 0, 0]


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


@torch_threads(2)
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


# pools that break, and interrupts while one is at work


INTERRUPT, DEATH = KeyboardInterrupt(), BrokenProcessPool("a worker died")


@pytest.mark.parametrize(
    ("executor", "interrupted", "trouble"),
    [
        (OneJob(), True, "interrupted"),
        (OneJob(DEATH), True, "interrupted"),
        (OneJob(INTERRUPT), True, "interrupted"),
        (OneJob(error_in_submit=INTERRUPT), False, "interrupted"),
        (OneJob(DEATH), False, "a worker died"),
    ],
    ids=["", "a job died", "a job heard it", "while jobs are handed out", "a pool broke"],
)
def test_what_an_executor_has_done_is_kept(dataset, monkeypatch, executor, interrupted, trouble):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    if interrupted:
        monkeypatch.setattr(parallel, "wait", interrupt)
    recipe = bn.Recipe(steps=20)
    try:
        with pytest.warns(UserWarning, match=f"^{trouble}: 20 of 60 steps done and kept"):
            runs = bn.sweep(dataset, recipe, hidden=[10, 20, 30], executor=executor)
    except KeyboardInterrupt:  # would end the test session
        pytest.fail("the interrupt lost the steps done")
    assert [len(run.loss) for run in runs] == [20, 0, 0]
    assert all(job.done() for job in executor.jobs)


def test_a_pool_that_broke_at_once_is_an_error(dataset):
    class Broken(Executor):
        def submit(self, function, *args):
            job = Future()
            job.set_exception(BrokenProcessPool("a worker died"))
            return job

    with pytest.raises(BrokenProcessPool, match="a worker died"):
        bn.sweep(dataset, bn.Recipe(steps=20), hidden=[10, 20], executor=Broken())


def die_second(item, watch):
    if item == "bad" and not watch.stop:
        os._exit(1)
    return item.upper()


def test_a_worker_that_dies_leaves_the_others_results():
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        results = run_jobs(die_second, ["good", "bad", "late"], [1, 1, 1], executor=pool)
    assert results == (["GOOD", "BAD", "LATE"], "a worker died")
