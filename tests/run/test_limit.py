"""What a limit promises, whatever kind of unit uses it."""

from __future__ import annotations

import asyncio
import threading
import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.errors import TimedOut, UsageError, WouldBlock
from headway.run.limit import Limit
from headway.run.rate import Rate

if TYPE_CHECKING:
    from .conftest import Kind

SECOND_NS = 10**9


class Inside:
    """How many are in, and the most there ever were."""

    def __init__(self) -> None:
        self.count = self.most = 0
        self._lock = threading.Lock()

    def change(self, by: int) -> None:
        with self._lock:
            self.count += by
            self.most = max(self.most, self.count)


async def visit(u: Kind, limit: Limit, inside: Inside, times: int) -> None:
    for _ in range(times):
        await u.acquire(limit)
        inside.change(+1)
        await u.pause()
        inside.change(-1)
        limit.release()


async def enter(u: Kind, limit: Limit, order: list[int], number: int) -> None:
    await u.acquire(limit)
    order.append(number)


async def enter_in_time(u: Kind, limit: Limit, timeout_s: float) -> None:
    await u.acquire(limit, timeout_s)


@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_are_in_than_allowed_and_all_come_in(kind: Kind, concurrency: int) -> None:
    async def main(u: Kind) -> None:
        limit, inside = Limit(concurrency), Inside()
        await u.join(*[u.start(visit, limit, inside, 10) for _ in range(7)])
        assert inside.most == concurrency
        for _ in range(concurrency):
            limit.acquire_nowait()

    kind.main(main)


def test_units_come_in_in_the_order_in_which_they_came(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        limit, order = Limit(1), list[int]()
        limit.acquire_nowait()
        units = []
        for number in range(6):
            units.append(u.start(enter, limit, order, number))
            await u.in_line(limit._line, number + 1)
        for number in range(6):
            with pytest.raises(WouldBlock):
                limit.acquire_nowait()  # nobody pushes in, even when one goes out
            limit.release()
            await u.join(units[number])
        assert order == list(range(6))

    kind.main(main)


def test_a_timeout_leaves_the_limit_as_it_was(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        limit = Limit(1)
        limit.acquire_nowait()
        for timeout_s in (0, 0.01):
            with pytest.raises(TimedOut):
                await u.acquire(limit, timeout_s)
        assert not limit._line
        limit.release()
        limit.acquire_nowait()

    kind.main(main)


def test_a_cancelled_unit_keeps_nothing(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        for _ in range(20):
            limit, order = Limit(1), list[int]()
            limit.acquire_nowait()
            units = [u.start(enter, limit, order, number) for number in range(3)]
            await u.in_line(limit._line, 3)
            limit.release()
            for unit in units:
                unit.cancel()  # one is in already, and may or may not have run
            for unit in units:
                await u.until(unit.over)
            for _ in order:
                limit.release()
            limit.acquire_nowait()
            assert not limit._line

    kind.main(main)


def test_a_cancelled_wait_for_the_rate_lets_the_next_one_wait(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        limit, order = Limit(per_s=20), list[int]()
        limit.acquire_nowait()
        leader = u.start(enter, limit, order, 0)
        await u.until(lambda: limit._leading)
        follower = u.start(enter, limit, order, 1)
        await u.in_line(limit._line, 1)
        leader.cancel()
        await u.join(follower)
        await u.until(leader.over)
        assert isinstance(leader.error, u.cancelled)
        assert order == [1]
        assert not limit._leading

    kind.main(main)


def test_a_timed_out_wait_for_the_rate_lets_the_next_one_wait(kind: Kind) -> None:
    async def main(u: Kind) -> None:
        limit, order = Limit(2, per_s=10), list[int]()
        limit.acquire_nowait()
        leader = u.start(enter_in_time, limit, 0.01)
        await u.until(lambda: limit._leading or leader.over())
        follower = u.start(enter, limit, order, 1)
        with pytest.raises(TimedOut):
            await u.join(leader)
        await u.join(follower)
        assert order == [1]
        assert limit._free == 0

    kind.main(main)


@pytest.mark.parametrize(("concurrency", "burst"), [(None, 1), (None, 5), (2, 3)])
def test_starts_never_exceed_the_rate(kind: Kind, concurrency: int | None, burst: int) -> None:
    starts: list[float] = []

    async def start(u: Kind, limit: Limit) -> None:
        for _ in range(6):
            # Before and after: the start lies between the two, and only the later one bounds it from above.
            await u.acquire(limit)
            starts.append(time.monotonic())
            limit.release()

    async def main(u: Kind) -> None:
        limit = Limit(concurrency, per_s=400, burst=burst)
        await u.join(*[u.start(start, limit) for _ in range(4)])

    begun = time.monotonic()
    kind.main(main)
    # By any moment since the beginning no more than the burst and what the rate gives.
    for number, at in enumerate(sorted(starts), 1):
        assert number <= burst + 400 * (at - begun) + 1e-6
    assert len(starts) == 24


# How long a program takes is no part of any promise here.
untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
nanoseconds = st.integers(0, 3 * SECOND_NS)


@untimed
@given(
    gaps=st.lists(st.tuples(nanoseconds, nanoseconds), min_size=1, max_size=40),
    per_s=st.floats(0.1, 1000),
    burst=st.integers(1, 5),
)
def test_in_any_window_no_more_start_than_burst_and_rate_and_one_that_was_late(
    gaps: list[tuple[int, int]], per_s: float, burst: int
) -> None:
    rate, now_ns, starts = Rate(per_s, burst), 10**15, list[int]()
    for gap_ns, late_ns in gaps:
        now_ns += gap_ns
        since_ns = now_ns
        if wait_ns := rate.wait_ns(now_ns):
            now_ns += wait_ns + late_ns  # the wake-up is late
        assert rate.wait_ns(now_ns) == 0
        rate.take(now_ns, since_ns)
        starts.append(now_ns)
    for first, begin_ns in enumerate(starts):
        for last in range(first, len(starts)):
            window_s = Fraction(starts[last] - begin_ns, SECOND_NS)
            assert last - first + 1 <= burst + 1 + window_s * Fraction(per_s)


@untimed
@given(per_s=st.floats(0.01, 1e6), late=st.floats(0, 0.99), count=st.integers(1, 300))
def test_late_wake_ups_do_not_add_up(per_s: float, late: float, count: int) -> None:
    interval_ns = SECOND_NS / Fraction(per_s)
    rate, begun_ns = Rate(per_s, 1), 10**15
    now_ns = begun_ns
    for _ in range(count):
        since_ns = now_ns
        now_ns += rate.wait_ns(now_ns)
        now_ns += int(late * interval_ns)
        rate.take(now_ns, since_ns)
    # The last one was due after count - 1 intervals, to the nanosecond, and is late only by itself.
    assert now_ns - begun_ns <= (count - 1) * interval_ns + 2 * int(late * interval_ns) + 1


def test_a_start_may_come_exactly_when_it_is_due() -> None:
    rate = Rate(10, 1)
    rate.take(0, 0)
    assert rate.wait_ns(0) == SECOND_NS // 10
    assert rate.wait_ns(SECOND_NS // 10 - 1) == 1
    assert rate.wait_ns(SECOND_NS // 10) == 0


def test_a_burst_may_come_at_once_after_a_pause() -> None:
    rate = Rate(10, 3)
    for _ in range(2):
        for _ in range(3):
            assert rate.wait_ns(SECOND_NS) == 0
            rate.take(SECOND_NS, SECOND_NS)
        assert rate.wait_ns(SECOND_NS) == SECOND_NS // 10
        rate = Rate(10, 3)


def test_a_wrapped_function_is_limited() -> None:
    limit, inside = Limit(2), Inside()
    barrier = threading.Barrier(2)

    @limit.wrap
    def work(value: int) -> int:
        inside.change(+1)
        barrier.wait()  # two are always in
        inside.change(-1)
        return value * 2

    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(work(n))) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [0, 2, 4, 6, 8, 10]
    assert inside.most == 2
    assert work.__name__ == "work"


def test_a_wrapped_coroutine_function_is_limited() -> None:
    limit, inside = Limit(2), Inside()

    @limit.wrap
    async def work(value: int) -> int:
        inside.change(+1)
        await asyncio.sleep(0)
        inside.change(-1)
        return value * 2

    async def main() -> list[int]:
        return await asyncio.gather(*map(work, range(6)))

    assert asyncio.run(main()) == [0, 2, 4, 6, 8, 10]
    assert inside.most == 2


def test_an_error_inside_goes_out_properly() -> None:
    limit = Limit(1)

    async def main() -> None:
        async with limit:
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"), limit:
        raise ValueError
    with pytest.raises(ValueError, match=r"^$"):
        asyncio.run(main())
    limit.acquire_nowait()


def test_a_call_that_would_block_the_event_loop_is_refused() -> None:
    async def main() -> None:
        limit = Limit(1)
        limit.acquire()  # need not wait
        with pytest.raises(UsageError, match="async with"):
            limit.acquire()

    asyncio.run(main())


def test_one_release_too_many_is_refused() -> None:
    limit = Limit(1)
    with limit:
        pass
    with pytest.raises(UsageError, match="more often"):
        limit.release()


def test_a_generator_function_is_refused() -> None:
    def generate() -> Any:
        yield 1

    with pytest.raises(UsageError, match="generator"):
        Limit(1).wrap(generate)


@pytest.mark.parametrize(
    ("concurrency", "options"),
    [
        (None, {}),
        (0, {}),
        ("3", {}),
        (1.5, {}),
        (True, {}),
        (None, {"per_s": 0}),
        (None, {"per_s": "3"}),
        (None, {"per_s": float("nan")}),
        (None, {"per_s": 10, "burst": 0}),
        (None, {"per_s": 10, "burst": "3"}),
        (1, {"burst": 3}),
    ],
)
def test_a_limit_that_cannot_be_kept_is_refused(concurrency: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Limit(concurrency, **options)


def test_a_limit_shows_how_many_are_in() -> None:
    limit = Limit(3, per_s=0.3)
    with limit:
        assert repr(limit).startswith("<Limit 1/3 in, 0.3 per s at 0x")
    assert repr(Limit(per_s=100)).startswith("<Limit 100 per s at 0x")
