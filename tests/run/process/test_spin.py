"""Who expects something at once looks before it sleeps; where that may harm it sleeps."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from headway import Executor
from headway.run.process import lead, spin
from headway.run.process.page import SPIN
from headway.run.process.spin import CROWDED_NS, EXPECTED_NS, REST, SPIN_NS, Spin


class Clock:
    """A clock that each look moves on, and an inbox into which something comes at a certain time."""

    def __init__(self, comes_ns: int, look_ns: int = 1000) -> None:
        self.now_ns = 0
        self.looks = 0
        self.comes_ns = comes_ns
        self.look_ns = look_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def fill(self, flags: int) -> bool:
        self.looks += 1
        self.now_ns += self.look_ns
        if self.now_ns < self.comes_ns:
            raise BlockingIOError
        return True


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Clock], Any]:
    def use(clock: Clock) -> Any:
        monkeypatch.setattr(spin, "time", clock)
        return clock

    return use


def after(wait_ns: int, use: Callable[[Clock], Any]) -> Spin:
    """A spin whose last wait was so long."""
    made = Spin()
    use(Clock(0)).now_ns = wait_ns
    made.waited(0)
    return made


def test_it_looks_only_after_a_wait_that_was_short(use: Callable[[Clock], Any]) -> None:
    assert not Spin().pays()
    assert not after(EXPECTED_NS, use).pays()
    assert after(EXPECTED_NS - 1, use).pays()


def test_what_comes_soon_is_taken(use: Callable[[Clock], Any]) -> None:
    one, clock = after(1000, use), use(Clock(comes_ns=SPIN_NS // 2))
    assert one.look(clock, 0) is True
    assert one.pays()


def test_after_a_look_in_vain_it_sleeps_some_times(use: Callable[[Clock], Any]) -> None:
    one, clock = after(1000, use), use(Clock(comes_ns=10 * SPIN_NS))
    for rest in (1, 4, 16, REST, REST):
        clock.now_ns = 0
        assert one.look(clock, 0) is None
        assert SPIN_NS < clock.now_ns < 2 * SPIN_NS
        assert [one.pays() for _ in range(rest + 1)] == [False] * rest + [True]
    clock.now_ns = clock.comes_ns
    for rest in (32, 32, 32):
        assert one.look(clock, clock.now_ns) is True
        clock.comes_ns *= 10
        assert one.look(clock, clock.now_ns) is None
        assert [one.pays() for _ in range(rest + 1)] == [False] * rest + [True]
        clock.now_ns = clock.comes_ns


def test_it_gives_up_at_once_when_others_want_the_core(use: Callable[[Clock], Any]) -> None:
    one, clock = after(1000, use), use(Clock(comes_ns=SPIN_NS, look_ns=CROWDED_NS + 1))
    assert one.look(clock, 0) is None
    assert clock.looks == 1
    assert not one.pays()


def test_workers_look_only_while_each_of_them_and_each_leader_can_have_a_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lead, "available_cores", lambda: 4)
    together = threading.Barrier(3)
    with Executor("processes", 3) as executor:
        list(executor.map(time.sleep, [0.2] * 3))
        fixed: Any = executor._fixed
        pool = fixed.backend._pool
        leaders = pool.receiver.leaders

        def allowed(count: int) -> list[int]:
            """What the pages of the workers say while so many threads wait for a call of 0.2 s."""

            def trip() -> None:
                together.wait()
                executor.submit(time.sleep, 0.2).result()

            threads = [threading.Thread(target=trip) for _ in range(count)]
            for thread in threads:
                thread.start()
            while len(leaders._left_ns) < count:
                time.sleep(0.001)
            with pool.lock:
                seen = [handle.page[SPIN] for handle in leaders._left_ns]
            for thread in threads:
                thread.join()
            return seen

        assert allowed(3) == [0, 0, 0]
        together = threading.Barrier(1)
        while leaders._left_ns:  # the receiver takes them back
            time.sleep(0.001)
        assert allowed(1) == [1]
        while leaders._left_ns:
            time.sleep(0.001)
        with pool.lock:
            assert [handle.page[SPIN] for handle in pool.handles] == [0] * 3


def test_a_worker_without_calls_uses_no_core() -> None:
    with Executor("processes", 1) as executor:
        for number in range(200):
            assert executor.submit(abs, -number).result() == number
        pid = executor.submit(os.getpid).result()
        before_ns = cpu_ns(pid)
        time.sleep(1)
        assert cpu_ns(pid) - before_ns < 100_000_000


def cpu_ns(pid: int) -> int:
    """What all threads of a process have used."""
    return time.clock_gettime_ns((~pid) << 3 | 2)  # CPUCLOCK_SCHED of a process, linux/posix-timers.h
