"""Calls on their way to a worker, and outcomes on their way back, whatever carries them.

Both are plain objects to a carrier within this process. A carrier that pickles gets them packed with care: a
function that cannot be imported goes by cloudpickle, a bad argument or result fails its own call and not the
others, and an exception that would break the carrier on the other side is replaced.
"""

from __future__ import annotations

import functools
import importlib
import os
import pickle
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from headway.errors import CannotSend, InitializerFailed
from headway.run.backends.contract import Setup
from headway.run.backends.window import Chunk
from headway.run.batch import Portion, Spent, run_calls

__all__ = ["Calls", "Outcomes", "PackedCalls", "PackedOutcomes", "make"]


class _Load(NamedTuple):
    """What calls consist of."""

    fn: Callable[..., Any]
    items: Sequence[Any]
    star: bool
    kwargs: Mapping[str, Any]
    initializer: Callable[..., object] | None
    initargs: tuple[Any, ...]
    key: str
    """Of the backend, so that its initializer runs once in each worker."""
    unsent: dict[int, CannotSend]
    """Of the places whose item could not be sent: why."""


class Calls:
    """Calls to make, for `make`.

    Args:
        chunk: Of which they are.
        setup: Of which the initializer runs once in each thread that gets calls with this key.
        key: Of the backend.
        by_value: Whether functions of `__main__` go by value, since the worker has another `__main__`.
    """

    def __init__(self, chunk: Chunk, setup: Setup, key: str, *, by_value: bool) -> None:
        batch = chunk.batch
        self._load = _Load(
            batch.fn, chunk.items, batch.star, dict(batch.kwargs), setup.initializer, setup.initargs, key, {}
        )
        self._by_value = by_value
        self._key = key.encode()

    def open(self) -> _Load:
        """What they consist of."""
        return self._load

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        load = self._load
        try:
            return (PackedCalls, self._pack(load, protocol))
        except Exception as error:
            from headway.run.process.unpicklable import cannot_send

            # Is it the function, with what belongs to it, or some of the items?
            name = getattr(load.fn, "__qualname__", None) or repr(load.fn)
            try:
                self._pack(load._replace(items=()), protocol)
            except Exception:
                raise cannot_send((load.fn, load.kwargs, load.initargs), name, error) from error
            items, unsent = [], dict[int, CannotSend]()
            for place, item in enumerate(load.items):
                try:
                    self._pack(item, protocol)
                except Exception as why:
                    unsent[place] = cannot_send(item, "args" if load.star else "args[0]", why)
                else:
                    items.append(item)
            load = load._replace(items=items, unsent=unsent)
            return (PackedCalls, self._pack(load, protocol))

    def _pack(self, what: Any, protocol: int) -> tuple[Any, ...]:
        # Cached functions keep what they know for as long as the backend is the same.
        return _pack(what, protocol, by_value=self._by_value, salt=self._key)

    def pack(self) -> PackedCalls:
        """Pack now what a carrier would pack when it is too late to tell why it cannot.

        Raises:
            CannotSend: The function cannot be sent.
        """
        cls, args = self.__reduce_ex__(5)
        packed: PackedCalls = cls(*args)
        return packed


class PackedCalls:
    """Calls that came from another process or interpreter."""

    def __init__(self, data: bytes, *buffers: Any) -> None:
        self._data = data
        self._buffers = buffers

    def open(self) -> _Load:
        load: _Load = pickle.loads(self._data, buffers=self._buffers)
        return load


def make(calls: Calls | PackedCalls) -> Outcomes:
    """Make calls in this thread. Does not raise: what cannot even be opened is an outcome, too."""
    packed = isinstance(calls, PackedCalls)
    worker = f"process {os.getpid()}" if packed else threading.current_thread().name
    try:
        load = calls.open()
    except Exception as error:
        first: BaseException = error
        while first.__cause__ is not None:
            first = first.__cause__
        refused = isinstance(error, ImportError) and "subinterpreter" in str(first)
        failure = CannotSend(
            f"calls cannot be opened in {worker}: {type(first).__name__}: {first}",
            hint="use on='processes' or on='threads' for what needs this module" if refused else None,
        )
        failure.__cause__ = error
        return Outcomes([], {}, failure, Spent(0, 0, time.monotonic_ns(), 0, worker))
    failed = _initialize(load)
    if failed is not None:
        return Outcomes([], {}, failed, Spent(0, 0, time.monotonic_ns(), 0, worker))
    cpu_ns, started_ns = time.thread_time_ns(), time.monotonic_ns()
    values, errors = run_calls(load.fn, load.items, load.star, load.kwargs)
    spent = Spent(0, started_ns, time.monotonic_ns(), time.thread_time_ns() - cpu_ns, worker)
    if load.unsent:
        values, errors = _with_unsent(values, errors, load.unsent)
    return Outcomes(values, errors, None, spent, load.fn)


def _with_unsent(
    values: list[Any], errors: dict[int, BaseException], unsent: Mapping[int, BaseException]
) -> tuple[list[Any], dict[int, BaseException]]:
    all_values: list[Any] = []
    all_errors: dict[int, BaseException] = dict(unsent)
    for place, value in enumerate(values):
        while len(all_values) in unsent:
            all_values.append(None)
        if place in errors:
            all_errors[len(all_values)] = errors[place]
        all_values.append(value)
    all_values += [None] * (len(values) + len(unsent) - len(all_values))
    return all_values, all_errors


class Outcomes:
    """What came of calls.

    Args:
        values: As in `Portion`.
        errors: As in `Portion`.
        failure: Why none of them ran; the others are then empty.
        spent: As in `Portion`; the carrier knows when they were sent.
        fn: What was called, for messages.
    """

    def __init__(
        self,
        values: list[Any],
        errors: dict[int, BaseException],
        failure: BaseException | None,
        spent: Spent,
        fn: object = None,
    ) -> None:
        self._values = values
        self._errors = errors
        self._failure = failure
        self._spent = spent
        self._fn = fn

    def portion(self, chunk: Chunk) -> Portion:
        """These outcomes as those of a chunk."""
        if self._failure is not None:
            return chunk.failed(self._failure, self._spent.worker)
        spent = self._spent._replace(sent_ns=chunk.sent_ns)
        return Portion(chunk.batch, chunk.first, self._values, self._errors, spent)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        values, errors = self._values, self._errors
        try:
            data, *buffers = _pack(values, protocol)
        except Exception:
            values, errors = list(values), dict(errors)
            for place, value in enumerate(values):
                try:
                    _pack(value, protocol)
                except Exception as why:
                    from headway.run.process.unpicklable import cannot_return

                    errors[place] = cannot_return(value, self._fn, why)
                    values[place] = None
            data, *buffers = _pack(values, protocol)
        from headway.run.process.failure import pack_failure

        packed = {place: pack_failure(error) for place, error in errors.items()}
        failure = None if self._failure is None else pack_failure(self._failure)
        return (PackedOutcomes, (packed, failure, self._spent, _machine(), data, *buffers))

    def pack(self) -> PackedOutcomes:
        """Pack them now."""
        cls, args = self.__reduce_ex__(5)
        packed: PackedOutcomes = cls(*args)
        return packed


class PackedOutcomes:
    """Outcomes that came from another process or interpreter."""

    def __init__(
        self,
        errors: dict[int, bytes],
        failure: bytes | None,
        spent: Spent,
        machine: str,
        data: bytes,
        *buffers: Any,
    ) -> None:
        self.spent = spent
        self._errors = errors
        self._failure = failure
        self._machine = machine
        self._data = data
        self._buffers = buffers

    def portion(self, chunk: Chunk) -> Portion:
        """These outcomes as those of a chunk."""
        worker = self.spent.worker
        try:
            values = pickle.loads(self._data, buffers=self._buffers)
        except Exception as error:
            failure = CannotSend(f"results of {worker} cannot be opened: {type(error).__name__}: {error}")
            failure.__cause__ = error
            return chunk.failed(failure, worker)
        from headway.run.process.failure import unpack_failure

        errors = {place: unpack_failure(packed) for place, packed in self._errors.items()}
        failed = None if self._failure is None else unpack_failure(self._failure)
        spent = self.spent
        if self._machine != _machine():
            # The clock of another machine says how long, not when.
            shift_ns = time.monotonic_ns() - spent.ended_ns
            spent = spent._replace(started_ns=spent.started_ns + shift_ns, ended_ns=spent.ended_ns + shift_ns)
        return Outcomes(values, errors, failed, spent).portion(chunk)


_initialized = threading.local()


def _initialize(load: _Load) -> InitializerFailed | None:
    """Run the initializer, unless it ran in this thread."""
    if load.initializer is None:
        return None
    done: dict[str, InitializerFailed | None] = _initialized.__dict__.setdefault("done", {})
    if load.key not in done:
        done[load.key] = None
        try:
            load.initializer(*load.initargs)
        except BaseException as error:
            failed = InitializerFailed(f"the initializer raised {type(error).__name__}: {error}")
            failed.__cause__ = error
            done[load.key] = failed
    return done[load.key]


def _pack(what: Any, protocol: int, *, by_value: bool = False, salt: bytes = b"") -> tuple[Any, ...]:
    """Pickle it, arrays apart where the protocol can."""
    buffers: list[pickle.PickleBuffer] = []
    apart = buffers.append if protocol >= 5 else None
    if not by_value or _by_value() is None:
        try:
            return (pickle.dumps(what, protocol, buffer_callback=apart), *buffers)
        except Exception:
            if _by_value() is None:
                raise
            buffers.clear()
    stronger = _by_value()
    assert stronger is not None
    return (stronger(what, apart, protocol=protocol, salt=salt), *buffers)


@functools.cache
def _by_value() -> Callable[..., bytes] | None:
    try:
        dumps: Callable[..., bytes] = importlib.import_module("headway.run.process.by_value").pickle_by_value
    except ImportError:  # no cloudpickle
        return None
    return dumps


@functools.cache
def _machine() -> str:
    """The same for all processes that share a monotonic clock."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read()
    except OSError:
        return os.uname().nodename
