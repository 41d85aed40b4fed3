"""Traced: handovers on Python 3.11, which has no `sys.monitoring`: each instruction is looked at.

`sys.settrace` tells of instructions before they happen, and not what is called. So a call counts once the instruction
after it is there, unless it was seen that a Python function was called directly; where that cannot be seen it counts.
"""

from __future__ import annotations

import dis
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType, FunctionType
from typing import Any

from headway.check.handovers.code import announces, counts, forwards, in_c, in_python, is_ours, names_callee
from headway.check.handovers.counting import Handovers
from headway.check.world import world

__all__ = ["traced"]

_UNKNOWN_DEPTH = 100
_PUSHES_NOTHING = (
    "DELETE_",
    "EXTENDED_ARG",
    "JUMP_",
    "KW_NAMES",
    "NOP",
    "POP_",
    "PRECALL",
    "RESUME",
    "STORE_",
)
"""Beginnings of the names of instructions that leave nothing new on the stack."""
_NAMED = ("LOAD_METHOD", "LOAD_GLOBAL", "LOAD_FAST", "LOAD_DEREF")
_NO_WAY_ON = ("JUMP_BACKWARD", "JUMP_FORWARD", "RAISE_VARARGS", "RERAISE", "RETURN_VALUE")

Callee = tuple[str, str]
"""The instruction that loaded what is called, and the name in it."""
_FORWARDED: Callee = ("forwarded", "")
"""It is known only when it is called."""


@contextmanager
def traced() -> Iterator[Handovers | None]:
    """Count while the block runs."""
    handovers = _Traced()
    before, world.trace = sys.gettrace(), handovers.begin
    try:
        yield handovers
    finally:
        world.trace = None
        sys.settrace(before)


class _Traced(Handovers):
    def __init__(self) -> None:
        super().__init__()
        self._calls: dict[CodeType, dict[int, Callee]] = {}
        self._begins: Any = self.begin  # one object, to be compared

    def sees(self) -> bool:
        """Does the caller's thread still have our trace function?"""
        return bool(sys.gettrace() == self._begins)

    def begin(self, frame: FrameType, event: str, _: Any) -> Any:
        """A Python function starts, or a generator goes on."""
        code, back = frame.f_code, frame.f_back
        caller = back.f_trace if back is not None else None
        if names_callee(code) and isinstance(caller, _Frame):
            caller.forwards_to_python = in_python(frame.f_locals["function"])
        if not counts(frame):
            return None
        if in_c(code):
            frame.f_trace_lines = False
            return self._end
        self.add()
        if is_ours(code):
            return None
        if (
            isinstance(caller, _Frame)
            and caller.called is not None
            and _is_direct(caller.called, frame, back)
        ):
            caller.called = None
        calls = self._calls.get(code)
        if calls is None:
            calls = self._calls[code] = calls_of(code)
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return _Frame(self, calls)

    def _end(self, frame: FrameType, event: str, _: Any) -> Any:
        """What stands for a function in C has come to its end, or raised."""
        if event == "return":
            self.add()
        return self._end


class _Frame:
    """Follows one frame."""

    __slots__ = ("_at", "_calls", "_handovers", "called", "forwards_to_python")

    def __init__(self, handovers: _Traced, calls: dict[int, Callee]) -> None:
        self._handovers = handovers
        self._calls = calls
        self._at = -1
        self.called: Callee | None = None
        """It is in a call after which the interpreter looks."""
        self.forwards_to_python = False
        """What rewritten code is about to call in place of the program's own is a Python function."""

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Frame:
        if event == "opcode":
            at = frame.f_lasti
            if self.called is not None or at < self._at:
                self._handovers.add()
            self._at = at
            self.called = self._calls.get(at)
            if self.called == _FORWARDED and self.forwards_to_python:
                self.called = None
        elif event == "exception":
            # Where a call raises the interpreter does not look, but C code may have let the GIL go before.
            if self.called is not None:
                self._handovers.add()
            self.called = None
        return self


def _is_direct(called: Callee, frame: FrameType, caller: FrameType | None) -> bool:
    """Was it this function itself that was called, and not some C code that called it?"""
    how, name = called
    code = frame.f_code
    if name != code.co_name or caller is None:
        return False
    found: Any = None
    if how == "LOAD_GLOBAL":
        found = caller.f_globals.get(name)
    elif how in ("LOAD_FAST", "LOAD_DEREF"):
        found = caller.f_locals.get(name)
    elif how == "LOAD_METHOD" and code.co_argcount:
        owner = frame.f_locals.get(code.co_varnames[0])
        kinds = owner.__mro__ if type(owner) is type else type(owner).__mro__
        found = next((kind.__dict__[name] for kind in kinds if name in kind.__dict__), None)
        if type(found) in (classmethod, staticmethod):
            found = found.__func__
    return type(found) is FunctionType and found.__code__ is code


def calls_of(code: CodeType) -> dict[int, Callee]:
    """The calls in code after which the interpreter looks, by offset: all but those of what only announces.

    The depth of the stack is followed from one instruction to the next, which says who loaded what is called.
    """
    calls: dict[int, Callee] = {}
    depth = 0
    depths: dict[int, int] = {}
    loaded: dict[int, dis.Instruction] = {}
    goes_on = True
    for instruction in dis.get_instructions(code):
        name, argument, offset = instruction.opname, instruction.arg, instruction.offset
        if not goes_on:
            depth = depths.get(offset, _UNKNOWN_DEPTH)
            loaded = {place: by for place, by in loaded.items() if place < depth}
        goes_on = name not in _NO_WAY_ON
        place = None
        if name == "CALL":  # the arguments have been taken into account at PRECALL
            place = depth - 1
        elif name == "CALL_FUNCTION_EX":
            place = depth - 2 - ((argument or 0) & 1)
        if place is not None:
            by = loaded.get(place)
            if by is not None and by.opname == "LOAD_CONST" and forwards(by.argval):
                calls[offset] = _FORWARDED
            elif by is None or by.opname != "LOAD_CONST" or not announces(by.argval):
                direct = by is not None and name == "CALL" and by.opname in _NAMED
                calls[offset] = (by.opname, str(by.argval)) if by is not None and direct else ("", "")
        if instruction.opcode in dis.hasjrel:
            depths.setdefault(
                instruction.argval, depth + dis.stack_effect(instruction.opcode, argument, jump=True)
            )
        before = depth
        depth += dis.stack_effect(instruction.opcode, argument, jump=False)
        for place in [place for place in loaded if place >= depth]:
            del loaded[place]
        if not name.startswith(_PUSHES_NOTHING):
            loaded.pop(depth - 1, None)
            if name.startswith("LOAD_"):
                for place in range(before - (name == "LOAD_METHOD"), depth):
                    loaded[place] = instruction
        if name == "SWAP":
            loaded.pop(depth - (argument or 0), None)
    return calls
