"""Interpreters of this process, each with a GIL of its own: cores without processes, from Python 3.14 on."""

from __future__ import annotations

import importlib
import itertools
import os
import pickle
import queue
import sys
import threading
import weakref
from typing import Any, ClassVar

from headway.errors import MissingExtra
from headway.run.backends.calls import Calls, PackedOutcomes, make
from headway.run.backends.contract import Setup
from headway.run.backends.window import Chunk, Windowed
from headway.run.cores import available_cores

__all__ = ["Interpreters", "make_packed"]

try:
    interpreters: Any = importlib.import_module("concurrent.interpreters")
except ModuleNotFoundError as error:
    raise MissingExtra(
        f"on='interpreters' needs CPython 3.14 or newer, and this is {sys.version.split()[0]}",
        hint="use on='processes'",
    ) from error

_Queue = queue.SimpleQueue["tuple[Interpreters, Chunk] | None"]


class Interpreters(Windowed):
    """A pool of threads, each of which owns an interpreter and sends its calls there.

    Interpreters share no objects: arguments and results are pickled, functions of `__main__` and lambdas by
    cloudpickle. Extension modules that refuse to be imported by more than one interpreter, such as numpy, cannot
    be used; a call that needs one fails with what the import raised.

    Args:
        workers: At most so many interpreters; None is one for each core.
        setup: The initializer runs in each interpreter before its first call.
    """

    name: ClassVar[str] = "interpreters"
    batch_ns: ClassVar[int] = 5_000_000
    stops: ClassVar[bool] = False
    local: ClassVar[bool] = False

    _pools = itertools.count(1)

    def __init__(self, workers: int | None = None, setup: Setup = Setup()) -> None:
        super().__init__(workers or available_cores(), setup)
        self._name = f"{setup.name}-interpreter-{next(self._pools)}"
        self._key = os.urandom(8).hex()
        self._queue: _Queue = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        weakref.finalize(self, _leave, self._queue, self._threads).atexit = False

    def _start(self, chunk: Chunk) -> None:
        # invariant: a thread for each chunk that is out, so none waits for a thread.
        if len(self._out) > len(self._threads):
            number = len(self._threads) + 1
            thread = threading.Thread(
                target=_work, args=(self._queue,), name=f"{self._name}-{number}", daemon=True
            )
            thread.start()
            self._threads.append(thread)
        self._queue.put((self, chunk))

    def _run(self, chunk: Chunk, interpreter: Any) -> None:
        try:
            data = pickle.dumps(Calls(chunk, self._setup, self._key, by_value=True), 5)
            outcomes: PackedOutcomes = pickle.loads(interpreter.call(make_packed, data))
            outcomes.spent = outcomes.spent._replace(worker=threading.current_thread().name)
            portion = outcomes.portion(chunk)
        except BaseException as error:
            portion = chunk.failed(error)
        self._finish(chunk, portion)

    def _may_wait(self) -> bool:
        return threading.current_thread() not in self._threads

    def _let_go(self) -> None:
        _leave(self._queue, self._threads)

    def close(self, *, wait: bool = True, abort: bool = False) -> None:
        super().close(wait=wait, abort=abort)
        if wait and not abort and self._may_wait():
            for thread in self._threads:
                thread.join()


def make_packed(data: bytes) -> bytes:
    """Make calls in this interpreter."""
    return pickle.dumps(make(pickle.loads(data)), 5)


# No methods: a thread that held the backend would keep one that nobody closes alive for ever.
def _work(chunks: _Queue) -> None:
    interpreter: Any = None
    while (work := chunks.get()) is not None:
        backend, chunk = work
        try:
            if interpreter is None:
                interpreter = _make_interpreter()
        except BaseException as error:
            backend._finish(chunk, chunk.failed(error))
        else:
            backend._run(chunk, interpreter)
        del work, backend, chunk
    if interpreter is not None:
        interpreter.close()


def _make_interpreter() -> Any:
    interpreter = interpreters.create()
    # A new one has the path that the program began with.
    interpreter.exec(f"import sys; sys.path[:] = {[entry for entry in sys.path if isinstance(entry, str)]!r}")
    return interpreter


def _leave(chunks: _Queue, threads: list[threading.Thread]) -> None:
    for _ in threads:
        chunks.put(None)
