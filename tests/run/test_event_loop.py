"""What the asyncio backend promises beyond the contract."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from headway.errors import TimedOut, UsageError
from headway.run.backends.event_loop import Asyncio
from headway.run.batch import Batch, Portion


class Came:
    def __init__(self, count: int = 1) -> None:
        self.portions: list[Portion] = []
        self._count = count
        self._all = threading.Event()

    def __call__(self, portion: Portion) -> None:
        self.portions.append(portion)
        if len(self.portions) == self._count:
            self._all.set()

    def wait(self) -> Portion:
        assert self._all.wait(40)
        return self.portions[-1]


def test_a_plain_function_is_refused_by_name() -> None:
    def plain(x: int) -> int:
        return x

    backend, came = Asyncio(), Came()
    backend.submit(Batch(plain, [1], came))
    error = came.wait().errors[0]
    assert isinstance(error, UsageError)
    assert "plain" in error.message
    assert error.hint is not None
    assert "threads" in error.hint
    backend.close()


def test_whatever_returns_an_awaitable_will_do() -> None:
    async def fetch(x: int) -> int:
        return x + 1

    backend, came = Asyncio(), Came()
    backend.submit(Batch(lambda x: fetch(x), [1], came))
    assert came.wait().values == [2]
    backend.close()


def test_calls_run_in_the_loop_of_the_caller() -> None:
    async def where(_: int) -> Any:
        return asyncio.get_running_loop()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        portions: list[Portion] = []

        def sink(portion: Portion) -> None:
            portions.append(portion)
            done.set()

        backend = Asyncio(2, loop=loop)
        backend.submit(Batch(where, [1], sink))
        backend.close()  # does not wait here: the call could not run
        await done.wait()
        assert portions[0].values == [loop]

    asyncio.run(main())


def test_a_loop_that_ends_early_delivers_its_calls_as_cancelled() -> None:
    async def forever(_: int) -> None:
        await asyncio.Event().wait()

    came = Came(2)

    async def main() -> None:
        backend = Asyncio(2, loop=asyncio.get_running_loop())
        backend.submit(Batch(forever, [1, 2], came))
        await asyncio.sleep(0)

    asyncio.run(main())
    came.wait()
    assert all(portion.errors for portion in came.portions)


def test_a_call_that_swallows_its_cancellation_is_given_up() -> None:
    entered, leave = threading.Event(), asyncio.Event()

    async def stubborn(_: int) -> None:
        while not leave.is_set():
            entered.set()
            try:
                await leave.wait()
            except asyncio.CancelledError:
                continue

    backend, came, after = Asyncio(1), Came(), Came()
    backend.submit(Batch(stubborn, [1], came, timeout_s=0.01))
    assert isinstance(came.wait().errors[0], TimedOut)

    async def release(_: int) -> None:
        leave.set()

    # It still has the only place.
    backend.submit(Batch(release, [1], after))
    assert not after.portions
    backend.resize(2)
    assert after.wait().values == [None]
    backend.close()


def test_the_loop_is_of_the_kind_that_the_policy_makes() -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("not for Python 3.14: policies are deprecated")

    class Own(asyncio.SelectorEventLoop):
        pass

    class Policy(asyncio.DefaultEventLoopPolicy):
        def new_event_loop(self) -> asyncio.AbstractEventLoop:
            return Own()

    async def where(_: int) -> Any:
        return type(asyncio.get_running_loop())

    asyncio.set_event_loop_policy(Policy())
    try:
        backend, came = Asyncio(), Came()
        backend.submit(Batch(where, [1], came))
        assert came.wait().values == [Own]
        backend.close()
    finally:
        asyncio.set_event_loop_policy(None)
