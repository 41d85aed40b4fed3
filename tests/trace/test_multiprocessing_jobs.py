"""Jobs of multiprocessing.Pool: their time in the queue and on a worker against what the program measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracing import Report, Traced, states_s, trace, unnoticed

pytestmark = [pytest.mark.native, pytest.mark.known_time]
NAMES = {"napping": ("one", "two"), "mapped": ("three", "four"), "drawn": ("five", "six")}


def jobs(traced: Traced, function: str | None = None) -> list[Report]:
    return [
        unit for unit in traced.report["units"] if unit["kind"] == "job" and function in (None, unit["name"])
    ]


@pytest.fixture(scope="module", params=["fork", "spawn", "forkserver"])
def known(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    tmp_path = tmp_path_factory.mktemp(request.param)
    return trace("multiprocessing_jobs", request.param, tmp_path=tmp_path)


@pytest.mark.parametrize("function", NAMES)
def test_a_job_shows_when_it_was_submitted_begun_and_ended_and_where(known: Traced, function: str) -> None:
    zero_s = json.loads((known.directory / "trace.json").read_text())["start_ns"] / 1e9
    units = jobs(known, function)
    assert len(units) == 2
    for unit, name in zip(units, NAMES[function], strict=True):
        measured = known.said[name]
        start, begun, end = (unit[key] + zero_s for key in ("start_s", "begun_s", "end_s"))

        # The function notes the times within those of the job: exact, however busy the machine is.
        assert measured["submitted"] <= start <= begun <= measured["begun"] + 1e-6
        assert measured["ended"] <= end + 1e-6
        assert unit["queue_s"] == pytest.approx(begun - start, abs=1e-5)
        assert unit["run_s"] == pytest.approx(end - begun, abs=1e-5)
        assert unit["states"]["waiting"]["sleep"] >= 0.02
        worker = known.unit(unit["carrier"])
        assert (worker["kind"], worker["pid"]) == ("thread", measured["pid"])
        assert unit["outcome"] == "done"


def test_chunks_of_a_map_are_submitted_together_and_wait_for_their_turn(known: Traced) -> None:
    first, second = jobs(known, "mapped")
    naps = jobs(known, "napping")

    assert first["start_s"] == second["start_s"]
    # Both workers had something to do first.
    assert min(first["begun_s"], second["begun_s"]) >= min(nap["end_s"] for nap in naps)
    assert first["queue_s"] >= 0.03


def test_what_imap_draws_is_submitted_when_it_is_drawn(known: Traced) -> None:
    five, six = jobs(known, "drawn")

    assert six["start_s"] - five["start_s"] >= 0.02
    assert five["queue_s"] < five["run_s"]


def test_the_states_of_a_job_add_up_to_its_life(known: Traced) -> None:
    for unit in jobs(known):
        assert abs(states_s(unit) - (unit["end_s"] - unit["start_s"])) < 1e-6
        assert abs(unit["end_s"] - unit["start_s"] - unit["queue_s"] - unit["run_s"]) < 1e-6


def test_a_job_names_who_submitted_it_and_where(known: Traced) -> None:
    for function, by in (
        ("napping", "Pool.apply_async"),
        ("mapped", "Pool._map_async"),
        ("drawn", "Pool.imap"),
    ):
        for unit in jobs(known, function):
            assert known.name(unit["parent"]) == "main"
            assert unit["created_at"].rsplit("/", 1)[1].startswith("multiprocessing_jobs.py:")
            assert unit["created_stack"][0].endswith(f":{by}")


def test_a_chunk_is_one_job_of_the_function_that_is_mapped(known: Traced) -> None:
    rows = {one["name"]: one["jobs"] for one in known.report["functions"]}

    assert (rows["add"], rows["builtins.abs"]) == (2, 2)
    assert "mapstar" not in rows
    assert sum(rows.values()) == len(jobs(known))


def test_outcomes_are_told(known: Traced) -> None:
    assert known.said["failed"][:2] == ["ValueError", "MaybeEncodingError"]
    assert [unit["outcome"] for unit in jobs(known, "fails")] == ["failed"]
    assert [unit["outcome"] for unit in jobs(known, "unpackable")] == ["failed"]
    (never_packed,) = (unit for unit in jobs(known) if unit["name"].endswith("<lambda>"))
    assert (never_packed["outcome"], never_packed["begun_s"], never_packed["carrier"]) == (
        "failed",
        None,
        None,
    )


def test_a_pool_is_told_with_its_workers_and_one_of_threads_is_none(known: Traced) -> None:
    (one,) = known.report["pools"]

    assert (one["type"], one["kind"], one["size"], one["workers"]) == ("Pool", "processes", 2, 2)
    assert one["jobs"] == len(jobs(known)) == 13
    assert (one["begun"], one["ended"], one["failed"]) == (12, 12, 3)
    assert (one["queued"], one["running"], one["most_running"], one["not_told"]) == (0, 0, 2, 0)


def run(source: str, tmp_path: Path, **how: Any) -> Traced:
    head = "import multiprocessing, os, sys, time\nfork = multiprocessing.get_context('fork')\n"
    return trace(head + source, tmp_path=tmp_path, **how)


def test_a_job_whose_worker_is_terminated_has_not_ended(tmp_path: Path) -> None:
    traced = run(
        """
heard, says = fork.Pipe(duplex=False)
def hangs():
    says.send(1)
    time.sleep(3600)
def never(): pass
with fork.Pool(1) as pool:
    pool.apply_async(hangs)
    heard.recv()
    for _ in range(3):
        pool.apply_async(never)
""",
        tmp_path,
    )

    (hangs,) = jobs(traced, "hangs")
    assert hangs["outcome"] is None
    assert hangs["states"]["waiting"]["sleep"] > 0
    assert hangs["end_s"] == pytest.approx(traced.unit(hangs["carrier"])["end_s"], abs=1e-3)
    assert {unit["outcome"] for unit in jobs(traced, "never")} <= {"dropped", None}
    assert all(unit["begun_s"] is None for unit in jobs(traced, "never"))
    (one,) = traced.report["pools"]
    assert (one["begun"], one["ended"], one["running"]) == (1, 0, 0)


def test_workers_that_end_after_some_jobs_are_followed_by_others(tmp_path: Path) -> None:
    traced = run(
        """
def pid(_): return os.getpid()
with fork.Pool(1, maxtasksperchild=2) as pool:
    print(*pool.map(pid, range(5), chunksize=1))
""",
        tmp_path,
    )

    pids = [int(text) for text in traced.stdout.split()]
    (one,) = traced.report["pools"]
    assert len(set(pids)) == one["workers"] == 3
    assert [traced.unit(unit["carrier"])["pid"] for unit in jobs(traced)] == pids


def test_a_program_sees_the_pool_that_it_always_saw(tmp_path: Path) -> None:
    source = """
import gc, multiprocessing, queue, weakref
fork = multiprocessing.get_context("fork")
gc.disable()
class Thing:
    pass
def work(thing):
    return Thing()
def fails():
    raise KeyError(1)
with fork.Pool(1) as pool:
    given = Thing()
    result = pool.apply_async(work, (given,))
    refs = [weakref.ref(result), weakref.ref(result.get()), weakref.ref(given)]
    del result, given
    pool.apply(int), pool.apply(int)
    print([ref() for ref in refs])
    for function in (fails, lambda: None):
        try:
            pool.apply(function)
        except Exception as error:
            print(type(error), str(error)[:20])
q = queue.SimpleQueue()
q.put(([(1, 2, len, (), {})], None)), q.put((iter(()), None)), q.put((1, 2))
m = fork.SimpleQueue()
for item in ((1, 2, len, (), {}), (1, 2, (True, 3)), (1, 2, 3)):
    m.put(item)
    print(m.get())
"""
    unnoticed(source, tmp_path=tmp_path)
