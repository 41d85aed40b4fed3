"""Locks that are taken in opposite orders are found though nothing hangs; what only looks so is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracing import PROGRAMS, PYMUTEX, Traced, trace

pytestmark = pytest.mark.native

SOURCE = (PROGRAMS / "lock_orders.py").read_text(encoding="utf-8")
WAYS = [way for way in re.findall(r"^def (\w+)\(\) -> None:", SOURCE, re.MULTILINE) if way != "main"]
LOOKS = [way for way in WAYS if way.startswith("no_")]
DANGERS = [way for way in WAYS if not way.startswith("no_")]


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """One program, which records each way in a block of its own."""
    return trace("lock_orders", tmp_path=tmp_path_factory.mktemp("orders"))


@pytest.mark.parametrize("way", DANGERS)
def test_locks_taken_in_opposite_orders_are_found(way: str, blocks: Traced) -> None:
    if PYMUTEX:
        assert blocks.said[way] == []  # most locks are taken without a call: nothing is claimed
        return
    (found,) = blocks.said[way]
    assert found["kind"] == "lock-order"
    takes = "inner.acquire()" if way == "calls" else "with inner:"
    lines = SOURCE.splitlines()
    assert [takes in lines[int(place.rpartition(":")[2]) - 1] for place in found["where"]] == [True]
    assert re.search(r"in the opposite order$", found["sentence"])


@pytest.mark.parametrize("way", LOOKS)
def test_a_look_alike_is_not_found(way: str, blocks: Traced) -> None:
    assert blocks.said[way] == []


@pytest.mark.skipif(
    PYMUTEX, reason="not for Python 3.14 and later: most locks are taken without a call there"
)
def test_the_report_says_who_took_what_where(tmp_path: Path) -> None:
    traced = trace("lock_orders", "locks", tmp_path=tmp_path)

    (found,) = traced.report["findings"]
    assert (found["kind"], found["severity"]) == ("lock-order", "warning")
    threads = [traced.unit(number)["name"] for number in found["units"]]
    assert len(set(threads)) == 2
    outer = SOURCE[: SOURCE.index("    with outer:\n")].count("\n") + 1
    for name, evidence in zip(threads, found["evidence"], strict=False):
        assert evidence.startswith(f"`{name}` took `inner` at ")
        assert f"lock_orders.py:{outer + 2} nest" in evidence
        assert evidence.endswith(f"lock_orders.py:{outer}")
    assert traced.report["verdict"].startswith("lock-order: ")


def test_many_threads_and_locks_cost_no_finding_and_lose_nothing(tmp_path: Path) -> None:
    """More locks and threads than are told one by one: in one order."""
    program = """
        import threading
        first = threading.Lock()
        def work():
            for _ in range(200):
                with first:
                    with threading.Lock():
                        pass
        for _ in range(100):
            threads = [threading.Thread(target=work) for _ in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
        """
    traced = trace(program, tmp_path=tmp_path)

    assert traced.report["findings"] == []
    assert not [note for note in traced.report["notes"] if "room" in note]
