"""Whether calls are worth sending to other processes: what they gain against what it takes."""

from __future__ import annotations

import sys

import pytest

import headway
from headway.run.batch import Batch, Portion, Spent
from headway.run.process import reserve
from headway.run.worth import START_NS, WAKE_NS, not_worth

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="not for other than Linux: no worker processes"
)

CALL_NS = 10_000_000


@pytest.fixture
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserve, "_parked", [])


def one(item: object, value: object) -> Portion:
    """A call that has ended."""
    return Portion(Batch(str, [item], print), 0, [value], {}, Spent(0, 0, CALL_NS, CALL_NS, ""))


@pytest.mark.usefixtures("nobody_waits")
def test_the_start_of_processes_must_pay() -> None:
    reason = not_worth(None, CALL_NS, 1.9 * START_NS, 2, there=False)
    assert reason == "228 ms of calls are left, starting processes takes 120 ms"
    assert not_worth(None, CALL_NS, 2.1 * START_NS, 2, there=False) is None
    assert not_worth(None, CALL_NS, 1.9 * START_NS, 64, there=False) is None


@pytest.mark.usefixtures("nobody_waits")
def test_processes_that_are_there_need_no_start() -> None:
    assert not_worth(None, CALL_NS, 2.1 * WAKE_NS, 2, there=True) is None
    assert not_worth(None, CALL_NS, 1.9 * WAKE_NS, 2, there=True) is not None


def test_nor_do_those_that_the_last_map_left() -> None:
    assert list(headway.map(abs, [-1], on="processes")) == [1]
    assert not_worth(None, CALL_NS, 1.9 * START_NS, 2, there=False) is None


def test_a_call_must_take_longer_than_it_takes_to_send() -> None:
    large = bytearray(50_000_000)
    reason = not_worth(one(large, 1), CALL_NS, 10_000 * CALL_NS, 2, there=True)
    assert reason is not None
    assert reason.startswith("a call takes 10 ms, sending it ")
    assert not_worth(one(1, large), CALL_NS, 10_000 * CALL_NS, 2, there=True) is not None
    assert not_worth(one(1, 1), CALL_NS, 10_000 * CALL_NS, 2, there=True) is None


def test_what_only_a_stronger_pickler_can_send_is_tried() -> None:
    assert not_worth(one(lambda: 1, 1), CALL_NS, 10_000 * CALL_NS, 2, there=True) is None
