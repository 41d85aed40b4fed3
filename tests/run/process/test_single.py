"""A call that is alone, of a function that the worker knows and with simple arguments, goes a shorter way."""

from __future__ import annotations

import contextvars
import importlib
import math
import operator
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from headway import Executor
from headway.errors import CannotSend, WorkerDied
from headway.run.process.outgoing import Outgoing

from .conftest import Client

PROMPT_S = 60.0
"""Far more than anything here takes."""


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each call that was alone, whether it went the shorter way."""
    went: list[bool] = []
    real = Outgoing._single

    def noted(outgoing: Outgoing, *args: Any) -> object:
        frame = real(outgoing, *args)
        went.append(frame is not None)
        return frame

    monkeypatch.setattr(Outgoing, "_single", noted)
    return went


@pytest.fixture
def call(short: list[bool]) -> Iterator[Callable[..., Any]]:
    """Calls a function in a worker that knows it."""
    with Executor("processes", 1) as executor:

        def call(fn: Callable[..., Any], *args: Any) -> Any:
            executor.submit(fn, *args).exception(PROMPT_S)
            short.clear()
            second = executor.submit(fn, *args)
            second.exception(PROMPT_S)
            assert short[-1:] == [True]
            return second.result()

        yield call


@pytest.mark.parametrize(
    ("fn", "args", "value"),
    [
        (operator.neg, (5,), -5),
        (operator.add, ("a", "b"), "ab"),
        (math.floor, (2.5,), 2),
        (divmod, (7, 2), (3, 1)),
        (sorted, ("ba",), ["a", "b"]),
        (operator.mul, (b"x", 300_000), b"x" * 300_000),
        (bytearray, (300_000,), bytearray(300_000)),
        (bool, (None,), False),
    ],
)
def test_what_it_returns_comes_back(
    call: Callable[..., Any], fn: Callable[..., Any], args: tuple[Any, ...], value: object
) -> None:
    got = call(fn, *args)
    assert got == value
    assert type(got) is type(value)


def test_arguments_that_are_not_simple_or_large_go_the_other_way(short: list[bool]) -> None:
    with Executor("processes", 1) as executor:
        for argument in ("x", "x", [1, 2], "x" * 200_000, ("a",)):
            assert executor.submit(len, argument).result() == len(argument)
        assert executor.submit(int, "ff", base=16).result() == 255
    assert short == [True, False, False, False]


def test_what_it_raises_comes_back(call: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        call(int, "x")
    assert "Traceback" in str(caught.value.__cause__)
    with pytest.raises(SystemExit):
        call(sys.exit, 3)
    assert call(operator.neg, 1) == -1


def test_what_cannot_be_sent_back_is_told(call: Callable[..., Any]) -> None:
    with pytest.raises(CannotSend, match="result"):
        call(threading.Lock)


def test_a_child_that_it_forks_answers_nothing(call: Callable[..., Any]) -> None:
    assert call(os.fork) > 0
    assert call(operator.neg, 1) == -1


def test_a_worker_that_it_kills_is_told_with_the_call() -> None:
    with Executor("processes", 1) as executor:
        assert executor.submit(os.kill, os.getpid(), 0).result() is None
        pid = executor.submit(os.getpid).result()
        with pytest.raises(WorkerDied, match=rf"while it ran kill\({pid}, 9\)"):
            executor.submit(os.kill, pid, 9).result()
        assert executor.submit(os.getpid).result() != pid


def test_it_can_be_cancelled_while_it_runs() -> None:
    with Executor("processes", 1) as executor:
        executor.submit(time.sleep, 0).result()
        future = executor.submit(time.sleep, 1000)
        while not future.running():
            time.sleep(0.001)
        assert future.cancel()
        with pytest.raises(CancelledError):
            future.result(PROMPT_S)
        assert executor.submit(abs, -1).result() == 1


def test_many_of_them_in_a_row_have_each_its_outcome(client: Client, short: list[bool]) -> None:
    for outcome in client.each(operator.neg, range(8)):
        outcome.wait()
    outcomes = client.each(operator.neg, range(3000))
    assert [outcome.list() for outcome in outcomes] == [[-number] for number in range(3000)]
    assert sum(short) >= 3000


def test_those_behind_a_long_one_run_elsewhere(client: Client, short: list[bool]) -> None:
    for outcome in client.each(time.sleep, [0.0] * 8):
        outcome.wait()
    stuck, *others = client.each(time.sleep, [20.0, *[0.0] * 500])
    for outcome in others:
        outcome.wait()
    assert not stuck.values
    assert stuck.batch is not None
    client.backend.stop(stuck.batch, CancelledError())
    assert isinstance(stuck.wait().errors[0], CancelledError)
    assert sum(short) >= 500


MODULE = """
import contextvars
VARIABLE = contextvars.ContextVar("VARIABLE", default="none")
def read(argument):
    return VARIABLE.get() + argument
def write(value):
    VARIABLE.set(value)
"""


def test_it_sees_the_context_of_its_submitter_and_no_other(
    short: list[bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "with_variable.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("with_variable")
    one, two = contextvars.copy_context(), contextvars.copy_context()
    one.run(module.VARIABLE.set, "one")
    two.run(module.VARIABLE.set, "two")
    with Executor("processes", 1) as executor:

        def read(context: contextvars.Context) -> object:
            return context.run(executor.submit, module.read, "!").result()

        assert [read(one), read(one), read(two), read(two), read(one)] == [
            "one!",
            "one!",
            "two!",
            "two!",
            "one!",
        ]
        assert executor.submit(module.write, "three").result() is None
        assert executor.submit(module.write, "three").result() is None
        assert contextvars.Context().run(executor.submit, module.read, "!").result() == "none!"
        assert contextvars.Context().run(executor.submit, module.read, "!").result() == "none!"
    assert short.count(True) >= 4
