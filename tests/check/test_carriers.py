"""What carries units is used again, and nobody can tell."""

import contextvars
import threading
import weakref
from typing import Any

import pytest

import headway

_number: contextvars.ContextVar[int] = contextvars.ContextVar("number")


@pytest.fixture(params=["threads", "greenlets"])
def carrier(request: pytest.FixtureRequest) -> str:
    if request.param == "greenlets":
        pytest.importorskip("greenlet")
    return str(request.param)


def test_a_thread_begins_with_an_empty_context(carrier: str) -> None:
    def scenario() -> None:
        found: list[Any] = []

        def work() -> None:
            found.append(_number.get(None))
            _number.set(1)

        for _ in range(2):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        assert found == [None, None]

    headway.explore(scenario, schedules=5, carrier=carrier)


def test_what_a_scenario_sets_in_its_context_is_not_there_in_its_next_run(carrier: str) -> None:
    def scenario() -> None:
        assert _number.get(None) is None
        _number.set(1)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        assert _number.get() == 1

    headway.explore(scenario, schedules=5, carrier=carrier, strategy="walk")
    assert _number.get(None) is None


def test_a_thread_that_has_ended_goes_with_its_last_reference(carrier: str) -> None:
    def scenario() -> None:
        class Held:
            pass

        held = Held()
        thread = threading.Thread(target=lambda held: None, args=(held,))
        thread.start()
        thread.join()
        gone = weakref.ref(thread), weakref.ref(held)
        del thread, held
        assert [ref() for ref in gone] == [None, None]

    headway.explore(scenario, schedules=5, carrier=carrier)


class Box:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.value = 0

    def fill(self) -> None:
        with self.lock:
            self.value = 1


def test_what_a_scenario_has_made_is_gone_when_it_runs_again_without_the_collector(carrier: str) -> None:
    made: list[weakref.ref[Box]] = []

    def scenario() -> None:
        assert [ref() for ref in made] == [None] * len(made)
        box = Box()
        made.append(weakref.ref(box))
        thread = threading.Thread(target=box.fill)
        thread.start()
        thread.join()
        assert box.value == 1

    headway.explore(scenario, schedules=20, carrier=carrier, strategy="walk")


def test_searches_one_after_the_other_have_carriers_of_their_own(carrier: str) -> None:
    def scenario() -> None:
        threads = [threading.Thread(target=lambda: None) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    before = threading.active_count()
    for _ in range(5):
        headway.explore(scenario, schedules=5, carrier=carrier)
    assert threading.active_count() == before


def test_a_thread_that_was_not_started_is_no_unit(carrier: str) -> None:
    def scenario() -> None:
        thread = threading.Thread(target=lambda: None, name=7, daemon=True)  # type: ignore[arg-type]
        assert not thread.is_alive()
        assert thread.name == "7"
        assert thread.daemon
        assert thread.ident is None
        assert "initial" in repr(thread)
        thread.daemon = False
        with pytest.raises(RuntimeError, match="cannot join thread before it is started"):
            thread.join()

    headway.explore(scenario, schedules=2, carrier=carrier)


def test_a_class_of_threads_that_watches_its_attributes_sees_them_all(carrier: str) -> None:
    class Watched(threading.Thread):
        def __setattr__(self, name: str, value: Any) -> None:
            seen.append(name)
            super().__setattr__(name, value)

    seen: list[str] = []

    def scenario() -> None:
        seen.clear()
        thread = Watched(target=lambda: None)
        thread.start()
        thread.join()
        assert {"_target", "_started", "_name"} <= set(seen)

    headway.explore(scenario, schedules=2, carrier=carrier, granularity="sync")
