"""Batches as frames to a worker."""

from __future__ import annotations

import itertools
import re
import sys
import threading
import types
import weakref
from _pickle import dumps
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from headway.errors import CannotSend
from headway.run.batch import Batch
from headway.run.process import wire
from headway.run.process.answers import SIMPLE_TYPES
from headway.run.process.flight import Task
from headway.run.process.handle import Handle
from headway.run.process.payload import LARGE, MAIN, Parcel, Pickled, dump, here
from headway.run.process.unpicklable import cannot_send
from headway.run.process.variables import Carrier
from headway.run.process.worker import BATCH_HEAD, HAS_CALL, HAS_CONTEXT, MOST_CALLS, STAR, TIMED

__all__ = ["Outgoing"]


class Call(NamedTuple):
    """A function and its keyword arguments, pickled once for many batches."""

    number: int
    fn: Callable[..., Any]
    kwargs: Mapping[str, Any]
    origin: Callable[[], object]
    """Whose batches it is for. Weak, since it leads to the results."""
    pickled: Pickled
    fixed: bool
    """Whether it goes by its name, and so cannot have changed since."""
    local: tuple[bytes, ...]


class Frame(NamedTuple):
    """A task as it is sent."""

    data: bytes
    fds: list[int]
    call: int
    """The number of its function, which the worker will know."""
    context: int
    """The number of its context, which the worker will have."""
    local: tuple[bytes, ...]
    """The modules of which things go by value in it."""

    def note(self, handle: Handle) -> None:
        """It is sent: count along with the worker, see `Worker._batch`."""
        if self.call not in handle.known:
            if len(handle.known) == MOST_CALLS:
                del handle.known[next(iter(handle.known))]
            handle.known[self.call] = None
        handle.context = self.context


class Outgoing:
    """Makes frames of tasks. Any thread may, for a worker that it has taken."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._numbers = itertools.count(1)
        self._carrier = Carrier()
        self._carrying = threading.Lock()
        self.local: tuple[bytes, ...] = MAIN
        """Modules that the workers cannot import."""

    def frame(self, task: Task, handle: Handle) -> Frame:
        """The frame that sends a task.

        Raises:
            CannotSend: The function cannot be sent.
            Exception: The arguments cannot be sent.
        """
        batch = task.batch
        local = self.local
        call = self._call(task)
        if task.stop - task.start == 1 and batch.timeout_s is None and call.number in handle.known:
            single = self._single(task, handle, call)
            if single is not None:
                return single
        items = batch.items if task.stop - task.start == len(batch) else batch.items[task.start : task.stop]
        pickled, _ = dump(items if type(items) is list else list(items), self.local)
        flags = (STAR if batch.star else 0) | (TIMED if batch.timeout_s is not None else 0)
        small = here(pickled)
        # Most are like this, and this is quicker.
        if small is not None and not task.context and call.number in handle.known:
            head = BATCH_HEAD.pack(call.number, task.stop - task.start, flags, 0)
            return Frame(wire.frame(wire.BATCH, handle.next, head + small), [], call.number, 0, local)
        parcel = Parcel()
        try:
            new = call.number not in handle.known
            if new:
                flags |= HAS_CALL
            context = 0
            if task.context:
                with self._carrying:
                    context, variables = self._carrier.pack(task.context, self.local)
                if context and context != handle.context:
                    flags |= HAS_CONTEXT
            parcel.add(BATCH_HEAD.pack(call.number, task.stop - task.start, flags, context))
            if flags & HAS_CONTEXT:
                parcel.put((variables, []))
            if new:
                parcel.put(call.pickled)
            parcel.put(pickled)
        except BaseException:
            parcel.close()
            raise
        data = wire.frame(wire.BATCH, handle.next, parcel.body(), len(parcel.fds))
        return Frame(data, parcel.fds, call.number, context, local)

    def _single(self, task: Task, handle: Handle, call: Call) -> Frame | None:
        """The frame of a call that is alone, if its arguments are simple and the worker has its context."""
        star, item = task.batch.star, task.batch.items[task.start]
        for part in item if star else (item,):
            if type(part) not in SIMPLE_TYPES:
                return None
        data = dumps(item, 5)
        size = wire.CALL_BODY.size + len(data)
        if size >= LARGE:
            return None
        context = 0
        if task.context:
            with self._carrying:
                context, _ = self._carrier.pack(task.context, self.local)
            if context and context != handle.context:
                return None
        head = wire.CALL_FRAME.pack(size, wire.CALL, 0, 0, handle.next, call.number, context, star)
        return Frame(head + data, [], call.number, context, self.local)

    def rest(self) -> None:
        """Nothing is to be done: keep nothing of the program's."""
        self._calls = {key: call for key, call in self._calls.items() if call.fixed}

    def bad_calls(self, task: Task) -> dict[int, CannotSend]:
        """Which calls of a task cannot be sent, by their place in the batch."""
        bad = {}
        for place in range(task.start, task.stop):
            item = task.batch.items[place]
            try:
                dump([item], self.local)
            except Exception as error:
                args = item if task.batch.star else (item,)
                bad[place] = cannot_send(args, "args", error)
        return bad

    def learn_missing(self, fn: Callable[..., Any], error: BaseException, sent: tuple[bytes, ...]) -> bool:
        """Have a module go by value that a worker could not import.

        Args:
            fn: What it could not unpickle, or what was sent along with that.
            error: What it says.
            sent: The modules that went by value then: another worker may have taught us more since.
        Returns:
            False if that would not help.
        """
        names = {getattr(fn, "__module__", "")}
        if isinstance(error, ModuleNotFoundError):
            names.add(error.name or "")
        elif isinstance(error, AttributeError):
            names.update(re.findall(r"<module '([^']+)'", str(error)))
        else:
            return False
        found = {
            name.encode()
            for name in names
            # A namespace package has a __file__, which is None.
            if isinstance(name, str)
            and (getattr(sys.modules.get(name), "__file__", None) or "").endswith(".py")
        }
        if found <= set(sent):
            return False
        self.local = (*self.local, *sorted(found - set(self.local)))
        return True

    def _call(self, task: Task) -> Call:
        batch = task.batch
        call = self._calls.get(id(batch.fn))
        if (
            call is not None
            and call.fn is batch.fn
            and (call.kwargs is batch.kwargs or not (call.kwargs or batch.kwargs))
            # What goes by value may change between two maps, so it is sent anew for each; and for each call that
            # was submitted by itself.
            and (call.fixed or (batch.origin is not None and call.origin() is batch.origin))
            and call.local is self.local
        ):
            return call
        try:
            pickled, by_value = dump((batch.fn, dict(batch.kwargs)), self.local)
        except Exception as error:
            raise self._cannot(batch, error) from error
        fixed = (
            not by_value
            and not batch.kwargs
            and isinstance(batch.fn, (types.FunctionType, types.BuiltinFunctionType, type))
        )
        call = Call(
            next(self._numbers), batch.fn, batch.kwargs, _weak(batch.origin), pickled, fixed, self.local
        )
        if len(self._calls) >= MOST_CALLS:
            self._calls.clear()
        self._calls[id(batch.fn)] = call
        return call

    def _cannot(self, batch: Batch, error: Exception) -> CannotSend:
        for name, value in batch.kwargs.items():
            try:
                dump(value, self.local)
            except Exception as cause:
                return cannot_send(value, name, cause)
        return cannot_send(batch.fn, getattr(batch.fn, "__qualname__", "fn"), error)


def _weak(origin: object) -> Callable[[], object]:
    return (lambda: None) if origin is None else weakref.ref(origin)
