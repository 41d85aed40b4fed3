"""The rules of the contract about workers: how they are set up, what reaches them, and that they may die."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from backend_bench import APART, CONCURRENT, LOCAL, Bench, endless, over
from headway.errors import CannotSend, InitializerFailed, WorkerDied
from headway.run.backends.contract import Setup


@over(CONCURRENT)
def test_the_initializer_runs_before_the_first_call(bench: Bench, tmp_path: Path) -> None:
    def initialize(name: str) -> None:
        (tmp_path / name).touch()

    def call(_: int) -> Generator[None, None, bool]:
        yield
        return (tmp_path / "initialized").exists()

    backend = bench.open(setup=Setup(initializer=initialize, initargs=("initialized",)))
    batch = bench.batch(call, [1, 2, 3])
    backend.submit(batch)
    bench.outcomes.wait(3)
    assert bench.outcomes.of(batch) == [True, True, True]


@over(CONCURRENT)
def test_where_the_initializer_raises_no_call_runs(bench: Bench, tmp_path: Path) -> None:
    def initialize() -> None:
        raise LookupError("no licence")

    backend = bench.open(setup=Setup(initializer=initialize))
    batch = bench.batch(endless, [tmp_path / "began"] * 2)
    backend.submit(batch)
    bench.outcomes.wait(2)
    for error in bench.outcomes.of(batch):
        assert isinstance(error, InitializerFailed)
        assert "no licence" in str(error)
    assert not (tmp_path / "began").exists()


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


@over([name for name in LOCAL if name != "serial"])
def test_calls_see_the_context_of_who_submitted_them_and_leave_it_alone(bench: Bench) -> None:
    def call(_: int) -> Generator[None, None, str]:
        yield
        return VARIABLE.get()

    def change(_: int) -> Generator[None, None, None]:
        VARIABLE.set("changed")
        yield

    backend = bench.open(workers=1)
    token = VARIABLE.set("mine")
    try:
        changes, batch = bench.batch(change, [1]), bench.batch(call, [1])
        backend.submit(changes)
        backend.submit(batch)
    finally:
        VARIABLE.reset(token)
    bench.outcomes.wait(2)
    assert bench.outcomes.of(batch) == ["mine"]


@over(APART)
def test_what_cannot_be_sent_fails_its_own_call_only(bench: Bench) -> None:
    def call(x: Any) -> Generator[None, None, Any]:
        yield
        return threading.Lock() if x == 2 else x

    backend = bench.open()
    batch = bench.batch(call, [1, threading.Lock(), 2, 3])
    backend.submit(batch)
    bench.outcomes.wait(4)
    first, argument, result, last = bench.outcomes.of(batch)
    assert (first, last) == (1, 3)
    assert isinstance(argument, CannotSend)
    assert isinstance(result, CannotSend)


@over(APART)
def test_a_function_that_cannot_be_sent_is_an_outcome(bench: Bench) -> None:
    lock = threading.Lock()

    def call(x: int) -> Generator[None, None, int]:
        yield
        with lock:
            return x

    backend = bench.open()
    batch = bench.batch(call, [1, 2])
    backend.submit(batch)
    bench.outcomes.wait(2)
    assert all(isinstance(error, CannotSend) for error in bench.outcomes.of(batch))


@over([name for name in APART if name != "interpreters"])
def test_a_worker_that_dies_is_the_outcome_of_its_call(bench: Bench) -> None:
    def call(x: int) -> Generator[None, None, int]:
        yield
        if x == 1:
            os._exit(7)
        return x

    backend = bench.open()
    deadly = bench.batch(call, [1])
    backend.submit(deadly)
    bench.outcomes.wait(1)
    assert isinstance(bench.outcomes.of(deadly)[0], WorkerDied)
    if bench.name == "executor of processes":  # which is broken, and says so for all that follows
        return
    after = bench.batch(call, [2, 3])
    backend.submit(after)
    bench.outcomes.wait(3)
    assert bench.outcomes.of(after) == [2, 3]
