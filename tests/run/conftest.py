"""One way to write what a unit does, whether it is a thread, an asyncio task or a greenlet; and benches of backends."""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sized
from typing import Any

import pytest

from backend_bench import CLUSTERS, Bench
from headway.errors import Cancelled
from headway.run.cancellation import CURRENT, CancelToken
from headway.run.channel import Channel
from headway.run.limit import Limit
from headway.run.selection import receive_any, receive_any_async

Body = Callable[..., Coroutine[Any, Any, Any]]


def drive(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that waits only in plain calls."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a body for threads and greenlets awaited something")


class Unit:
    """What was started: its end, and its result or error."""

    def __init__(self) -> None:
        self.result: Any = None
        self.error: BaseException | None = None
        self.cancel: Callable[[], object] = lambda: None
        self._over = threading.Event()

    def over(self) -> bool:
        return self._over.is_set()

    async def run(self, body: Coroutine[Any, Any, Any]) -> None:
        try:
            self.result = await body
        except BaseException as error:  # kept for the test
            self.error = error
        finally:
            self._over.set()


class Kind(ABC):
    """How units of one kind wait; bodies get it as their first argument."""

    cancelled: type[BaseException] | tuple[type[BaseException], ...] = Cancelled
    """What a cancelled unit gets."""

    @abstractmethod
    def main(self, body: Body) -> Any:
        """Run the body of a test, which may start units."""

    @abstractmethod
    def start(self, body: Body, *args: Any) -> Unit:
        """Start a unit."""

    async def pause(self) -> None:
        time.sleep(0.0002)

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await self.pause()

    async def in_line(self, line: Sized, count: int) -> None:
        """Wait until so many units wait."""
        await self.until(lambda: len(line) == count)

    async def join(self, *units: Unit) -> list[Any]:
        """Wait for units, and raise what they raised."""
        for unit in units:
            await self.until(unit.over)
            if unit.error is not None:
                raise unit.error
        return [unit.result for unit in units]

    async def send(self, channel: Channel[Any], item: Any, timeout_s: float | None = None) -> None:
        channel.send(item, timeout_s=timeout_s)

    async def receive(self, channel: Channel[Any], timeout_s: float | None = None) -> Any:
        return channel.receive(timeout_s=timeout_s)

    async def receive_any(self, *channels: Channel[Any], timeout_s: float | None = None) -> tuple[int, Any]:
        return receive_any(*channels, timeout_s=timeout_s)

    async def collect(self, channel: Channel[Any]) -> list[Any]:
        return list(channel)

    async def acquire(self, limit: Limit, timeout_s: float | None = None) -> None:
        limit.acquire(timeout_s=timeout_s)


class Threads(Kind):
    def main(self, body: Body) -> Any:
        return drive(body(self))

    def start(self, body: Body, *args: Any) -> Unit:
        unit, token = Unit(), CancelToken()
        unit.cancel = token.cancel
        context = contextvars.copy_context()
        context.run(CURRENT.set, token)
        threading.Thread(target=context.run, args=(drive, unit.run(body(self, *args))), daemon=True).start()
        return unit


class Tasks(Kind):
    cancelled = asyncio.CancelledError

    def main(self, body: Body) -> Any:
        return asyncio.run(body(self))

    def start(self, body: Body, *args: Any) -> Unit:
        unit = Unit()
        task = asyncio.get_running_loop().create_task(unit.run(body(self, *args)))
        unit.cancel = task.cancel
        return unit

    async def pause(self) -> None:
        await asyncio.sleep(0)

    async def send(self, channel: Channel[Any], item: Any, timeout_s: float | None = None) -> None:
        await channel.send_async(item, timeout_s=timeout_s)

    async def receive(self, channel: Channel[Any], timeout_s: float | None = None) -> Any:
        return await channel.receive_async(timeout_s=timeout_s)

    async def receive_any(self, *channels: Channel[Any], timeout_s: float | None = None) -> tuple[int, Any]:
        return await receive_any_async(*channels, timeout_s=timeout_s)

    async def collect(self, channel: Channel[Any]) -> list[Any]:
        return [item async for item in channel]

    async def acquire(self, limit: Limit, timeout_s: float | None = None) -> None:
        await limit.acquire_async(timeout_s=timeout_s)


class Greenlets(Kind):
    def __init__(self) -> None:
        self._gevent = pytest.importorskip("gevent")
        self.cancelled = self._gevent.GreenletExit

    def main(self, body: Body) -> Any:
        # In a thread of its own, since a hub in pytest's thread would stay for all later tests.
        unit = Unit()

        def hub() -> None:
            try:
                self._gevent.spawn(drive, unit.run(body(self))).join()
            finally:
                self._gevent.get_hub().destroy(destroy_loop=True)

        thread = threading.Thread(target=hub, daemon=True)
        thread.start()
        thread.join()
        if unit.error is not None:
            raise unit.error
        return unit.result

    def start(self, body: Body, *args: Any) -> Unit:
        unit = Unit()
        greenlet = self._gevent.spawn(drive, unit.run(body(self, *args)))
        unit.cancel = lambda: greenlet.kill(block=False)
        return unit

    async def pause(self) -> None:
        self._gevent.sleep(0)


class Mixed(Threads):
    """Starts threads, tasks of a loop in another thread, and greenlets of hubs in other threads, in turn."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._loop_thread.start()
        self._greenlets, self._tasks = Greenlets(), Tasks()
        self.cancelled = (Cancelled, self._greenlets.cancelled, self._tasks.cancelled)  # type: ignore[assignment]
        self._ways = itertools.cycle([super().start, self._start_task, self._start_greenlet])

    def start(self, body: Body, *args: Any) -> Unit:
        return next(self._ways)(body, *args)

    def _start_task(self, body: Body, *args: Any) -> Unit:
        unit = Unit()
        future = asyncio.run_coroutine_threadsafe(unit.run(body(self._tasks, *args)), self._loop)
        unit.cancel = future.cancel
        return unit

    def _start_greenlet(self, body: Body, *args: Any) -> Unit:
        unit = Unit()
        asked = threading.Event()
        unit.cancel = asked.set

        async def with_killer(kind: Kind) -> None:
            inner = kind.start(body, *args)
            killed = False
            while not inner.over():
                if asked.is_set() and not killed:
                    inner.cancel()
                    killed = True
                await kind.pause()
                time.sleep(0.0001)
            unit.result, unit.error = inner.result, inner.error
            unit._over.set()

        threading.Thread(target=self._greenlets.main, args=(with_killer,), daemon=True).start()
        return unit

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._loop_thread.join()
        self._loop.close()


@pytest.fixture(params=["threads", "asyncio", "greenlets", "mixed"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    """Every kind of unit, and all of them at once."""
    kinds: dict[str, Callable[[], Kind]] = {
        "threads": Threads,
        "asyncio": Tasks,
        "greenlets": Greenlets,
        "mixed": Mixed,
    }
    made = kinds[request.param]()
    yield made
    if isinstance(made, Mixed):
        made.close()


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """One kind of backend, as `backend_bench.over` names it."""
    name = request.param
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if name == "interpreters" and sys.version_info < (3, 14):
        pytest.skip(f"not for Python {version}: it has no concurrent.interpreters")
    if name in CLUSTERS and version != "3.11":
        pytest.skip(f"not for Python {version}: clusters are slow to start, and are tested on 3.11")
    for kind, package in (("greenlets", "gevent"), ("dask", "distributed"), ("ray", "ray")):
        if name == kind:
            pytest.importorskip(package)
    made = Bench(name)
    yield made
    made.close()
    assert not made.outcomes.twice
