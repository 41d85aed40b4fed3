"""A thread that waits for one call takes its outcome from the worker itself, and nobody else notices."""

from __future__ import annotations

import contextlib
import logging
import operator
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from typing import Any

import pytest

from headway import Executor
from headway.errors import TimedOut, WorkerDied
from headway.run.future import Future
from headway.run.process import lead

PROMPT_S = 60.0
"""Far more than anything here takes."""


@pytest.fixture
def executor() -> Iterator[Executor]:
    with Executor("processes", 2) as executor:
        list(executor.map(sleep, [0.2, 0.2]))  # both workers are up
        yield executor


@pytest.fixture
def leads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Each worker that had a leader."""
    seen: list[Any] = []
    real = lead.Leaders._begin

    def noted(leaders: lead.Leaders, handle: Any) -> bool:
        begun = real(leaders, handle)
        if begun:
            seen.append(handle)
        return begun

    monkeypatch.setattr(lead.Leaders, "_begin", noted)
    return seen


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def say(text: str) -> str:
    logging.getLogger("headway-test").warning(text)
    return text


def fork_and_die() -> None:
    """The child keeps the worker's socket open."""
    if os.fork() == 0:
        time.sleep(2)
        os._exit(0)
    kill()


def test_who_waits_for_one_call_leads(executor: Executor, leads: list[Any]) -> None:
    for number in range(20):
        assert executor.submit(operator.neg, number).result() == -number
    assert len(leads) >= 10


def test_a_worker_that_dies_under_its_leader_is_told(executor: Executor, leads: list[Any]) -> None:
    future = executor.submit(kill)
    with pytest.raises(WorkerDied):
        future.result()
    assert executor.submit(abs, -1).result() == 1


def test_a_worker_that_dies_and_leaves_a_child_with_its_socket_is_told(executor: Executor) -> None:
    with pytest.raises(WorkerDied):
        executor.submit(fork_and_die).result()
    assert executor.submit(abs, -1).result() == 1


def test_a_leader_leaves_when_its_time_is_up_and_the_outcome_still_comes(
    executor: Executor, leads: list[Any]
) -> None:
    future = executor.submit(sleep, 0.3)
    with pytest.raises(TimeoutError):
        future.result(timeout=0.05)
    assert leads
    came = threading.Event()
    future.add_done_callback(lambda _: came.set())
    assert came.wait(PROMPT_S)
    assert future.result() == 0.3


def test_a_call_with_a_time_limit_is_stopped_under_its_leader() -> None:
    with Executor("processes", 1, timeout_s=0.2) as executor, pytest.raises(TimedOut):
        executor.submit(sleep, 100).result()


def test_a_call_cancelled_by_another_thread_lets_its_leader_go(executor: Executor, leads: list[Any]) -> None:
    future = executor.submit(sleep, 100)

    def cancel() -> None:
        while not leads:
            time.sleep(0.001)
        future.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(CancelledError):
        future.result()
    thread.join()


def test_a_call_that_nobody_waits_for_is_answered_after_a_leader(
    executor: Executor, leads: list[Any]
) -> None:
    for number in range(5):
        executor.submit(abs, number).result()
    assert leads
    came = threading.Event()
    executor.submit(abs, -7).add_done_callback(lambda _: came.set())
    assert came.wait(PROMPT_S)


def test_callbacks_of_other_calls_do_not_run_in_who_waits(executor: Executor) -> None:
    ran_in: list[int] = []
    goes_on = threading.Event()

    def callback(_: object) -> None:
        ran_in.append(threading.get_ident())
        goes_on.wait(PROMPT_S)  # who waits below would wait for ever, if it ran this

    slow = executor.submit(sleep, 0.2)
    executor.submit(sleep, 0.05).add_done_callback(callback)
    assert slow.result(timeout=PROMPT_S / 2) == 0.2
    goes_on.set()
    assert ran_in != [threading.get_ident()]


def test_many_threads_lead_at_once(executor: Executor) -> None:
    wrong: list[object] = []

    def trips(start: int) -> None:
        for number in range(start, start + 100):
            got = executor.submit(operator.neg, number).result()
            if got != -number:
                wrong.append((number, got))

    threads = [threading.Thread(target=trips, args=(1000 * k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_a_call_logs_is_heard_before_its_result(
    executor: Executor, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        assert executor.submit(say, f"number {number}").result()
        assert caplog.messages[-1] == f"number {number}"


def test_a_signal_handler_that_raises_interrupts_a_leader_and_nothing_is_lost(
    executor: Executor, leads: list[Any]
) -> None:
    class Stop(Exception):
        pass

    def stop(*_: object) -> None:
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        future = executor.submit(sleep, 0.5)
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()
        with pytest.raises(Stop):
            future.result()
        assert leads
        assert future.result() == 0.5
    finally:
        signal.signal(signal.SIGUSR1, before)


# The handler may come while a callback of a weak reference runs: Python only tells what is raised there.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(
    sys.version_info[:2] == (3, 14),
    reason="not for Python 3.14: its `with` may lose a lock that it has just taken, when a signal's handler raises",
)
def test_a_signal_handler_that_raises_at_any_moment_leaves_no_call_without_outcome() -> None:
    class Stop(Exception):
        pass

    armed = False

    def stop(*_: object) -> None:
        if armed:
            raise Stop

    before = signal.signal(signal.SIGALRM, stop)
    try:
        for number in range(80):
            with Executor("processes", 1) as executor:
                executor.submit(abs, 1).result()
                future = executor.submit(abs, -1)
                assert isinstance(future, Future)
                try:
                    armed = True
                    signal.setitimer(signal.ITIMER_REAL, 0.00002 + number * 0.000004)
                    # Not `result`: what concurrent.futures does after that is not safe from such handlers.
                    future._attended(None)
                except Stop:
                    pass
                finally:
                    armed = False
                    signal.setitimer(signal.ITIMER_REAL, 0)
                with contextlib.suppress(CancelledError, WorkerDied):
                    assert future.result(timeout=PROMPT_S) == 1
    finally:
        signal.signal(signal.SIGALRM, before)
