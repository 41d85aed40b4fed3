"""Locks of multiprocessing: one lock, whichever process waits for it, with its owner and waker in another process."""

import json
from pathlib import Path

import pytest

from tracing import Report, Traced, close, noise_s, trace

pytestmark = pytest.mark.native

METHODS = ["fork", "spawn", "forkserver"]
OWNED = {
    "lock": "multiprocessing.Lock",
    "rlock": "multiprocessing.RLock",
    "condition": "multiprocessing.Condition",
    "value": "multiprocessing.Value",
    "semaphore_of_one": "multiprocessing.Semaphore",
    "parent_holds": "multiprocessing.Lock",
}
"""What each makes, as the report has it."""
UNOWNED = ["semaphore_as_signal", "semaphore_of_two", "queues", "joinable_queue", "conditions", "barrier"]
WITH_A_LOCK = ("multiprocessing.Condition", "multiprocessing.Barrier")
"""Their waiters wait for a signal, but who comes at once waits for their lock, which the other has for a moment."""


def main_of(traced: Traced, pid: int) -> Report:
    """The only thread of a process."""
    (process,) = (one for one in traced.processes() if one["pid"] == pid)
    (found,) = traced.threads(process)
    return found


@pytest.mark.known_time
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", OWNED)
def test_a_lock_that_processes_share_is_one_lock_with_an_owner_in_another_process(
    way: str, method: str, tmp_path: Path
) -> None:
    traced = trace("multiprocessing_locks", method, way, tmp_path=tmp_path)

    owner, waiter = main_of(traced, traced.said["holder"]), main_of(traced, traced.said["waiter"])
    (lock,) = (one for one in traced.report["locks"] if one["name"].startswith(OWNED[way] + " made at "))
    assert lock["kind"] == "lock"
    assert lock["waits"] == 1
    (edge,) = lock["edges"]
    assert (edge["waiter"], edge["owner"], edge["waits"]) == (waiter["id"], owner["id"], 1)
    (wait,) = (one for one in traced.report["waits"] if one.get("lock") == lock["id"])
    assert (wait["owner"], wait["woken_by"]) == (owner["id"], owner["id"])
    source = (Path(__file__).parents[1] / "programs" / "multiprocessing_locks.py").read_text().splitlines()
    line = source[int(lock["made_at"].rpartition(":")[2]) - 1]
    assert f"context.{OWNED[way].rpartition('.')[2]}(" in line
    said = json.loads(traced.stdout.splitlines()[0])
    assert close(lock["wait_s"], said["waited_s"], noise_s=noise_s(waiter))
    assert close(lock["held_s"], lock["wait_s"], noise_s=noise_s(waiter) + noise_s(owner))


def apart(traced: Traced, edge: Report) -> bool:
    """Whether the owner is in another process than the waiter."""
    return bool(traced.unit(edge["owner"])["process"] != traced.unit(edge["waiter"])["process"])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", UNOWNED)
def test_what_is_no_lock_has_no_owner_and_no_finding(way: str, method: str, tmp_path: Path) -> None:
    traced = trace("multiprocessing_locks", method, way, tmp_path=tmp_path)

    shared = [lock for lock in traced.report["locks"] if lock["name"].startswith("multiprocessing.")]
    for lock in shared:
        may_be_owned = lock["name"].startswith(WITH_A_LOCK)
        for edge in lock["edges"]:
            assert edge["owner"] is None or (may_be_owned and apart(traced, edge)), lock
    assert traced.report["findings"] == []


@pytest.mark.parametrize("method", METHODS)
def test_workers_that_wait_for_their_turn_at_a_queue_wait_for_the_queue(method: str, tmp_path: Path) -> None:
    traced = trace("multiprocessing_locks", method, "idle_workers", tmp_path=tmp_path)

    workers = [main_of(traced, pid) for pid in traced.said]
    waits = [worker["states"]["waiting"] for worker in workers]
    assert not any(wait.get("lock") for wait in waits), waits
    assert sum(wait.get("queue", 0) > 0.3 for wait in waits) == len(workers) - 1  # one of them reads
    assert traced.report["findings"] == []


def test_the_report_names_the_owner_with_its_process(tmp_path: Path) -> None:
    traced = trace("multiprocessing_locks", "fork", "lock", tmp_path=tmp_path)

    owner = traced.said["holder"]
    assert f" main waited for {owner} main: " in traced.stderr
    assert f", held and released by {owner} main" in traced.stderr
