"""Monitored: handovers as `sys.monitoring` tells of them (PEP 669), from Python 3.12 on."""

from __future__ import annotations

import dis
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType
from typing import Any

from headway.check.handovers.code import announces, counts, forwards, in_c, in_python, is_ours, stands_in
from headway.check.handovers.counting import Handovers

__all__ = ["monitored"]


@contextmanager
def monitored() -> Iterator[Handovers | None]:
    """Count while the block runs; None: all places for tools are taken."""
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]  # there since 3.12
    tool = next((number for number in (4, 3, 5) if monitoring.get_tool(number) is None), None)
    if tool is None:
        yield None
        return
    handovers = Handovers()
    disable, add = monitoring.DISABLE, handovers.add

    def started(code: CodeType, offset: int) -> Any:
        if in_c(code) or (is_ours(code) and not stands_in(code)):
            return disable
        if counts(sys._getframe(1)):
            add()
        return None

    codes: dict[int, tuple[CodeType, bytes]] = {}

    def instruction(code: CodeType, offset: int) -> str:
        if id(code) not in codes:
            codes[id(code)] = code, code.co_code
        return dis.opname[codes[id(code)][1][offset]]

    forwarding: set[tuple[int, int]] = set()

    def called(code: CodeType, offset: int, function: object, first: object) -> Any:
        if forwards(function):
            forwarding.add((id(code), offset))
        return disable if is_ours(code) else None  # without this event there would be none of the return

    def returned(code: CodeType, offset: int, function: object, first: object) -> None:
        # Subtle: there is no such event when a Python function has been called, where the interpreter does not look
        # either. There is one for `super().name`, which is no call since 3.12; on 3.11 it is one, and so it counts.
        if is_ours(code) or announces(function) or (forwards(function) and in_python(first)):
            return
        if counts(sys._getframe(1)):
            add()

    def ended(code: CodeType, offset: int, value: object) -> Any:
        if is_ours(code):
            if not in_c(code):
                return disable
            if counts(sys._getframe(1)):
                add()
            return None
        # Subtle: after `method(*arguments)` the interpreter looks, although it tells of no return. It does not if what
        # was called so is a function, which cannot be seen here.
        back = sys._getframe(1).f_back
        if back is None or is_ours(back.f_code) or (id(back.f_code), back.f_lasti) in forwarding:
            return None
        if instruction(back.f_code, back.f_lasti) == "CALL_FUNCTION_EX" and counts(back):
            add()
        return None

    def raised(code: CodeType, offset: int, error: BaseException) -> None:
        # The interpreter does not look then, but who has waited in vain has let the GIL go.
        if in_c(code) and counts(sys._getframe(1)):
            add()

    def jumped(code: CodeType, offset: int, target: int) -> Any:
        if target > offset or is_ours(code):
            return disable
        if counts(sys._getframe(1)):
            add()
        return None

    events = monitoring.events
    callbacks: dict[int, Callable[..., Any]] = {
        events.PY_START: started,
        events.PY_RESUME: started,
        events.PY_RETURN: ended,
        events.PY_UNWIND: raised,
        events.CALL: called,
        events.C_RETURN: returned,
        events.C_RAISE: returned,  # it may have let the GIL go before, as to look for a file that is not there
        events.JUMP: jumped,
    }
    monitoring.use_tool_id(tool, "headway")
    try:
        for event, callback in callbacks.items():
            monitoring.register_callback(tool, event, callback)
        # C_RETURN and C_RAISE come with CALL.
        told = set(callbacks) - {events.C_RETURN, events.C_RAISE}
        monitoring.set_events(tool, sum(told))
        monitoring.restart_events()  # what the last who had this number did not want to see
        yield handovers
    finally:
        monitoring.set_events(tool, 0)
        for event in callbacks:
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)
