"""Instructions as points, at granularity `opcode`: `sys.monitoring` from Python 3.12 on, `sys.settrace` before.

Instructions that touch nothing but the function's own locals commute with whatever others do, and are no points.
"""

from __future__ import annotations

import _thread
import dis
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from headway.check.rewriting import Rewritten
from headway.check.rewriting.compiled import Source, source_of
from headway.check.rewriting.reach import Reach
from headway.check.world import world
from headway.errors import CheckError

__all__ = ["instructions", "plain"]

_get_ident = _thread.get_ident

_PRIVATE = (
    "BUILD_TUPLE", "CACHE", "CHECK_EXC_MATCH", "COPY", "COPY_FREE_VARS", "EXTENDED_ARG", "IS_OP", "JUMP_", "KW_NAMES",
    "LOAD_CLOSURE", "LOAD_COMMON_CONSTANT", "LOAD_CONST", "LOAD_FAST", "LOAD_SMALL_INT", "MAKE_CELL", "MAKE_FUNCTION",
    "NOP", "NOT_TAKEN", "POP_EXCEPT", "POP_ITER", "POP_JUMP", "POP_TOP", "PRECALL", "PUSH_EXC_INFO", "PUSH_NULL",
    "RERAISE", "RESUME", "RETURN_", "STORE_FAST", "SWAP", "UNARY_NOT",
)  # fmt: skip
"""Beginnings of their names."""


class _Place:
    """Where an instruction is."""

    __slots__ = ("code", "name", "offset")

    def __init__(self, code: CodeType, offset: int, name: str) -> None:
        self.code = code
        self.offset = offset
        self.name = name


@contextmanager
def plain(scenario: Callable[..., object], also: Sequence[str]) -> Iterator[Rewritten]:
    """The code as it is: nothing but what is doubled is a point."""
    yield _code_of(scenario, also)[0]


@contextmanager
def instructions(scenario: Callable[..., object], also: Sequence[str]) -> Iterator[Rewritten]:
    """While the block runs, a point comes before each instruction of the scenario's own code."""
    code, codes = _code_of(scenario, also)
    places = {each: _places(each) for each in codes}
    watch = _monitored if sys.version_info >= (3, 12) else _traced
    with watch(places):
        yield code


def _code_of(scenario: Callable[..., object], also: Sequence[str]) -> tuple[Rewritten, list[CodeType]]:
    reach = Reach(scenario, also)
    codes: dict[int, CodeType] = {}
    waiting = [function.__code__ for function in reach.functions]
    sources: dict[str, Source] = {}
    while waiting:
        each = waiting.pop()
        if id(each) in codes:
            continue
        codes[id(each)] = each
        waiting += [inner for inner in each.co_consts if isinstance(inner, CodeType)]
        if each.co_filename not in sources and (source := source_of(each.co_filename)) is not None:
            sources[each.co_filename] = source
    return Rewritten([sources[file] for file in sorted(sources)], [], list(reach.missing)), list(
        codes.values()
    )


def _places(code: CodeType) -> dict[int, _Place]:
    return {
        instruction.offset: _Place(code, instruction.offset, instruction.opname)
        for instruction in dis.get_instructions(code)
        if not instruction.opname.startswith(_PRIVATE)
    }


def _arrive(place: _Place) -> None:
    execution = world.execution
    if execution is None or execution.ident != _get_ident():
        return
    me = execution.running
    me.steps += 1
    if len(execution.live) == 1 and me.steps < me.limit:
        return
    me.kind = "opcode"
    me.owner = me.variable = None
    me.write = True
    me.where = place
    if execution.watcher is not None:
        execution.watcher.announced(me)
    execution.idle = 0
    execution.arrive(me)


@contextmanager
def _monitored(places: dict[CodeType, dict[int, _Place]]) -> Iterator[None]:
    monitoring: Any = sys.monitoring  # type: ignore[attr-defined, unused-ignore]  # there since 3.12
    tool = next((number for number in (4, 3, 5) if monitoring.get_tool(number) is None), None)
    if tool is None:
        raise CheckError("granularity='opcode': other tools have taken all places of sys.monitoring")

    def instruction(code: CodeType, offset: int) -> Any:
        place = places[code].get(offset)
        if place is None:
            return monitoring.DISABLE
        _arrive(place)
        return None

    monitoring.use_tool_id(tool, "headway")
    event = monitoring.events.INSTRUCTION
    try:
        monitoring.register_callback(tool, event, instruction)
        for code in places:
            monitoring.set_local_events(tool, code, event)
        monitoring.restart_events()
        yield
    finally:
        for code in places:
            monitoring.set_local_events(tool, code, 0)
        monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)


@contextmanager
def _traced(places: dict[CodeType, dict[int, _Place]]) -> Iterator[None]:
    def local(frame: FrameType, event: str, _: Any) -> Any:
        if event == "opcode":
            place = places[frame.f_code].get(frame.f_lasti)
            if place is not None:
                _arrive(place)
        return local

    def begin(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code not in places:
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return local

    world.trace = begin
    try:
        yield
    finally:
        world.trace = None
