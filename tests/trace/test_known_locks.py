"""Locks: who owns, who waits, who wakes; also when the program never gets to its end."""

import signal
from pathlib import Path

import numpy as np
import pytest

from headway.trace.format import Kind
from headway.trace.locks import locks_of
from headway.trace.model import Trace
from tracing import PYMUTEX, Traced, close, noise_s, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]


@pytest.fixture(scope="module")
def convoy(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("convoy", tmp_path=tmp_path_factory.mktemp("convoy"))


@pytest.mark.parametrize("name", ["first", "second"])
def test_a_thread_that_waits_for_a_lock_shows_how_long(name: str, convoy: Traced) -> None:
    thread = convoy.thread(name)

    assert close(thread["states"]["waiting"]["lock"], convoy.said[name], noise_s=noise_s(thread))


def test_a_thread_that_waits_for_a_lock_shows_its_owner(convoy: Traced) -> None:
    owner = convoy.thread("owner")["id"]

    (lock,) = convoy.report["locks"]
    waited_for_owner = {convoy.name(edge["waiter"]) for edge in lock["edges"] if edge["owner"] == owner}
    if PYMUTEX:  # known from who let go: of the later waiter, that was the earlier one
        assert len(waited_for_owner) == 1
    else:
        assert waited_for_owner == {"first", "second"}
    waits = [w for w in convoy.report["waits"] if w["reason"] == "lock"]
    assert {convoy.name(wait["unit"]) for wait in waits} == {"first", "second"}
    assert all(wait["lock"] == lock["id"] for wait in waits)


def test_a_thread_that_got_a_lock_shows_who_released_it(convoy: Traced) -> None:
    waits = sorted((w for w in convoy.report["waits"] if w["reason"] == "lock"), key=lambda w: w["end_s"])

    earlier, later = waits
    assert convoy.name(earlier["woken_by"]) == "owner"
    assert convoy.name(later["woken_by"]) in ("owner", convoy.name(earlier["unit"]))


def test_a_lock_shows_its_waits_and_how_long_it_was_held_meanwhile(convoy: Traced) -> None:
    (lock,) = convoy.report["locks"]

    assert lock["waits"] == 2
    assert lock["wait_s"] == pytest.approx(sum(convoy.said.values()), rel=0.02, abs=0.002)
    assert lock["longest_s"] == pytest.approx(max(convoy.said.values()), rel=0.02, abs=0.001)
    assert lock["held_s"] == pytest.approx(max(convoy.said.values()), rel=0.05, abs=0.003)
    assert sum(edge["waits"] for edge in lock["edges"]) == 2
    assert any(frame.endswith(":want") for frame in lock["longest_stack"])


@pytest.mark.parametrize("how", [[], ["exit"]], ids=["to the end", "ended while they run"])
def test_short_holds_share_records_and_nothing_of_them_is_lost(how: list[str], tmp_path: Path) -> None:
    traced = trace("short_holds", *how, tmp_path=tmp_path)

    (lock,) = (lock for lock in locks_of(Trace(traced.directory)) if lock.held_ns)
    (image,) = Trace(traced.directory).images
    records = np.concatenate(list(image.beside.values()))
    holds = records[((records["dur_kind"] & 0xFF) == Kind.HOLD) & (records["a"] == lock.number)]
    held_ns = np.where(holds["d"] == 0, holds["dur_kind"] >> np.uint64(8), holds["c"])
    assert int(held_ns.sum()) == lock.held_ns
    assert PYMUTEX or holds["d"].max() > 1


def test_a_lock_shows_where_it_was_made(convoy: Traced) -> None:
    (lock,) = convoy.report["locks"]

    made_at = lock["made_at"]
    assert made_at is None if PYMUTEX else made_at.endswith("convoy.py:8")


@pytest.mark.parametrize(("how", "status"), [("kill", -signal.SIGKILL), ("exit", 4)])
def test_a_deadlock_that_was_ended_shows_both_waits(how: str, status: int, tmp_path: Path) -> None:
    traced = trace("deadlock", how, tmp_path=tmp_path)

    assert traced.status == status
    waits = {
        traced.name(wait["unit"]): wait
        for wait in traced.report["waits"]
        if wait["reason"] == "lock" and wait["end_s"] is None
    }
    assert set(waits) == {"forward", "backward"}
    for name, other in (("forward", "backward"), ("backward", "forward")):
        wait = waits[name]
        assert wait["stack"][0].endswith(f":{name}")
        assert wait["woken_by"] is None
        assert traced.name(wait["owner"]) == (None if PYMUTEX else other)
        assert traced.thread(name)["states"]["waiting"]["lock"] > 0.1
    assert waits["forward"]["lock"] != waits["backward"]["lock"]
    assert [lock["open_waits"] for lock in traced.report["locks"]] == [1, 1]
