"""The thread of which only the latest work counts."""

import asyncio
import signal
import threading
import time

import pytest

from bn_tutorial.explorers.background import Growing, Latest
from bn_tutorial.parallel import Watch

PATIENCE = 60


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.001)


def test_the_latest_request_replaces_the_others():
    begun, ended = [], []

    def work(request, outdated):
        begun.append(request)
        wait_for(lambda: outdated() or request == "last")
        ended.append(request)

    latest = Latest(work)
    latest.ask("first")
    wait_for(lambda: begun == ["first"])
    for request in ("second", "third", "last"):
        latest.ask(request)
    latest.wait()
    assert ended[0] == "first"
    assert ended[-1] == "last"
    assert not latest.busy


def test_what_is_asked_for_at_the_end_is_done_too():
    """A thread that is about to end must not take a request along."""
    done = []
    latest = Latest(lambda request, outdated: done.append(request))
    for number in range(300):
        latest.ask(number)
        if number % 3 == 0:
            latest.wait()
            assert done[-1] == number
    latest.wait()
    assert done[-1] == 299


def test_stop_ends_the_work():
    latest = Latest(lambda request, outdated: wait_for(outdated))
    latest.ask("this")
    assert latest.busy
    latest.stop()
    latest.wait()
    assert not latest.busy


@pytest.mark.parametrize("several", [1, 2])
def test_in_a_loop_an_interrupt_ends_all_work_and_is_then_what_it_was(several):
    async def main():
        before = signal.signal(signal.SIGINT, as_it_was := lambda *_: None)
        try:
            working = [Latest(lambda _, outdated: wait_for(outdated)) for _ in range(several)]
            for latest in working:
                latest.ask("this")
            await asyncio.sleep(0.01)
            signal.raise_signal(signal.SIGINT)
            for latest in working:
                await asyncio.to_thread(latest.wait)
                await asyncio.sleep(0.01)
            assert signal.getsignal(signal.SIGINT) is as_it_was
        finally:
            signal.signal(signal.SIGINT, before)

    asyncio.run(main())


def test_a_training_is_shown_once_before_it_is_ended():
    calls, outdated = [], [True]
    growing = Growing(
        lambda: outdated[0], lambda watches: calls.append(watches) or len(calls) > 1, 0
    )
    watch = Watch(10)
    for expected in (1, 2):  # nothing to show at first
        growing([watch])
        assert (len(calls), watch.stop) == (expected, False)
    growing([watch])
    assert (len(calls), watch.stop) == (2, True)


def test_after_an_error_the_next_request_is_done(monkeypatch):
    done, told = [], []
    monkeypatch.setattr(threading, "excepthook", lambda error: told.append(error.exc_type))

    def work(request, outdated):
        if request == "broken":
            raise ArithmeticError
        done.append(request)

    latest = Latest(work)
    latest.ask("broken")
    wait_for(lambda: told == [ArithmeticError])
    latest.ask("whole")
    latest.wait()
    assert done == ["whole"]


def test_many_requests_leave_no_thread():
    before = threading.active_count()
    latest = Latest(lambda request, outdated: time.sleep(0.001))
    for number in range(200):
        latest.ask(number)
        assert threading.active_count() <= before + 1
    latest.wait()
    assert threading.active_count() == before
