"""Each finding is found where it is, and not where it is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headway.trace.format import NOBODY, Kind
from headway.trace.report import as_dict
from synthetic import MS, T0, FakeProcess, FakeTrace


def findings(fake: FakeTrace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = as_dict(fake.write())["findings"]
    return found


def take_turns(process: FakeProcess, threads: int, span_ms: int, hold_ms: int, *, stack: int = 0) -> None:
    """Threads that compute, `hold_ms` at a time, each waiting for the GIL while another has it."""
    for number in range(threads):
        thread = process.thread(f"worker-{number}", at_ns=T0)
        if number:
            thread.then(Kind.GIL, number * hold_ms * MS)
        while thread.at_ns < T0 + span_ms * MS:
            thread.then(Kind.PYTHON, hold_ms * MS, 0, stack)
            thread.then(Kind.GIL, (threads - 1) * hold_ms * MS)
        thread.ends()


@pytest.fixture
def fake(tmp_path: Path) -> FakeTrace:
    return FakeTrace(tmp_path, end_ns=T0 + 1000 * MS, cpu_s=1.0)


# --- gil-bound


def test_threads_that_compute_in_turns_are_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    stack = process.stack(
        ("/usr/lib/python3.11/json/decoder.py", 353, "raw_decode"),
        ("/home/me/app/crunch.py", 7, "parse"),
        hold_ns=900 * MS,
        hold_count=180,
    )
    process.stack(("/home/me/app/crunch.py", 90, "other"), hold_ns=100 * MS, hold_count=20)
    process.thread().then(Kind.PYTHON, 10 * MS).then(Kind.JOIN, 990 * MS).ends()
    take_turns(process, 3, 990, 5, stack=stack)
    (found,) = findings(fake)
    assert found["kind"] == "gil-bound"
    assert found["severity"] == "warning"
    assert found["sentence"].startswith("3 threads waited ")
    assert "1.00 of 2 cores used" in found["sentence"]
    assert sorted(found["units"]) == [3, 4, 5]
    assert found["where"][0] == "/home/me/app/crunch.py:7"
    assert "90 % of the time in long holds ended in parse (in raw_decode) at crunch.py:7" in found["evidence"]
    # 1 s of Python by three workers and a little by main, on 2 cores
    assert found["evidence"][-1] == (
        "estimate: in processes, on 2 cores, 1.00 s would be 500 ms at best, without what it takes to send the work"
    )
    assert "processes" in found["advice"]
    assert "parse" in found["advice"]


def test_what_is_advised_to_be_moved_is_the_program_s_own(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    stack = process.stack(
        ("<frozen importlib._bootstrap>", 147, "_path_stat"), hold_ns=900 * MS, hold_count=180
    )
    take_turns(process, 3, 990, 5, stack=stack)
    (found,) = findings(fake)
    assert any(
        "ended in _path_stat at <frozen importlib._bootstrap>:147" in told for told in found["evidence"]
    )
    assert found["advice"].startswith("run the computing part in processes")


def test_of_many_short_threads_all_that_waited_are_counted(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    process.thread().then(Kind.PYTHON, 300 * MS).then(Kind.GIL, 20 * MS).then(Kind.JOIN, 680 * MS).ends()
    for number in range(120):
        process.thread(f"short-{number}", at_ns=T0 + 8 * number * MS).then(Kind.GIL, 8 * MS).then(
            Kind.PYTHON, 5 * MS
        ).ends()
    process.thread("long", at_ns=T0).then(Kind.PYTHON, 100 * MS).ends()
    (found,) = findings(fake)
    # Each of them waited for less than a hundredth of it: `main` and 114 others for 95 %.
    assert found["sentence"].startswith("115 threads waited 980 ms for the GIL in 1.00 s")
    assert len(found["units"]) == 115


def test_one_thread_that_computes_is_not_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    process.thread().then(Kind.PYTHON, 1000 * MS).ends()
    monitor = process.thread("monitor", at_ns=T0)
    for _ in range(9):  # a progress bar beside a busy thread: it waits one switch interval at each tick
        monitor.then(Kind.SLEEP, 95 * MS).then(Kind.GIL, 5 * MS).then(Kind.PYTHON, MS)
    monitor.ends()
    assert findings(fake) == []


def test_a_busy_thread_that_holds_up_one_that_hardly_runs_is_not_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    process.thread().then(Kind.PYTHON, 980 * MS).ends()
    process.thread("idle", at_ns=T0).then(Kind.GIL, 980 * MS).then(Kind.PYTHON, 20 * MS).ends()
    assert findings(fake) == []


def test_threads_that_mostly_wait_for_io_are_not_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    for number in range(4):
        thread = process.thread(f"fetch-{number}", at_ns=T0)
        for _ in range(50):
            thread.then(Kind.IO, 17 * MS, 5, 0, 1).then(Kind.GIL, MS).then(Kind.PYTHON, 2 * MS)
        thread.ends()
    assert findings(fake) == []


def test_threads_that_hand_work_to_each_other_are_not_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    for number in range(2):
        thread = process.thread(f"player-{number}", at_ns=T0)
        for _ in range(100):
            thread.then(Kind.GIL, 2 * MS).then(Kind.PYTHON, 3 * MS).then(Kind.QUEUE, 5 * MS, NOBODY)
        thread.ends()
    assert findings(fake) == []


def test_threads_that_run_native_code_are_not_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    for number in range(2):
        thread = process.thread(f"numpy-{number}", at_ns=T0)
        for _ in range(100):
            thread.then(Kind.NATIVE, 9 * MS).then(Kind.PYTHON, MS)
        thread.ends()
    assert findings(fake) == []


def test_a_short_program_is_not_judged(fake: FakeTrace) -> None:
    fake.end_ns = T0 + 50 * MS
    take_turns(fake.process(end_ns=T0 + 50 * MS), 3, 40, 5)
    assert findings(fake) == []


def test_on_one_core_nothing_is_gil_bound(fake: FakeTrace) -> None:
    fake.cores = 1
    take_turns(fake.process(end_ns=T0 + 1000 * MS), 3, 900, 5)
    assert findings(fake) == []


def test_on_a_machine_that_is_busy_with_something_else_nothing_is_gil_bound(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    for number in range(2):
        thread = process.thread(f"worker-{number}", at_ns=T0)
        for _ in range(20):
            thread.then(Kind.GIL, 10 * MS).then(Kind.PYTHON, 40 * MS)
        thread.off_core(T0, T0 + 1000 * MS, ready=700 * MS, other=0).ends()
    assert findings(fake) == []


# --- lock-convoy


def convoy(
    fake: FakeTrace, *, waits: int = 20, wait_ms: int = 40, kind: Kind = Kind.LOCK, owner: int = 0
) -> None:
    """A refresher that sleeps under a lock, and two readers that wait for it."""
    process = fake.process(end_ns=T0 + 1000 * MS)
    made = process.stack(("/home/me/app/cache.py", 12, "Cache.__init__"))
    sleeps = process.stack(
        ("/home/me/app/cache.py", 31, "Cache.refill"), ("/home/me/app/cache.py", 22, "Cache.get")
    )
    waiting = process.stack(("/home/me/app/cache.py", 20, "Cache.get"), ("/home/me/app/app.py", 5, "read"))
    lock = process.lock(
        kind, made=made, release_stack=sleeps, longest_hold_ns=45 * MS, longest_hold_slot=0, foreign_posts=0
    )
    holder = process.thread()
    for turn in range(20):
        holder.then(Kind.PYTHON, 5 * MS).then(Kind.SLEEP, 45 * MS, 0, sleeps)
        if turn < waits // 2:
            holder.releases(lock, wait_ms * MS, sleeps)
    holder.ends()
    for number in range(2):
        reader = process.thread(f"reader-{number}", at_ns=T0)
        for _ in range(waits // 2):
            reader.then(Kind.PYTHON, 5 * MS)
            reader.wait(kind, wait_ms * MS, lock, owner=owner, waker=owner, stack=waiting)
        reader.then(Kind.SLEEP, T0 + 1000 * MS - reader.at_ns).ends()


def test_threads_that_queue_up_at_a_lock_are_a_convoy(fake: FakeTrace) -> None:
    convoy(fake)
    (found,) = findings(fake)
    assert found["kind"] == "lock-convoy"
    assert found["sentence"] == (
        "2 threads waited 800 ms in 20 waits for the lock made at cache.py:12, held by `main`"
    )
    assert found["evidence"][0] == "held longest by Cache.refill at cache.py:31, 45.0 ms"
    assert found["evidence"][1].startswith("meanwhile the holder slept 400 ms (cache.py:31)")
    assert found["where"] == ["/home/me/app/cache.py:31", "/home/me/app/cache.py:20"]
    assert found["locks"] == [1]
    assert found["units"] == [2, 3, 4]
    assert "slow call" in found["advice"]


def test_of_many_short_holds_only_what_was_held_counts(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 1000 * MS)
    lock = process.lock(Kind.LOCK, longest_hold_slot=0)
    holder = process.thread()
    for _ in range(20):
        holder.then(Kind.PYTHON, 10 * MS).then(Kind.GIL, 40 * MS).releases(lock, 50 * MS, 0, 5 * MS, 1000)
    holder.ends()
    reader = process.thread("reader", at_ns=T0)
    for _ in range(20):
        reader.wait(Kind.LOCK, 50 * MS, lock, owner=0, waker=0)
    reader.ends()
    (found,) = findings(fake)
    assert found["evidence"] == ["meanwhile the holder waited for the GIL 80.0 ms, ran Python 20.0 ms"]


def test_a_gate_that_holds_threads_back_once_is_no_convoy(fake: FakeTrace) -> None:
    convoy(fake, waits=2, wait_ms=500)
    assert findings(fake) == []


def test_a_lock_that_costs_little_is_no_convoy(fake: FakeTrace) -> None:
    convoy(fake, waits=20, wait_ms=4)
    assert findings(fake) == []


@pytest.mark.parametrize("kind", [Kind.QUEUE, Kind.CONDITION, Kind.EVENT, Kind.JOIN, Kind.FUTURE])
def test_the_inner_lock_of_another_thing_is_no_convoy(fake: FakeTrace, kind: Kind) -> None:
    convoy(fake, kind=kind)
    assert findings(fake) == []


def test_a_lock_of_which_the_holder_is_not_known_is_no_convoy(fake: FakeTrace) -> None:
    convoy(fake, owner=0xFFFFFFFF)
    assert findings(fake) == []


def test_a_lock_that_is_used_as_a_signal_is_no_convoy(fake: FakeTrace) -> None:
    convoy(fake)
    fake.processes[0].locks[0]["foreign_posts"] = 20
    assert findings(fake) == []


def test_a_deadlock_is_no_convoy(fake: FakeTrace) -> None:
    process = fake.process(end_ns=None)
    fake.exit = -2
    for number in range(2):
        lock = process.lock()
        thread = process.thread(f"t{number}", at_ns=T0).then(Kind.PYTHON, 5 * MS)
        thread.stays(Kind.LOCK, lock, 0, 1 - number)
    assert findings(fake) == []


# --- oversubscribed


def stand_in_line(fake: FakeTrace, processes: int, cores: int, span_ms: int = 1000) -> None:
    """Processes that compute on some cores, each its turn of 10 ms; the rest of the time they are in line."""
    main = fake.process(end_ns=T0 + 1000 * MS)
    main.thread().then(Kind.PROCESS, 1000 * MS).ends()
    for number in range(processes):
        process = fake.process(pid=200 + number, ppid=100, parent_start_ns=T0, end_ns=T0 + span_ms * MS)
        thread = process.thread(at_ns=T0)
        turn = 10 * processes * MS // cores
        while thread.at_ns < T0 + span_ms * MS:
            start = thread.at_ns
            thread.then(Kind.PYTHON, turn)
            thread.off_core(start, start + turn, turn - 10 * MS, 0)
        thread.ends()


def test_far_more_workers_than_cores_are_oversubscribed(fake: FakeTrace) -> None:
    stand_in_line(fake, processes=8, cores=2)
    (found,) = findings(fake)
    assert found["kind"] == "oversubscribed"
    assert found["sentence"] == (
        "8.00 threads at a time wanted to run on 2 cores, for 1.00 s; together they stood 6.00 s in line for one"
    )
    assert found["evidence"] == ["these are 8 threads of 8 processes; the program used 2.00 cores meanwhile"]
    assert found["advice"].startswith("have as many workers as cores, 2 here")
    assert len(found["units"]) == 8


def test_a_part_of_the_run_that_is_oversubscribed_is_found(fake: FakeTrace) -> None:
    stand_in_line(fake, processes=8, cores=2, span_ms=240)
    (found,) = findings(fake)
    assert found["sentence"].startswith("8.00 threads at a time wanted to run on 2 cores, for 240 ms")


@pytest.mark.parametrize(
    ("processes", "cores", "span_ms"),
    [
        pytest.param(3, 2, 1000, id="one worker more than cores"),
        pytest.param(8, 1, 1000, id="others have the other cores"),
        pytest.param(8, 2, 120, id="for a moment"),
    ],
)
def test_no_program_is_oversubscribed_that_is_not(
    fake: FakeTrace, processes: int, cores: int, span_ms: int
) -> None:
    stand_in_line(fake, processes, cores, span_ms)
    assert findings(fake) == []


def test_the_advice_is_about_the_threads_of_a_library_where_these_stand_in_line(fake: FakeTrace) -> None:
    main = fake.process(end_ns=T0 + 1000 * MS)
    main.thread().then(Kind.PROCESS, 1000 * MS).ends()
    for number in range(2):
        process = fake.process(pid=200 + number, ppid=100, parent_start_ns=T0, end_ns=T0 + 1000 * MS)
        for worker in range(4):
            thread = process.thread(at_ns=T0) if not worker else process.thread(at_ns=T0, flags=0)
            thread.then(Kind.NATIVE, 1000 * MS).off_core(T0, T0 + 1000 * MS, 750 * MS, 0, 1).ends()
    (found,) = findings(fake)
    assert found["evidence"][1] == "75 % of the waiting was of threads that never ran Python, as of a BLAS"
    assert "threadpoolctl" in found["advice"]
