"""Jobs of executors: their time in the queue and on a worker against what the program measured, and how they end."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tracing import Report, Traced, close, states_s, trace, unnoticed

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def jobs(traced: Traced, function: str | None = None) -> list[Report]:
    return [
        unit for unit in traced.report["units"] if unit["kind"] == "job" and function in (None, unit["name"])
    ]


def pool(traced: Traced, name: str) -> Report:
    found: Report
    (found,) = (one for one in traced.report["pools"] if one["name"] == name)
    return found


def of_pool(traced: Traced, name: str) -> list[Report]:
    number = pool(traced, name)["id"]
    return [one for one in traced.report["functions"] if one["pool"] == number]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("jobs", tmp_path=tmp_path_factory.mktemp("jobs"))


@pytest.mark.parametrize("at", range(4))
def test_a_job_shows_when_it_was_submitted_begun_and_ended(known: Traced, at: int) -> None:
    name = ("one", "two", "three", "four")[at]
    unit = jobs(known, "napping")[at]
    measured = known.said[name]
    zero_s = json.loads((known.directory / "trace.json").read_text())["start_ns"] / 1e9
    start, begun, end = (unit[key] + zero_s for key in ("start_s", "begun_s", "end_s"))

    # The function notes the times within those of the job: exact, however busy the machine is.
    assert measured["submitted"] <= start <= begun <= measured["begun"] + 1e-6
    assert measured["ended"] <= end + 1e-6
    assert unit["queue_s"] == pytest.approx(begun - start, abs=1e-5)
    assert unit["run_s"] == pytest.approx(end - begun, abs=1e-5)
    assert unit["states"]["ready"]["queue"] == unit["queue_s"]
    # On a busy machine part of the 50 ms is over before the thread gets to sleep.
    assert unit["states"]["waiting"]["sleep"] >= 0.02
    assert known.name(unit["carrier"]) == known.said["workers"][at]


def test_a_job_with_no_free_worker_is_in_the_queue_until_there_is_one(known: Traced) -> None:
    first, _, third, _ = jobs(known, "napping")[:4]

    assert third["queue_s"] >= 0.04
    assert close(third["start_s"] + third["queue_s"], first["end_s"], noise_s=0.01)


def test_a_job_that_computes_runs_python(known: Traced) -> None:
    (unit,) = jobs(known, "busy")

    assert unit["states"]["running"]["python"] >= 0.045
    assert unit["states"]["waiting"]["sleep"] == 0


def test_the_states_of_a_job_add_up_to_its_life(known: Traced) -> None:
    for unit in jobs(known):
        assert abs(states_s(unit) - (unit["end_s"] - unit["start_s"])) < 1e-6
        assert abs(unit["end_s"] - unit["start_s"] - unit["queue_s"] - unit["run_s"]) < 1e-6


def test_a_job_names_who_submitted_it_and_where(known: Traced) -> None:
    unit = jobs(known, "napping")[0]
    (inner,) = jobs(known, "inner")
    by_tasks = [unit for unit in jobs(known) if known.unit(unit["parent"])["kind"] == "task"]

    assert known.name(unit["parent"]) == "main"
    assert unit["created_at"].rsplit("/", 1)[1].startswith("jobs.py:")
    assert unit["created_stack"][0].endswith(":ThreadPoolExecutor.submit")
    assert unit["created_stack"][1].endswith(":submitted")
    assert known.name(inner["parent"]) == "outer"
    assert known.name(by_tasks[0]["parent"]) == "asks"
    assert known.unit(by_tasks[1]["parent"])["coroutine"].endswith(":on_a_loop")


def test_outcomes_are_told(known: Traced) -> None:
    def ends(name: str) -> list[tuple[str, int, int, int]]:
        rows = of_pool(known, name)
        return sorted((row["name"], row["jobs"], row["failed"], row["cancelled"]) for row in rows)

    (one,) = (p["name"] for p in known.report["pools"] if p["name"] and p["name"].startswith("ThreadPool"))
    assert ends(one) == [("fails", 1, 1, 0), ("held", 1, 0, 0), ("napping", 3, 0, 3)]
    assert ends("shut") == [("held", 1, 0, 0), ("napping", 4, 0, 4)]
    assert all(unit["outcome"] == "failed" for unit in jobs(known, "fails"))
    assert all(
        unit["carrier"] is None
        for unit in jobs(known, "napping")
        if unit["outcome"] == "cancelled" and unit["run_s"] == 0
    )


def test_functions_have_the_names_that_people_give_them(known: Traced) -> None:
    rows = {row["name"]: row["function"] for row in of_pool(known, "kinds")}

    assert set(rows) == {
        "Method.call",
        "Method",
        "napping",
        "time.monotonic",
        "list.copy",
        "kinds_of_functions.<locals>.<lambda>",
    }
    assert rows["time.monotonic"] == "time.monotonic"
    assert rows["napping"].rsplit("/", 1)[1].startswith("jobs.py:")


def test_jobs_of_a_loop_s_executor_are_those_of_any(known: Traced) -> None:
    (row,) = of_pool(known, "loop")

    assert (row["name"], row["jobs"]) == ("napping", 2)


def test_a_pool_is_told_with_its_workers(known: Traced) -> None:
    two = pool(known, "two")

    assert (two["type"], two["size"], two["workers"]) == ("ThreadPoolExecutor", 2, 2)
    assert (two["jobs"], two["begun"], two["ended"]) == (5, 5, 5)
    assert two["most_running"] == 2
    assert two["most_queued"] >= 2
    assert two["full_s"] >= 0.04
    assert two["several_s"] >= 0.08


def run(source: str, tmp_path: Path, **how: Any) -> Traced:
    head = "import threading, time, sys, os\nfrom concurrent.futures import ThreadPoolExecutor\n"
    return trace(head + source, tmp_path=tmp_path, **how)


def test_more_jobs_than_are_told_one_by_one_are_counted_by_function(tmp_path: Path) -> None:
    # A process that may have little address space tells few units one by one, so a few jobs are too many.
    traced = run(
        """
def first(): pass
def second(): pass
with ThreadPoolExecutor(4) as pool:
    for _ in range(200):
        pool.submit(first)
        pool.submit(second)
""",
        tmp_path,
        first="ulimit -v 8000000",
    )

    assert {row["name"]: row["jobs"] for row in traced.report["functions"]} == {"first": 200, "second": 200}
    (one,) = traced.report["pools"]
    assert (one["jobs"], one["ended"], one["not_told"], one["queued"]) == (400, 400, 0, 0)
    assert 0 < len(jobs(traced)) < 400


def test_of_a_program_that_is_killed_the_jobs_are_as_they_were_then(tmp_path: Path) -> None:
    traced = run(
        """
begun = threading.Barrier(3)
def hangs():
    begun.wait()
    time.sleep(3600)
pool = ThreadPoolExecutor(2)
for _ in range(5):
    pool.submit(hangs)
begun.wait()
os.kill(os.getpid(), 9)
""",
        tmp_path,
    )

    assert traced.status == -signal.SIGKILL
    (one,) = traced.report["pools"]
    assert (one["running"], one["queued"], one["begun"], one["ended"]) == (2, 3, 2, 0)
    assert [unit["outcome"] for unit in jobs(traced)] == [None] * 5
    assert [unit["end_s"] is None for unit in jobs(traced)].count(True) in (0, 5)


def test_a_forked_child_has_its_own_jobs(tmp_path: Path) -> None:
    traced = run(
        """
def parents(): pass
def childs(): pass
with ThreadPoolExecutor(2) as pool:
    pool.submit(parents).result()
pid = os.fork()
if pid == 0:
    with ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            pool.submit(childs).result()
    os._exit(0)
os.waitpid(pid, 0)
""",
        tmp_path,
    )

    counts = {row["name"]: (row["process"], row["jobs"]) for row in traced.report["functions"]}
    one, two = (unit["id"] for unit in traced.processes())
    assert counts == {"parents": (one, 1), "childs": (two, 3)}


def test_queues_of_a_program_s_own_are_left_alone(tmp_path: Path) -> None:
    traced = run(
        """
import queue
class _WorkItem: pass
q = queue.SimpleQueue()
q.put(_WorkItem()); q.put(item=1); q.get(); q.get_nowait()
try:
    q.get_nowait()
except queue.Empty:
    pass
""",
        tmp_path,
    )

    assert traced.report["pools"] == []
    assert jobs(traced) == []


def test_results_and_arguments_die_when_they_did(tmp_path: Path) -> None:
    source = """
import gc, threading, weakref
from concurrent.futures import ThreadPoolExecutor
gc.disable()
class Thing:
    pass
def work(thing):
    return Thing()
with ThreadPoolExecutor(1) as pool:
    given = Thing()
    future = pool.submit(work, given)
    refs = [weakref.ref(future), weakref.ref(future.result()), weakref.ref(given)]
    del future, given
    pool.submit(int).result()
    print([ref() for ref in refs])
queue = weakref.ref(pool._work_queue)
del pool
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print(queue())
"""

    assert unnoticed(source, tmp_path=tmp_path).stdout.splitlines() == ["[None, None, None]", "None"]


def test_a_program_sees_the_executor_that_it_always_saw(tmp_path: Path) -> None:
    source = """
import inspect, pickle, traceback
from concurrent.futures import ThreadPoolExecutor
import concurrent.futures.thread as module, _queue
print(inspect.signature(ThreadPoolExecutor.submit), inspect.signature(module._WorkItem))
print(repr(_queue.SimpleQueue.put), repr(_queue.SimpleQueue.get), _queue.SimpleQueue.get.__doc__)
def fails():
    raise KeyError(1)
with ThreadPoolExecutor(1) as pool:
    try:
        pool.submit(fails).result()
    except KeyError:
        traceback.print_exc()
    try:
        pool._work_queue.put()
    except TypeError as error:
        print(error)
    try:
        pool._work_queue.get(timeout=0)
    except _queue.Empty as error:
        print(repr(error), error.__context__)
"""
    unnoticed(source, tmp_path=tmp_path)


def test_jobs_that_another_takes_out_of_the_queue_are_dropped(tmp_path: Path) -> None:
    traced = run(
        """
begun, go = threading.Event(), threading.Event()
def held():
    begun.set()
    go.wait()
def never(): pass
with ThreadPoolExecutor(1) as pool:
    pool.submit(held)
    begun.wait()
    for _ in range(3):
        pool.submit(never)
    while not pool._work_queue.empty():
        pool._work_queue.get_nowait().future.cancel()
    go.set()
""",
        tmp_path,
    )

    assert [unit["outcome"] for unit in jobs(traced, "never")] == ["dropped"] * 3
    (one,) = traced.report["pools"]
    assert (one["queued"], one["dropped"], one["most_running"]) == (0, 3, 1)


def test_a_pool_at_the_address_of_another_is_another(tmp_path: Path) -> None:
    traced = run(
        """
def work(): pass
for number in range(30):
    with ThreadPoolExecutor(2, thread_name_prefix=f"pool{number}") as pool:
        for _ in range(3):
            pool.submit(work).result()
    del pool
""",
        tmp_path,
    )

    assert sorted(one["name"] for one in traced.report["pools"]) == sorted(f"pool{n}" for n in range(30))
    assert all((one["jobs"], one["ended"], one["dropped"]) == (3, 3, 0) for one in traced.report["pools"])


def test_jobs_of_other_interpreters_are_left_alone(tmp_path: Path) -> None:
    how = {(3, 11): "isolated=False", (3, 12): "isolated=False"}.get(sys.version_info[:2], '"legacy"')
    module = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
    traced = run(
        f'''
import {module} as interpreters
code = """
from concurrent.futures import ThreadPoolExecutor
def inside(): pass
with ThreadPoolExecutor(2) as pool:
    for _ in range(3):
        pool.submit(inside).result()
"""
interpreters.run_string(interpreters.create({how}), code)
def outside(): pass
with ThreadPoolExecutor(2) as pool:
    pool.submit(outside).result()
sys.stdout.flush()
os._exit(0)  # 3.12.1 does not survive the end of such an interpreter
''',
        tmp_path,
    )

    assert [row["name"] for row in traced.report["functions"]] == ["outside"]


def test_calls_of_headway_s_own_threads_are_jobs(tmp_path: Path) -> None:
    traced = run(
        """
import headway
def naps(): time.sleep(0.02)
def fails(): raise KeyError
def tiny(x): return x
def held(begun, go):
    begun.wait()
    go.wait()
begun, go = threading.Barrier(3), threading.Event()
with headway.Executor("threads", workers=2) as executor:
    [future.result() for future in [executor.submit(naps) for _ in range(4)]]
    executor.submit(fails).exception()
    waiting = [executor.submit(held, begun, go) for _ in range(2)]
    begun.wait()
    assert executor.submit(tiny, 1).cancel()
    go.set()
assert sum(headway.map(tiny, range(2000), on="threads", workers=2)) == 1999000
""",
        tmp_path,
    )

    first, second = sorted(traced.report["pools"], key=lambda one: one["name"])
    assert (first["type"], first["size"], first["workers"], first["most_running"]) == ("headway", 2, 2, 2)
    assert (first["jobs"], first["failed"], first["cancelled"]) == (8, 1, 1)
    assert 1 < second["jobs"] < 2000  # batches
    assert second["failed"] == 0
    assert [unit["outcome"] for unit in jobs(traced, "fails")] == ["failed"]
    assert all(unit["states"]["waiting"]["sleep"] >= 0.01 for unit in jobs(traced, "naps"))
    assert {traced.name(unit["parent"]) for unit in jobs(traced, "naps")} == {"main"}
