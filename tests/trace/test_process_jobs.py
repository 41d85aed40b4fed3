"""Jobs of process pools: their time in the queue and on a worker against what the program measured; how they end."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tracing import Report, Traced, close, states_s, trace, unnoticed

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def jobs(traced: Traced, function: str | None = None) -> list[Report]:
    return [
        unit for unit in traced.report["units"] if unit["kind"] == "job" and function in (None, unit["name"])
    ]


def row(traced: Traced, function: str) -> Report:
    found: Report
    (found,) = (one for one in traced.report["functions"] if one["name"] == function)
    return found


@pytest.fixture(scope="module", params=["fork", "spawn", "forkserver"])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    tmp_path = tmp_path_factory.mktemp(request.param)
    return trace("process_jobs", request.param, tmp_path=tmp_path)


@pytest.mark.parametrize("name", ["one", "two", "three", "four", "busy"])
def test_a_job_shows_when_it_was_submitted_begun_and_ended_and_where(known: Traced, name: str) -> None:
    at = ("one", "two", "three", "four").index(name) if name != "busy" else 0
    unit = jobs(known, "busy" if name == "busy" else "napping")[at]
    measured = known.said[name]
    zero_s = json.loads((known.directory / "trace.json").read_text())["start_ns"] / 1e9
    start, begun, end = (unit[key] + zero_s for key in ("start_s", "begun_s", "end_s"))

    # The function notes the times within those of the job: exact, however busy the machine is.
    assert measured["submitted"] <= start <= begun <= measured["begun"] + 1e-6
    assert measured["ended"] <= end + 1e-6
    assert unit["queue_s"] == pytest.approx(begun - start, abs=1e-5)
    assert unit["run_s"] == pytest.approx(end - begun, abs=1e-5)
    assert unit["states"]["ready"]["queue"] == unit["queue_s"]
    worker = known.unit(unit["carrier"])
    assert (worker["kind"], worker["pid"], worker["tid"]) == ("thread", measured["pid"], measured["pid"])
    assert unit["outcome"] == "done"


def test_what_a_job_waits_for_is_told_and_what_it_computes(known: Traced) -> None:
    (busy,) = jobs(known, "busy")

    assert all(unit["states"]["waiting"]["sleep"] >= 0.02 for unit in jobs(known, "napping") if unit["run_s"])
    assert busy["states"]["running"]["python"] >= 0.045
    assert busy["states"]["waiting"]["sleep"] == 0


def test_a_job_with_no_free_worker_is_in_the_queue_until_there_is_one(known: Traced) -> None:
    naps = sorted(jobs(known, "napping")[:4], key=lambda unit: unit["begun_s"])
    workers = {nap["carrier"] for nap in naps}

    for worker in workers:
        mine = [nap for nap in naps if nap["carrier"] == worker]
        for earlier, later in pairwise(mine):
            assert later["begun_s"] >= earlier["end_s"]
            assert close(later["queue_s"], earlier["end_s"] - later["start_s"], noise_s=0.01)
    assert len(workers) < len(naps)


def test_the_states_of_a_job_add_up_to_its_life(known: Traced) -> None:
    for unit in jobs(known):
        assert abs(states_s(unit) - (unit["end_s"] - unit["start_s"])) < 1e-6
        assert abs(unit["end_s"] - unit["start_s"] - unit["queue_s"] - unit["run_s"]) < 1e-6


def test_a_job_names_who_submitted_it_and_where(known: Traced) -> None:
    unit = jobs(known, "napping")[0]
    by_task = next(u for u in jobs(known, "napping") if known.unit(u["parent"])["kind"] == "task")
    (inner,) = jobs(known, "inner")

    assert known.name(unit["parent"]) == "main"
    assert unit["process"] == known.processes()[0]["id"]
    assert unit["created_at"].rsplit("/", 1)[1].startswith("process_jobs.py:")
    assert any(frame.endswith(":ProcessPoolExecutor.submit") for frame in unit["created_stack"])
    assert any(frame.endswith(":submitted") for frame in unit["created_stack"])
    assert known.name(by_task["parent"]) == "asks"
    # What a job submits in its worker is the job's.
    assert known.unit(inner["parent"])["kind"] == "job"
    assert known.name(inner["parent"]) == "outer"


def test_each_job_is_told_once(known: Traced) -> None:
    counts = {one["name"]: one["jobs"] for one in known.report["functions"]}

    assert len(jobs(known, "busy")) == counts["busy"] == 1
    assert len(jobs(known, "outer")) == counts["outer"] == 1
    assert sum(one["jobs"] for one in known.report["functions"]) == len(jobs(known))


def test_outcomes_are_told(known: Traced) -> None:
    assert known.said["failed"][:2] != ["NoneType", "NoneType"]
    assert [unit["outcome"] for unit in jobs(known, "fails")] == ["failed"]
    assert [unit["outcome"] for unit in jobs(known, "unpackable")] == ["failed"]
    never_packed = next(unit for unit in jobs(known) if unit["name"].endswith("<lambda>"))
    assert (never_packed["outcome"], never_packed["begun_s"], never_packed["carrier"]) == (
        "failed",
        None,
        None,
    )
    cancelled = [unit for unit in jobs(known, "napping") if unit["outcome"] == "cancelled"]
    assert len(cancelled) == known.said["cancelled"] > 0
    assert all(unit["begun_s"] is None and unit["run_s"] == 0 for unit in cancelled)


def test_the_function_of_a_chunk_of_a_map_is_the_one_that_it_maps(known: Traced) -> None:
    rows = [one for one in known.report["functions"] if one["name"] == "square"]

    assert sorted(one["jobs"] for one in rows) == [1, 2]
    assert all(one["function"].rsplit("/", 1)[1].startswith("process_jobs.py:") for one in rows)


def test_a_pool_is_told_with_its_workers(known: Traced) -> None:
    number = row(known, "busy")["pool"]
    (two,) = (pool for pool in known.report["pools"] if pool["id"] == number)

    assert (two["type"], two["kind"], two["size"], two["workers"]) == (
        "ProcessPoolExecutor",
        "processes",
        2,
        2,
    )
    assert (two["jobs"], two["begun"], two["ended"], two["not_told"]) == (6, 6, 6, 0)
    assert (two["queued"], two["running"], two["most_running"]) == (0, 0, 2)
    assert two["most_queued"] >= 3
    # Processes need not begin together.
    assert two["full_s"] >= 0.02
    assert two["several_s"] >= 0.02


def run(source: str, tmp_path: Path, **how: Any) -> Traced:
    head = "import os, sys, threading, time\nfrom concurrent.futures import ProcessPoolExecutor\n"
    head += "import multiprocessing\nfork = multiprocessing.get_context('fork')\n"
    return trace(head + source, tmp_path=tmp_path, **how)


def test_a_job_whose_worker_dies_has_not_ended(tmp_path: Path) -> None:
    traced = run(
        """
def fine(): pass
def dies(): os.kill(os.getpid(), 9)
def never(): pass
with ProcessPoolExecutor(1, mp_context=fork) as pool:
    pool.submit(fine).result()
    futures = [pool.submit(dies)] + [pool.submit(never) for _ in range(5)]
    print([type(future.exception()).__name__ for future in futures])
""",
        tmp_path,
    )

    (dies,) = jobs(traced, "dies")
    worker = traced.unit(traced.unit(dies["carrier"])["process"])
    assert dies["outcome"] is None
    assert dies["begun_s"] is not None
    assert dies["end_s"] == pytest.approx(worker["end_s"], abs=1e-3)
    assert [unit["outcome"] for unit in jobs(traced, "never")] == ["dropped"] * 5
    (one,) = traced.report["pools"]
    assert (one["jobs"], one["begun"], one["ended"], one["running"], one["queued"]) == (7, 2, 1, 0, 0)


def test_of_a_program_that_is_killed_the_jobs_are_as_they_were_then(tmp_path: Path) -> None:
    traced = run(
        """
def hangs(begun):
    begun.send(1)
    time.sleep(3600)
heard, says = fork.Pipe(duplex=False)
def starts(given):
    global says
    says = given
def work():
    hangs(says)
pool = ProcessPoolExecutor(2, mp_context=fork, initializer=starts, initargs=(says,))
futures = [pool.submit(work) for _ in range(5)]
heard.recv(), heard.recv()
for process in pool._processes.values():
    os.kill(process.pid, 9)
os.kill(os.getpid(), 9)
""",
        tmp_path,
    )

    assert traced.status == -signal.SIGKILL
    (one,) = traced.report["pools"]
    assert (one["begun"], one["ended"], one["queued"]) == (2, 0, 3)
    assert [unit["outcome"] for unit in jobs(traced)] == [None] * 5


def test_more_jobs_than_are_told_one_by_one_are_counted_by_function(tmp_path: Path) -> None:
    # A process that may have little address space tells few units one by one, so a few jobs are too many.
    traced = run(
        """
def first(): time.sleep(0.0001)
def second(): pass
with ProcessPoolExecutor(2, mp_context=fork) as pool:
    for _ in range(200):
        pool.submit(first)
        pool.submit(second)
""",
        tmp_path,
        first="ulimit -v 8000000",
    )

    told = len(jobs(traced))
    assert 0 < told < 400
    assert {one["name"]: one["jobs"] for one in traced.report["functions"]} == {"first": 200, "second": 200}
    assert row(traced, "first")["states"]["waiting"]["sleep"] >= 200 * 0.0001
    assert row(traced, "first")["run_s"] >= 200 * 0.0001
    assert row(traced, "first")["queue_s"] is None
    assert "queue" not in row(traced, "first")["states"]["ready"]
    (one,) = traced.report["pools"]
    assert (one["jobs"], one["ended"], one["not_told"]) == (told, told, 400 - told)


def test_shutting_down_cancels_what_was_not_sent(tmp_path: Path) -> None:
    traced = run(
        """
heard, says = fork.Pipe(duplex=False)
wait, go = fork.Pipe(duplex=False)
def held():
    says.send(1)
    wait.recv()
def never(): pass
pool = ProcessPoolExecutor(1, mp_context=fork)
pool.submit(held)
heard.recv()
waiting = [pool.submit(never) for _ in range(6)]
pool.shutdown(wait=False, cancel_futures=True)
while not waiting[-1].cancelled():
    time.sleep(0.001)
go.send(1)
print(sum(future.cancelled() or future.exception() is not None for future in waiting))
""",
        tmp_path,
    )

    outcomes = [unit["outcome"] for unit in jobs(traced, "never")]
    cancelled = int(traced.stdout)
    assert 3 <= cancelled <= 6
    assert outcomes == ["done"] * (6 - cancelled) + ["cancelled"] * cancelled


def test_a_worker_that_is_not_traced_leaves_what_it_did_unknown(tmp_path: Path) -> None:
    traced = run(
        """
def naps(): time.sleep(0.01)
if __name__ == "__main__":
    for name in ("LD_PRELOAD", "HEADWAY_TRACE_DIR"):
        os.environ.pop(name, None)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(naps).result()
""",
        tmp_path,
    )

    (unit,) = jobs(traced)
    assert (unit["queue_s"], unit["run_s"], unit["begun_s"], unit["outcome"]) == (None, None, None, "done")
    assert unit["states"]["unknown"] >= 0.01
    (one,) = traced.report["pools"]
    assert (one["jobs"], one["not_told"], one["workers"]) == (0, 1, 0)


def test_workers_that_end_after_some_jobs_are_followed_by_others(tmp_path: Path) -> None:
    traced = run(
        """
def pid(): return os.getpid()
if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn, max_tasks_per_child=2) as pool:
        # One after the other: with several at once CPython may wait for ever (gh-115634).
        print(*[pool.submit(pid).result() for _ in range(5)])
""",
        tmp_path,
    )

    pids = [int(text) for text in traced.stdout.split()]
    (one,) = traced.report["pools"]
    assert len(set(pids)) == one["workers"] == 3
    assert [traced.unit(unit["carrier"])["pid"] for unit in jobs(traced)] == pids


def test_a_worker_may_have_a_pool_of_its_own(tmp_path: Path) -> None:
    traced = run(
        """
def inner(): pass
def outer():
    with ProcessPoolExecutor(1, mp_context=fork) as pool:
        pool.submit(inner).result()
with ProcessPoolExecutor(1, mp_context=fork) as pool:
    for _ in range(2):
        pool.submit(outer).result()
""",
        tmp_path,
    )

    worker = {traced.unit(traced.unit(unit["carrier"])["process"])["id"] for unit in jobs(traced, "outer")}
    assert {unit["process"] for unit in jobs(traced, "inner")} == worker
    assert {traced.name(unit["parent"]) for unit in jobs(traced, "inner")} == {"outer"}
    assert len(traced.report["pools"]) == 3


def test_a_program_sees_the_pool_that_it_always_saw(tmp_path: Path) -> None:
    source = """
import gc, inspect, multiprocessing, os, pickle, weakref, _pickle
from concurrent.futures import ProcessPoolExecutor
import concurrent.futures.process as module
fork = multiprocessing.get_context("fork")
gc.disable()
class Thing:
    pass
def work(thing):
    return Thing()
def fails():
    raise KeyError(1)
print(repr(_pickle.loads), repr(_pickle.Pickler.dump), repr(os.write), inspect.signature(ProcessPoolExecutor.submit))
with ProcessPoolExecutor(1, mp_context=fork) as pool:
    given = Thing()
    future = pool.submit(work, given)
    refs = [weakref.ref(future), weakref.ref(future.result()), weakref.ref(given)]
    del future, given
    pool.submit(int).result()
    pool.submit(int).result()
    print([ref() for ref in refs])
    try:
        pool.submit(fails).result()
    except KeyError as error:
        print(repr(error), error.__cause__)
    print(repr(pool.submit(lambda: None).exception())[:40])
queue = weakref.ref(pool._call_queue) if pool._call_queue else None
print(queue)
try:
    pickle.dumps(module)
except TypeError as error:
    print(error, error.__context__)
read, write = os.pipe()
print(os.write(write, bytes(4)), os.write(write, b""), os.read(read, 9))
print(pickle.loads(pickle.dumps((1, None, "_CallItem"))))
"""
    unnoticed(source, tmp_path=tmp_path)


def test_classes_of_a_program_s_own_that_have_these_names_are_left_alone(tmp_path: Path) -> None:
    traced = run(
        """
import pickle
class _CallItem:
    work_id = 1
class _ResultItem:
    work_id = 1
queue = fork.Queue()
for item in (_CallItem(), _ResultItem(), None):
    queue.put(item)
    queue.get()
pickle.loads(pickle.dumps(_CallItem()))
""",
        tmp_path,
    )

    assert traced.report["pools"] == []
    assert jobs(traced) == []
