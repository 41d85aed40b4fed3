"""gevent under control: its primitives are its own, the order of its greenlets is chosen, time is virtual."""

import gc
import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.check.execution import Execution
from headway.check.rows import rows
from hubs import with_a_hub

pytest.importorskip("gevent", reason="gevent is not installed")

import gevent
import gevent.event
import gevent.lock
import gevent.pool
import gevent.queue


@pytest.fixture(params=["threads", "greenlets"])
def explore(request: pytest.FixtureRequest) -> Callable[..., headway.Verdict]:
    def run(scenario: Callable[[], Any], **options: Any) -> headway.Verdict:
        return headway.explore(scenario, carrier=request.param, granularity="sync", **options)

    return run


Explore = Callable[..., headway.Verdict]


def fails(explore: Explore, scenario: Callable[[], Any]) -> headway.ScheduleFailure:
    with pytest.raises(headway.ScheduleFailure) as caught:
        explore(scenario)
    with pytest.raises(headway.ScheduleFailure) as again:
        headway.replay(scenario, caught.value.token)
    assert (again.value.kind, again.value.token) == (caught.value.kind, caught.value.token)
    return caught.value


def test_greenlets_that_are_ready_run_in_any_order(explore: Explore) -> None:
    found: set[str] = set()

    def scenario() -> None:
        seen: list[str] = []
        gevent.joinall([gevent.spawn(seen.append, word) for word in "abc"])
        found.add("".join(seen))

    assert explore(scenario).exhausted
    assert found == {"".join(order) for order in itertools.permutations("abc")}


def test_a_greenlet_is_not_switched_where_it_does_not_wait(explore: Explore) -> None:
    def scenario() -> None:
        total = 0

        def add() -> None:
            nonlocal total
            for _ in range(10):
                total += 1

        gevent.joinall([gevent.spawn(add) for _ in range(3)])
        assert total == 30

    explore(scenario, schedules=100)


def test_an_update_that_is_lost_over_a_switch_is_found_and_shown_by_greenlet(explore: Explore) -> None:
    def scenario() -> None:
        total = [0]

        def add() -> None:
            before = total[0]
            gevent.sleep(0)
            total[0] = before + 1

        gevent.joinall([gevent.spawn(add) for _ in range(2)])
        assert total == [2]

    failure = fails(explore, scenario)
    details: Any = failure.details
    assert [step["text"] for step in details["steps"] if step["unit"]].count("gevent.sleep(0)") == 2


def test_sleeping_takes_no_time_and_orders_greenlets(explore: Explore) -> None:
    def scenario() -> None:
        seen: list[int] = []
        gevent.joinall([gevent.spawn_later(1000 * delay, seen.append, delay) for delay in (3, 1, 2)])
        assert seen == [1, 2, 3]

    explore(scenario, schedules=50)


def test_a_timeout_and_what_it_waits_for_may_come_in_either_order_at_the_same_moment(
    explore: Explore,
) -> None:
    found: set[bool] = set()

    def scenario() -> None:
        event = gevent.event.Event()
        gevent.spawn_later(1, event.set)
        found.add(event.wait(timeout=1))

    explore(scenario, schedules=50)
    assert found == {True, False}


def test_what_is_right_is_not_accused(explore: Explore) -> None:
    def scenario() -> None:
        semaphore, lock = gevent.lock.BoundedSemaphore(2), gevent.lock.RLock()
        ready, answer = gevent.event.Event(), gevent.event.AsyncResult()
        jobs: Any = gevent.queue.JoinableQueue(maxsize=1)
        pool = gevent.pool.Pool(2)
        inside = 0

        def work(number: int) -> int:
            nonlocal inside
            ready.wait()
            with semaphore:
                inside += 1
                assert inside <= 2
                gevent.sleep(0)
                inside -= 1
            with lock, lock:
                gevent.sleep(0.1)
            return number

        def consume() -> None:
            for job in jobs:
                gevent.sleep(0)
                jobs.task_done()
                if job == 2:
                    answer.set(job)

        workers = [pool.spawn(work, number) for number in range(2)]
        consumer = gevent.spawn(consume)
        ready.set()
        for job in range(3):
            jobs.put(job)
        jobs.join()
        assert answer.get() == 2
        assert sorted(worker.get() for worker in workers) == [0, 1]
        assert sorted(pool.imap_unordered(lambda item: 2 * item, range(3))) == [0, 2, 4]
        consumer.kill()
        assert consumer.dead
        with gevent.Timeout(1, False):
            gevent.sleep(2)
        gevent.idle()
        gevent.wait()

    explore(scenario, schedules=100)


def test_greenlets_that_wait_for_each_other_are_a_deadlock(explore: Explore) -> None:
    def scenario() -> None:
        left, right = gevent.lock.Semaphore(), gevent.lock.Semaphore()

        def take(first: Any, second: Any) -> None:
            with first:
                gevent.sleep(0)
                with second:
                    pass

        gevent.joinall([gevent.spawn(take, left, right), gevent.spawn(take, right, left)])

    failure = fails(explore, scenario)
    assert failure.kind == "deadlock"
    assert "Greenlet-0" in failure.report
    assert "test_gevent.py:" in failure.report


def test_a_signal_that_was_given_too_early_is_a_lost_wake_up(explore: Explore) -> None:
    def scenario() -> None:
        event = gevent.event.Event()

        def pulse() -> None:
            event.set()
            event.clear()

        gevent.joinall([gevent.spawn(event.wait), gevent.spawn(pulse)])

    assert fails(explore, scenario).kind == "lost-wakeup"


def shown(failure: headway.ScheduleFailure) -> list[tuple[str, str, bool]]:
    """What stands in the table before the line that fails: in whose column, what, and whether it is marked."""
    details: Any = failure.details
    names = {unit["unit"]: unit["name"] for unit in details["units"]}
    return [
        (names[row.unit], row.text or row.comment, row.mark == ">")
        for row in rows(details)
        if row.mark != "!"
    ]


def test_a_switch_to_a_greenlet_is_marked_in_its_column() -> None:
    def scenario() -> None:
        once = Once()

        def first() -> None:
            once.made = 1

        def second() -> None:
            assert once.made == 1

        gevent.joinall([gevent.spawn(first), gevent.spawn(second)], raise_error=True)

    failure = fails(headway.explore, scenario)
    assert shown(failure) == [
        ("scenario", "self.made = 0", False),
        ("Greenlet-1", "assert once.made == 1", True),
        ("Greenlet-0", "once.made = 1", False),
    ]


def test_a_greenlet_that_is_switched_to_and_does_nothing_else_that_is_told_has_a_row(
    explore: Explore,
) -> None:
    def scenario() -> None:
        event = gevent.event.Event()

        def pulse() -> None:
            event.set()
            event.clear()

        gevent.joinall([gevent.spawn(event.wait), gevent.spawn(pulse)])

    assert shown(fails(explore, scenario)) == [("Greenlet-1", "def pulse() -> None:", True)]


def test_a_greenlet_that_runs_no_code_of_the_program_has_a_row_too(explore: Explore) -> None:
    def scenario() -> None:
        lock = gevent.lock.BoundedSemaphore(1)

        def work() -> None:
            lock.acquire()
            gevent.sleep(0)
            lock.release()

        worker = gevent.spawn(work)
        gevent.joinall([worker, gevent.spawn(worker.kill)])
        gevent.spawn(work).join()

    assert ("Greenlet-1", "runs to its end", True) in shown(fails(explore, scenario))


class Once:
    def __init__(self) -> None:
        self.made = 0

    def make(self) -> None:
        if self.made == 0:
            gevent.sleep(0)
            self.made += 1


def test_what_the_scenario_did_before_its_greenlets_stands_before_what_they_did() -> None:
    def scenario() -> None:
        once = Once()
        gevent.joinall([gevent.spawn(once.make) for _ in range(2)])
        assert once.made == 1

    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.explore(scenario)
    details: Any = caught.value.details
    texts = [step["text"] for step in details["steps"]]
    assert texts.index("self.made = 0") < texts.index("if self.made == 0:")


def get_from_a_queue() -> None:
    gevent.spawn(gevent.queue.Queue().get).join()


def join_a_queue() -> None:
    jobs = gevent.queue.JoinableQueue()
    jobs.put(1)
    gevent.spawn(jobs.join).join()


@pytest.mark.parametrize("scenario", [get_from_a_queue, join_a_queue])
def test_a_greenlet_that_waits_for_what_no_signal_can_end_is_a_deadlock(
    explore: Explore, scenario: Callable[[], Any]
) -> None:
    assert fails(explore, scenario).kind == "deadlock"


def test_greenlets_that_go_on_for_ever_are_a_livelock() -> None:
    def scenario() -> None:
        def spin() -> None:
            while True:
                gevent.sleep(0)

        gevent.joinall([gevent.spawn(spin), gevent.spawn(spin)])

    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.explore(scenario, schedules=1)
    assert caught.value.kind == "livelock"


def test_sockets_and_threads_of_gevent_are_refused() -> None:
    def connects() -> None:
        import gevent.socket

        gevent.socket.create_connection(("127.0.0.1", 1))

    def uses_threads() -> None:
        gevent.get_hub().threadpool.apply(len, ("a",))

    for scenario in (connects, uses_threads):
        with pytest.raises(headway.CannotControl, match=r"test_gevent\.py:\d+"):
            headway.explore(scenario)


def test_plain_greenlets_switch_as_they_are_told(explore: Explore) -> None:
    import greenlet

    def scenario() -> None:
        seen: list[str] = []
        main = greenlet.getcurrent()

        def work() -> None:
            seen.append("a")
            main.switch()
            seen.append("b")

        worker = greenlet.greenlet(work)
        worker.switch()
        seen.append("main")
        worker.switch()
        assert seen == ["a", "main", "b"]

    assert explore(scenario).exhausted


def test_a_token_replays_in_a_fresh_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import gevent, sys, headway\n"
        "def scenario():\n"
        "    seen = []\n"
        "    def say(word):\n"
        "        seen.append(word)\n"
        "        gevent.sleep(0)\n"
        "        seen.append(word)\n"
        "    gevent.joinall([gevent.spawn(say, word) for word in 'abc'])\n"
        "    assert ''.join(seen) != 'cbabca'\n"
        "try:\n"
        "    headway.replay(scenario, sys.argv[1]) if sys.argv[1:] else headway.explore(scenario)\n"
        "except headway.ScheduleFailure as failure:\n"
        "    print(failure.kind, failure.token)\n"
    )

    def run(*args: str) -> str:
        return subprocess.run(
            [sys.executable, str(program), *args], capture_output=True, text=True, check=True, timeout=60
        ).stdout

    first = run()
    kind, token = first.split()
    assert kind == "exception"
    assert run(token) == first


def test_hubs_are_real_again_afterwards() -> None:
    def use() -> tuple[str, object]:
        headway.explore(lambda: gevent.sleep(0), schedules=3)
        return type(gevent.get_hub().loop).__module__, gevent.spawn(len, "a").get()

    module, result = with_a_hub(use)
    assert not module.startswith("headway")
    assert result == 1


def test_executions_do_not_stay_in_memory(explore: Explore) -> None:
    def scenario() -> None:
        gevent.joinall([gevent.spawn(gevent.sleep, 0) for _ in range(2)])

    def count() -> int:
        gc.collect()
        return sum(type(each) is Execution for each in gc.get_objects())

    before = count()
    schedules = explore(scenario, schedules=20).schedules
    assert count() - before < schedules // 2  # a thread that is about to end may still have the last
