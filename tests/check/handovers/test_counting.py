"""Handovers: what is counted is where CPython with the GIL lets another thread come in, and nothing else.

Each way to read a number and to write what rests on it is explored by two threads, and run by two real threads, which
take turns as often as they can.
"""

import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from headway import ScheduleFailure, explore
from headway.check.handovers.counting import watching

ROUNDS = 20_000
MOST_ROUNDS = 2_000_000

TOGETHER = {
    "augmented": "self.n += 1",
    "two lines": "t = self.n\nself.n = t + 1",
    "condition": "t = self.n\nif t >= 0:\n    self.n = t + 1",
    "item": "self.items[0] += 1; self.n = self.items[0]",
    "formatted": "t = self.n\nx = f'{t}'\nself.n = t + 1",
    "finally": "try:\n    t = self.n\nfinally:\n    self.n = t + 1",
    "display": "t = self.n\nx = [t, {t: t}]\nself.n = t + 1",
    "unpacked": "t, u = self.n, 1\nself.n = t + u",
    "function that returns": "t = self.got()\nself.n = t + 1",
    "property that returns": "t = self.property\nself.n = t + 1",
    "method called as a container's": "t = self.get()\nself.n = t + 1",
    "the same with arguments": "t = self.get({}, key=None)\nself.n = t + 1",
}
"""Nothing comes in between."""
APART = {
    "function": "t = self.n\nf()\nself.n = t + 1",
    "function in C": "t = self.n\nabs(t)\nself.n = t + 1",
    "container's method": "t = self.n\nself.items.append(1)\nself.items.pop()\nself.n = t + 1",
    "container's method with arguments": "t = self.n\nself.keys.get(t + 1)\nself.n = t + 1",
    "slice": "t = self.n\nslice(t)\nself.n = t + 1",
    "class": "t = self.n\nE()\nself.n = t + 1",
    "unpacked arguments": "t = self.n\nf(*())\nself.n = t + 1",
    "result of unpacked arguments": "t = self.got(*())\nself.n = t + 1",
    "the same of a method called as a container's": "t = self.get(*())\nself.n = t + 1",
    "for": "t = self.n\nfor i in (1, 2): pass\nself.n = t + 1",
    "while": "t = self.n\ni = 2\nwhile i: i -= 1\nself.n = t + 1",
    "comprehension": "t = self.n\n[i for i in (1, 2)]\nself.n = t + 1",
    "operator in Python": "t = self.n\nv + v\nself.n = t + 1",
    "argument": "t = self.n\nself.set(t + 1)",
    "lock that is let go": "with self.lock:\n    t = self.n\nself.n = t + 1",
    "lock that is taken": "t = self.n\nself.lock.acquire()\nself.lock.release()\nself.n = t + 1",
}
"""Another thread comes in between, sooner or later."""
ELSEWHERE = {
    "super": "t = self.n\nsuper().one\nself.n = t + 1",
    "length": "t = self.n\nlen(self.items)\nself.n = t + 1",
    "with": "t = self.n\nwith self.lock: self.n = t + 1",
}
"""Another thread comes in between on some versions (`super` up to 3.11, `with` since 3.14), or before code is warm."""

MODULE = """
import threading

def f(): pass

class E: pass

class V:
    def __add__(self, other): return self

v = V()

class B:
    one = 1

class C(B):
    def __init__(self):
        self.n = 0
        self.items = [0]
        self.keys = {}
        self.lock = threading.Lock()

    def got(self): return self.n

    def get(self, *arguments, **named): return self.n

    def set(self, n): self.n = n

    @property
    def property(self): return self.n

    def body(self):
        BODY

def scenario():
    c = C()
    threads = [threading.Thread(target=c.body) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert c.n == 2

def lost(rounds):
    c = C()
    def many():
        for _ in range(rounds): c.body()
    threads = [threading.Thread(target=many) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return 2 * rounds - c.n
"""

with_the_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="not for a Python without the GIL"
)


@pytest.fixture
def module(tmp_path: Path, request: pytest.FixtureRequest) -> ModuleType:
    path = tmp_path / f"counted_{abs(hash(request.node.name))}.py"
    path.write_text(MODULE.replace("BODY", request.param.replace("\n", "\n        ")))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


@pytest.fixture
def turns() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def bodies(table: dict[str, str]) -> Callable[..., object]:
    return pytest.mark.parametrize("module", table.values(), ids=table, indirect=True)


def needs_a_build_without_the_gil(module: ModuleType, carrier: str = "threads") -> bool:
    with pytest.raises(ScheduleFailure) as caught:
        explore(module.scenario, carrier=carrier)
    build: Any = caught.value.details["build"]
    return not build["gil"]


@bodies(TOGETHER)
def test_what_the_gil_keeps_together_needs_a_build_without_it(module: ModuleType) -> None:
    assert needs_a_build_without_the_gil(module)


@bodies(APART | ELSEWHERE)
def test_what_the_gil_parts_can_be_shown_with_it(module: ModuleType) -> None:
    assert not needs_a_build_without_the_gil(module)


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="not for Python before 3.12: sys.settrace is lost in greenlets"
)
@bodies({name: TOGETHER[name] for name in ("augmented", "two lines")})
def test_greenlets_are_seen_through(module: ModuleType) -> None:
    pytest.importorskip("greenlet")
    assert needs_a_build_without_the_gil(module, "greenlets")


@with_the_gil
@pytest.mark.usefixtures("turns")
@bodies(TOGETHER)
def test_what_is_said_to_be_kept_together_is_by_real_threads(module: ModuleType) -> None:
    assert module.lost(ROUNDS) == 0


@with_the_gil
@pytest.mark.usefixtures("turns")
@bodies(APART)
def test_what_is_said_to_be_parted_is_by_real_threads(module: ModuleType) -> None:
    assert any(module.lost(ROUNDS) for _ in range(0, MOST_ROUNDS, ROUNDS))


def test_nothing_is_left_behind() -> None:
    before = sys.gettrace()
    with watching():
        pass
    assert sys.gettrace() is before
    if sys.version_info >= (3, 12):
        assert [sys.monitoring.get_tool(number) for number in range(6)].count("headway") == 0


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="not for Python before 3.12, which has no sys.monitoring"
)
def test_where_other_tools_leave_no_room_nothing_is_said() -> None:
    monitoring = sys.monitoring  # type: ignore[attr-defined, unused-ignore]
    taken = [number for number in (3, 4, 5) if monitoring.get_tool(number) is None]
    for number in taken:
        monitoring.use_tool_id(number, "other")
    try:
        with watching() as handovers:
            assert handovers is None
    finally:
        for number in taken:
            monitoring.free_tool_id(number)


def test_only_units_are_counted() -> None:
    with watching() as handovers:
        assert handovers is not None
        thread = threading.Thread(target=handovers.add)
        thread.start()
        thread.join()
        handovers.add()
        assert handovers._counts == {}
