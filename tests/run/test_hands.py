"""Threads stay for the next pool, for a while."""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest

import headway
from headway.run.backends import hands
from headway.run.backends.threads import Threads
from headway.run.batch import Batch, Portion


@pytest.fixture(autouse=True)
def none_wait(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hands, "_idle", deque())
    monkeypatch.setattr(hands, "IDLE_S", 20.0)
    yield
    for hand in list(hands._idle):
        hands._idle.remove(hand)
        hand.give(hands.Duty(lambda: None, (), "last", last=True))


def settle(count: int) -> None:
    """A map does not wait until its threads have nothing more to do."""
    while len(hands._idle) < count:
        time.sleep(0.001)


def who(_: object) -> tuple[int, str]:
    return threading.get_ident(), threading.current_thread().name


def test_the_next_map_has_the_same_threads() -> None:
    first = list(headway.map(who, range(20), on="threads", workers=1))
    settle(1)
    second = list(headway.map(who, range(20), on="threads", workers=1))
    assert {ident for ident, _ in first} == {ident for ident, _ in second}


def test_a_thread_has_the_name_that_its_pool_gives() -> None:
    first = list(headway.map(who, range(3), on="threads", workers=1))
    settle(1)
    second = list(headway.map(who, range(3), on="threads", workers=1))
    assert first[0][0] == second[0][0]
    assert first[0][1] != second[0][1]


def test_many_threads_are_there_at_once() -> None:
    def meet(barrier: threading.Barrier) -> int:
        barrier.wait(30)
        return threading.get_ident()

    idents = []
    for _ in range(2):
        barrier = threading.Barrier(20)
        idents.append(set(headway.map(meet, [barrier] * 20, on="threads", workers=20)))
        settle(20)
    assert idents[0] == idents[1]
    assert len(idents[0]) == 20


def test_threads_with_an_initializer_are_nobody_elses() -> None:
    def prepare() -> None:
        threading.current_thread().prepared = True  # type: ignore[attr-defined]

    with headway.Executor("threads", 1, initializer=prepare) as executor:
        mine = executor.submit(who, 0).result()
    assert not hands._idle
    assert list(headway.map(who, [0], on="threads", workers=1)) != [mine]


def test_a_thread_that_nobody_needs_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "IDLE_S", 0.05)
    list(headway.map(who, range(3), on="threads", workers=1))
    threads = [hand.thread for hand in hands._idle]
    for thread in threads:
        thread.join()
    assert not hands._idle


def test_a_thread_keeps_nothing_of_what_it_did() -> None:
    import gc
    import weakref

    class Thing:
        pass

    thing = Thing()
    gone = weakref.ref(thing)
    list(headway.map(id, [thing], on="threads", workers=1))
    del thing
    settle(1)
    gc.collect()
    assert gone() is None


@pytest.mark.filterwarnings("ignore:.*multi-threaded")
def test_after_a_fork_the_child_has_threads_of_its_own() -> None:
    list(headway.map(who, range(3), on="threads", workers=1))
    settle(1)
    pid = os.fork()
    if not pid:
        signal.alarm(60)  # no limit of pytest's ends a child
        try:
            ok = len(list(headway.map(who, range(3), on="threads", workers=1))) == 3
            os._exit(0 if ok else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_threads_that_need_not_wait_for_more_are_there_before_the_pool_closes() -> None:
    done: queue.SimpleQueue[Portion] = queue.SimpleQueue()
    together = threading.Barrier(3)
    pool = Threads(3)
    pool.expect_no_more()
    for _ in range(3):
        pool.submit(Batch(lambda _: together.wait(30), [0], done.put))
    for _ in range(3):
        assert not done.get(timeout=30).errors
    settle(3)
    assert not pool._threads
    pool.submit(Batch(abs, [-1], done.put))  # which was not expected
    assert done.get(timeout=30).values == [1]
    pool.close()
    assert not pool._threads


def test_batches_that_come_while_threads_leave_are_run() -> None:
    done: queue.SimpleQueue[Portion] = queue.SimpleQueue()
    pool = Threads(2)
    pool.expect_no_more()
    for number in range(3000):
        pool.submit(Batch(abs, [-number], done.put))
        if number % 3 == 0:
            assert done.get(timeout=30).values
    for _ in range(2000):
        assert done.get(timeout=30).values
    pool.close()


def test_a_pool_that_is_not_only_for_a_map_keeps_its_threads() -> None:
    pool = Threads(2)
    for _ in range(3):
        assert list(headway.map(abs, range(100), on=pool)) == list(range(100))
    assert not pool._no_more
    assert pool._threads
    pool.close()
