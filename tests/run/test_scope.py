"""What a scope promises to plain code."""

# ruff: noqa: PT012 (what raises is the end of a block, with all that is in it)

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any

import pytest

from headway.errors import Cancelled, TimedOut, UsageError
from headway.run.cancellation import cancelled
from headway.run.channel import Channel
from headway.run.limit import Limit
from headway.run.scope import Scope, scope
from headway.run.scoped.job import Job
from headway.run.selection import receive_any
from scope_tasks import Broken, spin_until_cancelled


def fail(after: Callable[[], object] = lambda: None, text: str = "broken") -> None:
    after()
    raise Broken(text)


def has_begun(job: Job[Any]) -> Job[Any]:
    while "pending" in repr(job):
        threading.Event().wait(0.001)
    return job


def texts(group: BaseExceptionGroup[Any]) -> list[str]:
    return [str(error) for error in group.exceptions]


@pytest.mark.parametrize("on", ["serial", "threads", "processes"])
def test_results_are_there_inside_and_after(on: str) -> None:
    with scope(on) as s:
        first = s.start(pow, 2, 3)
        second = s.start(int, "ff", base=16)
        assert first.result() == 8
    assert second.result() == 255
    assert (second.done(), second.cancelled(), second.exception()) == (True, False, None)
    assert not s.cancelled


def test_all_calls_run_at_the_same_time() -> None:
    barrier = threading.Barrier(70)
    with scope() as s:
        jobs = [s.start(barrier.wait) for _ in range(70)]
    assert sorted(job.result() for job in jobs) == list(range(70))


def test_no_more_calls_run_at_a_time_than_workers() -> None:
    lock, counts = threading.Lock(), [0, 0]

    def work() -> None:
        with lock:
            counts[0] += 1
            counts[1] = max(counts)
        threading.Event().wait(0.001)
        with lock:
            counts[0] -= 1

    with scope(workers=3) as s:
        for _ in range(20):
            s.start(work)
    assert counts[0] == 0
    assert 1 <= counts[1] <= 3


def test_no_thread_is_left() -> None:
    before = threading.active_count()
    with scope(deadline_s=60) as s:
        for _ in range(5):
            s.start(pow, 2, 3)
    # The timer of the deadline ends on its own, as soon as it notices.
    while threading.active_count() > before:
        threading.Event().wait(0.001)


def test_calls_see_the_context_of_their_start() -> None:
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(5)
    with scope() as s:
        job = s.start(variable.get)
    assert job.result() == 5


def test_calls_may_start_calls() -> None:
    results: list[int] = []

    def countdown(s: Scope, count: int) -> None:
        results.append(count)
        if count:
            s.start(countdown, s, count - 1)

    with scope() as s:
        s.start(countdown, s, 5)
    assert results == [5, 4, 3, 2, 1, 0]


def test_a_failure_is_raised_in_a_group_and_drops_what_has_not_begun() -> None:
    go = threading.Event()
    ran: list[int] = []
    with pytest.raises(ExceptionGroup, match="1 of 3 calls") as raised, scope(workers=1) as s:
        failed = s.start(fail, go.wait)
        dropped = [s.start(ran.append, 1) for _ in range(2)]
        go.set()
    assert texts(raised.value) == ["broken"]
    assert isinstance(failed.exception(), Broken)
    assert all(job.cancelled() for job in dropped)
    assert not ran
    with pytest.raises(Cancelled):
        dropped[0].result()


def test_a_failure_asks_what_runs_to_stop() -> None:
    with pytest.raises(ExceptionGroup), scope() as s:
        running = has_begun(s.start(spin_until_cancelled))
        s.start(fail)
    assert running.result() == "saw it"
    assert not cancelled()


def test_a_failure_ends_waits_on_threads() -> None:
    empty, full, limit, stuck = Channel[int](), Channel[int](), Limit(1), Job[int]("stuck")
    limit.acquire_nowait()

    def inner() -> None:
        with scope() as s:
            s.start(empty.receive)

    waits: list[Callable[[], object]] = [
        empty.receive,
        lambda: receive_any(empty, Channel()),
        lambda: full.send(1),
        limit.acquire,
        stuck.result,
        inner,
    ]

    def until_all_wait() -> None:
        while len(empty._receivers) + len(full._senders) + len(limit._line) + len(stuck._waiters) < 6:
            threading.Event().wait(0.001)

    with pytest.raises(ExceptionGroup) as raised, scope() as s:
        waiting = [s.start(wait) for wait in waits]
        s.start(fail, until_all_wait)
    assert texts(raised.value) == ["broken"]
    assert all(job.cancelled() for job in waiting)
    assert not (empty._receivers)
    assert not (full._senders)
    assert not (limit._line)
    assert not (stuck._waiters)


def test_all_failures_are_raised_in_their_order() -> None:
    with pytest.raises(ExceptionGroup, match="2 of 2 calls") as raised, scope() as s:
        has_begun(s.start(fail, spin_until_cancelled, "second"))
        s.start(fail, text="first")
    assert texts(raised.value) == ["first", "second"]


def test_an_exit_of_a_call_is_a_failure() -> None:
    def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(BaseExceptionGroup) as raised, scope() as s:
        s.start(leave)
    assert isinstance(raised.value.exceptions[0], SystemExit)


def test_a_failure_ends_the_body_where_it_waits() -> None:
    channel = Channel[int]()
    with pytest.raises(ExceptionGroup) as raised, scope() as s:
        s.start(fail)
        channel.receive()
    assert texts(raised.value) == ["broken"]


def test_a_failure_that_the_body_raises_again_is_raised_once() -> None:
    with pytest.raises(ExceptionGroup) as raised, scope() as s:
        s.start(fail).result()
    assert texts(raised.value) == ["broken"]


def test_an_error_of_the_body_cancels_the_calls_and_goes_on_alone() -> None:
    with pytest.raises(KeyError, match="body"), scope() as s:
        running = has_begun(s.start(spin_until_cancelled))
        raise KeyError("body")
    assert running.result() == "saw it"


def test_an_error_of_the_body_goes_into_the_group_if_calls_fail_too() -> None:
    with pytest.raises(ExceptionGroup) as raised, scope() as s:
        has_begun(s.start(fail, spin_until_cancelled))
        raise KeyError("body")
    assert texts(raised.value) == ["'body'", "broken"]


def test_an_exit_of_the_body_goes_on_after_all_have_ended() -> None:
    with pytest.raises(SystemExit), scope() as s:
        running = has_begun(s.start(spin_until_cancelled))
        raise SystemExit
    assert running.result() == "saw it"


def test_the_first_success_wins_and_cancels_the_others() -> None:
    with scope(policy="first") as s:
        s.start(fail)
        loser = s.start(spin_until_cancelled)
        winner = s.start(pow, 2, 3)
    assert s.winner is winner
    assert s.winner.result() == 8
    assert loser.done()
    assert s.cancelled


def test_with_policy_first_failures_count_if_there_is_no_winner() -> None:
    with pytest.raises(ExceptionGroup, match="2 of 2") as raised, scope(policy="first") as s:
        s.start(fail)
        s.start(fail)
    assert texts(raised.value) == ["broken", "broken"]
    with pytest.raises(UsageError, match="no winner"):
        _ = s.winner


def test_with_policy_gather_nothing_is_raised_and_nothing_cancelled() -> None:
    with scope(policy="gather") as s:
        failed = s.start(fail)
        ended = s.start(pow, 2, 3)
    assert isinstance(failed.exception(), Broken)
    assert ended.result() == 8
    assert not s.cancelled
    with pytest.raises(Broken):
        failed.result()


@pytest.mark.parametrize("policy", ["all", "first", "gather"])
def test_a_deadline_cancels_everything(policy: Any) -> None:
    channel = Channel[int]()
    with pytest.raises(TimedOut, match=r"0\.02 s"), scope(deadline_s=0.02, policy=policy) as s:
        waiting = s.start(channel.receive)
        running = s.start(spin_until_cancelled) if policy != "first" else s.start(channel.receive)
        channel.receive()  # the body's own wait
    assert waiting.cancelled()
    assert running.done()


def test_a_deadline_is_in_the_group_if_calls_fail() -> None:
    with pytest.raises(ExceptionGroup) as raised, scope(deadline_s=0.02) as s:
        s.start(fail, spin_until_cancelled)
    assert [type(error) for error in raised.value.exceptions] == [TimedOut, Broken]


def test_a_deadline_that_is_kept_changes_nothing() -> None:
    with scope(deadline_s=3600) as s:
        job = s.start(pow, 2, 3)
    assert job.result() == 8


def test_an_outer_deadline_bounds_the_inner_scope() -> None:
    channel = Channel[int]()
    with pytest.raises(TimedOut, match=r"0\.02 s"), scope(deadline_s=0.02), scope(deadline_s=3600) as inner:
        waiting = inner.start(channel.receive)
    assert waiting.cancelled()


def test_an_inner_scope_ends_alone() -> None:
    with scope() as outer:
        with pytest.raises(ExceptionGroup), scope() as inner:
            inner.start(fail)
        assert not outer.cancelled
        assert not cancelled()
        job = outer.start(pow, 2, 3)
    assert job.result() == 8


def test_a_failure_in_the_outer_scope_cancels_the_inner_one() -> None:
    channel = Channel[int]()
    with pytest.raises(ExceptionGroup) as raised, scope() as outer:
        outer.start(fail)
        with scope() as inner:
            waiting = inner.start(channel.receive)
    assert texts(raised.value) == ["broken"]
    assert waiting.cancelled()


def test_cancelling_raises_nothing() -> None:
    channel = Channel[int]()
    with scope() as s:
        waiting = s.start(channel.receive)
        s.cancel()
        late = s.start(pow, 2, 3)
        channel.receive()
    assert waiting.cancelled()
    assert late.cancelled()
    assert s.cancelled


def test_a_failing_call_stops_processes() -> None:
    with pytest.raises(ExceptionGroup) as raised, scope("processes", workers=2) as s:
        endless = s.start(_wait_for_ever)
        s.start(int, "no number")
    assert [type(error) for error in raised.value.exceptions] == [ValueError]
    assert endless.cancelled()


def _wait_for_ever() -> None:
    threading.Event().wait()


def test_coroutine_functions_run_on_asyncio() -> None:
    async def double(value: int) -> int:
        await asyncio.sleep(0)
        return 2 * value

    with scope("asyncio") as s:
        job = s.start(double, 4)
    assert job.result() == 8
    with pytest.raises(UsageError, match="coroutine function"), scope() as s:
        s.start(double, 4)


def test_a_job_that_is_late_goes_on() -> None:
    go = threading.Event()
    with scope() as s:
        job = s.start(go.wait)
        with pytest.raises(TimedOut):
            job.result(timeout_s=0.001)
        assert not job.done()
        go.set()
    assert job.result() is True


def test_a_scope_belongs_to_one_with() -> None:
    with scope() as s:
        pass
    with pytest.raises(UsageError, match="left"):
        s.start(pow, 2, 3)
    with pytest.raises(UsageError, match="once"), s:
        pass
    with pytest.raises(UsageError, match="new"):
        scope().start(pow, 2, 3)


@pytest.mark.parametrize(
    "options", [{"policy": "any"}, {"deadline_s": -1}, {"deadline_s": "1"}, {"workers": 0}, {"workers": "2"}]
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        scope(**options)


@pytest.mark.parametrize("on", ["nowhere", 4, "auto"])
def test_an_unknown_backend_is_refused_at_once(on: Any) -> None:
    with pytest.raises(UsageError, match=str(on)):
        scope(on)


def test_a_policy_in_place_of_a_backend_is_refused_with_its_name() -> None:
    with pytest.raises(UsageError, match="'first' is a policy") as caught:
        scope("first")
    assert caught.value.hint == "policy='first'"


def test_a_plain_with_is_refused_in_an_event_loop() -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="async with"), scope():
            pass

    asyncio.run(main())


def test_an_outer_scope_forgets_the_inner_ones_that_were_left() -> None:
    with scope() as outer:
        for _ in range(3):
            with scope():
                pass
        assert not outer._token._children


def test_a_scope_shows_its_state_and_its_calls() -> None:
    go = threading.Event()
    with scope() as s:
        assert repr(s).startswith("<Scope open 0/0 calls under way at 0x")
        s.start(go.wait)
        assert repr(s).startswith("<Scope open 1/1 calls under way at 0x")
        go.set()
    assert repr(s).startswith("<Scope left 0/1 calls under way at 0x")
