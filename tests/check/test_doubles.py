"""The doubles behave as what they stand for: each scenario here holds under every schedule, as it would for real."""

import functools
import queue
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Future,
    ThreadPoolExecutor,
    _base,
    as_completed,
    wait,
)
from typing import Any

import pytest

from headway import ScheduleFailure, explore

SCENARIOS: list[Callable[[], None]] = []


OBJECTS_ARE_LOOKED_AT = True
"""Of this module, too: what its functions and classes keep is found that way."""


def holds(scenario: Callable[[], None]) -> Callable[[], None]:
    SCENARIOS.append(scenario)
    return scenario


def run(*parts: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@holds
def who_waits_for_an_event_is_woken_by_a_pulse() -> None:
    event, waits = threading.Event(), threading.Lock()
    waits.acquire()

    def waiter() -> None:
        assert event.wait(5)

    thread = threading.Thread(target=waiter)
    thread.start()
    time.sleep(1)  # by then it waits
    event.set()
    event.clear()
    thread.join()


@holds
def an_event_times_out_when_nothing_can_run() -> None:
    before = time.monotonic()
    assert not threading.Event().wait(2.5)
    assert time.monotonic() - before == pytest.approx(2.5)
    assert not threading.Event().wait(0)


@holds
def a_lock_times_out() -> None:
    lock = threading.Lock()
    with lock:
        assert not lock.acquire(timeout=1)
        assert not lock.acquire(blocking=False)
        assert lock.locked()
    assert not lock.locked()
    with pytest.raises(RuntimeError, match="release unlocked lock"):
        lock.release()
    with pytest.raises(ValueError, match="can't specify a timeout"):
        lock.acquire(False, 1)
    with pytest.raises(OverflowError):
        lock.acquire(timeout=1e100)


@holds
def a_lock_may_be_released_by_another_thread() -> None:
    lock = threading.Lock()
    lock.acquire()
    run(lock.release)
    assert lock.acquire(blocking=False)


@holds
def an_rlock_belongs_to_its_thread() -> None:
    lock = threading.RLock()
    seen: list[bool] = []
    with lock, lock:
        run(lambda: seen.append(lock.acquire(blocking=False)))
        assert seen == [False]
    run(lambda: seen.append(lock.acquire(blocking=False)))
    assert seen == [False, True]


@holds
def a_condition_wakes_in_the_order_of_waiting() -> None:
    condition = threading.Condition()
    waiting: list[str] = []
    woken: list[str] = []

    def waiter(name: str) -> None:
        with condition:
            waiting.append(name)
            condition.wait()
            woken.append(name)

    threads = [threading.Thread(target=waiter, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    while True:
        with condition:
            if len(waiting) == 2:
                condition.notify()
                break
        time.sleep(0.1)
    time.sleep(1)
    assert woken == waiting[:1]
    with condition:
        condition.notify_all()
    for thread in threads:
        thread.join()
    assert woken == waiting


@holds
def a_condition_needs_its_lock() -> None:
    condition = threading.Condition()
    for call in (condition.wait, condition.notify, condition.notify_all):
        with pytest.raises(RuntimeError, match="un-acquired lock"):
            call()
    with condition:
        assert not condition.wait(1)
        assert not condition.wait_for(lambda: False, timeout=1)
        assert condition.wait_for(lambda: True)


@holds
def a_semaphore_counts() -> None:
    semaphore, inside, most = threading.Semaphore(2), [0], [0]
    lock = threading.Lock()

    def enter() -> None:
        with semaphore:
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1

    run(enter, enter, enter)
    assert most[0] <= 2
    bounded = threading.BoundedSemaphore(1)
    with pytest.raises(ValueError, match="released too many times"):
        bounded.release()


@holds
def a_barrier_lets_all_pass_together() -> None:
    barrier, before, after = threading.Barrier(2), [], []

    def part() -> None:
        before.append(1)
        barrier.wait()
        assert len(before) == 2
        after.append(1)

    run(part, part)
    assert len(after) == 2
    with pytest.raises(threading.BrokenBarrierError):
        barrier.wait(timeout=1)


@holds
def queues_hand_each_item_over_once() -> None:
    kinds: list[Any] = [queue.Queue(1), queue.LifoQueue(), queue.PriorityQueue(), queue.SimpleQueue()]
    for made in kinds:
        _hands_over(made)


def _hands_over(items: Any) -> None:
    got: list[int] = []
    put = [functools.partial(items.put, number) for number in (1, 2)]
    run(*put, lambda: got.extend((items.get(), items.get())))
    assert sorted(got) == [1, 2]
    with pytest.raises(queue.Empty):
        items.get(timeout=1)
    with pytest.raises(queue.Empty):
        items.get_nowait()


@holds
def a_timer_fires_or_is_cancelled() -> None:
    fired: list[int] = []
    first = threading.Timer(1, fired.append, args=(1,))
    second = threading.Timer(2, fired.append, args=(2,))
    first.start()
    second.start()
    first.join()
    second.cancel()
    second.join()
    assert fired == [1]


@holds
def thread_locals_are_of_each_thread() -> None:
    class Own(threading.local):
        def __init__(self, start: int) -> None:
            self.number = start

    plain, own = threading.local(), Own(7)
    plain.name = "main"

    def part() -> None:
        assert not hasattr(plain, "name")
        assert own.number == 7
        own.number += 1
        plain.name = "part"
        assert (plain.name, own.number, vars(plain)) == ("part", 8, {"name": "part"})

    run(part, part)
    assert (plain.name, own.number) == ("main", 7)


@holds
def threads_know_themselves() -> None:
    seen: dict[str, Any] = {}

    def part() -> None:
        me = threading.current_thread()
        seen[me.name] = (me.ident == threading.get_ident(), me.is_alive(), me in threading.enumerate())

    threads = [threading.Thread(target=part, name=name) for name in "ab"]
    for thread in threads:
        assert (thread.ident, thread.is_alive()) == (None, False)
        thread.start()
        with pytest.raises(RuntimeError, match="can only be started once"):
            thread.start()
    for thread in threads:
        thread.join(timeout=5)
        assert not thread.is_alive()
    assert seen == {"a": (True, True, True), "b": (True, True, True)}
    with pytest.raises(RuntimeError, match="cannot join thread before it is started"):
        threading.Thread().join()
    with pytest.raises(RuntimeError, match="cannot join current thread"):
        threading.current_thread().join()
    assert threading.current_thread() is threading.main_thread()


@holds
def a_subclass_of_thread_runs() -> None:
    class Squarer(threading.Thread):
        def __init__(self, number: int) -> None:
            super().__init__(daemon=True)
            self.number = number
            self.square = 0

        def run(self) -> None:
            self.square = self.number**2

    squarer = Squarer(3)
    squarer.start()
    squarer.join()
    assert squarer.square == 9


@holds
def a_pool_gives_its_results() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(abs, [-1, -2])) == [1, 2]
        futures = [pool.submit(pow, 2, number) for number in (2, 3)]
        assert sorted(future.result() for future in as_completed(futures, timeout=5)) == [4, 8]
        failing = pool.submit(divmod, 1, 0)
        assert isinstance(failing.exception(), ZeroDivisionError)
        slow = pool.submit(time.sleep, 10)
        both: list[Future[Any]] = [slow, futures[0]]
        done, _ = wait(both, return_when=FIRST_COMPLETED)
        assert futures[0] in done
        with pytest.raises(TimeoutError):
            slow.result(timeout=1)


@holds
def a_cancelled_future_does_not_run() -> None:
    ran: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 1)
        later = pool.submit(ran.append, 1)
        if later.cancel():
            with pytest.raises(CancelledError):
                later.result()
    assert ran == ([] if later.cancelled() else [1])


@holds
def a_pool_that_nobody_shuts_down_is_no_deadlock() -> None:
    assert ThreadPoolExecutor(1).submit(abs, -1).result() == 1


@holds
def they_look_like_what_they_stand_for() -> None:
    assert re.fullmatch(r"<unlocked _thread.lock object at 0x\w+>", repr(threading.Lock()))
    assert re.fullmatch(r"<unlocked _thread.RLock object owner=0 count=0 at 0x\w+>", repr(threading.RLock()))
    assert re.fullmatch(r"<threading.Event at 0x\w+: unset>", repr(threading.Event()))
    assert re.fullmatch(r"<threading.Semaphore at 0x\w+: value=3>", repr(threading.Semaphore(3)))


@pytest.mark.parametrize("carrier", ["threads", "greenlets"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_it_holds_under_every_schedule(scenario: Callable[[], None], carrier: str) -> None:
    explore(scenario, carrier=carrier, granularity="sync", schedules=100)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_it_holds_at_each_access(scenario: Callable[[], None]) -> None:
    explore(scenario, schedules=60)


HANDS = threading.RLock()
TABLE = {"lock": threading.Lock(), "locals": threading.local()}


def test_locks_that_were_made_before_are_under_control_and_put_back() -> None:
    before = (HANDS, TABLE["lock"], TABLE["locals"])

    def scenario() -> None:
        lock: Any = TABLE["lock"]

        def one() -> None:
            with HANDS, lock:
                pass

        def other() -> None:
            with lock, HANDS:
                pass

        run(one, other)

    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario)
    assert caught.value.kind == "deadlock"
    assert (HANDS, TABLE["lock"], TABLE["locals"]) == before


def test_doubles_that_outlive_an_exploration_are_real() -> None:
    kept: dict[str, Any] = {}

    def scenario() -> None:
        kept.update(
            lock=threading.Lock(), rlock=threading.RLock(), event=threading.Event(), queue=queue.Queue(),
            simple=queue.SimpleQueue(), condition=threading.Condition(), semaphore=threading.Semaphore(0),
        )  # fmt: skip
        kept["lock"].acquire()

    explore(scenario, schedules=1)
    with kept["lock"], kept["rlock"], kept["condition"]:
        assert not kept["condition"].wait(0.01)
    threading.Timer(0.01, kept["event"].set).start()
    assert kept["event"].wait(30)
    threading.Timer(0.01, kept["queue"].put, args=(1,)).start()
    assert kept["queue"].get(timeout=30) == 1
    kept["simple"].put(2)
    assert kept["simple"].get(timeout=30) == 2
    threading.Timer(0.01, kept["semaphore"].release).start()
    assert kept["semaphore"].acquire(timeout=30)


def test_futures_are_waited_for_in_the_order_of_their_births() -> None:
    orders: dict[str, set[tuple[int, ...]]] = {"done": set(), "completed": set()}
    kept: list[object] = []

    class Other:
        pass

    def scenario() -> None:
        # What is kept of each execution, and is not the same, lets addresses come in any order.
        kept.append([Other() for _ in range(len(kept) % 7)])
        futures = [Future[int]() for _ in range(9)]
        kept.append(futures[:: len(kept) % 3 + 1])
        for number, future in enumerate(futures):
            future.set_result(number)
        scattered = sorted(futures, key=lambda future: object.__hash__(future) // 16 % 11)
        orders["done"].add(tuple(future.result() for future in wait(scattered)[0]))
        orders["completed"].add(tuple(future.result() for future in as_completed(scattered)))

    def several() -> None:
        thread = threading.Thread(target=scenario)
        thread.start()
        thread.join()

    before = (Future.__hash__, Future.__init__, vars(_base).get("id"))
    explore(several, granularity="sync", strategy="walk", schedules=50)
    assert [len(each) for each in orders.values()] == [1, 1]
    assert (Future.__hash__, Future.__init__, vars(_base).get("id")) == before
