"""What people call a lock: the name that it is given in the source line where it is made."""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType

__all__ = ["Made", "line_of", "name_of"]

Made = tuple[CodeType, int]
"""Where something is made: the code, and the offset of the instruction in it."""

_Span = tuple[int, int, int, int]
_MAKERS = frozenset(
    {"Lock", "RLock", "Condition", "Event", "Semaphore", "BoundedSemaphore", "SimpleQueue"}
    | {"Barrier", "LifoQueue", "PriorityQueue", "Queue"}
)
_MAKERS_LOW = frozenset({"allocate_lock"})


def line_of(made: Made) -> int:
    """The line in the source; 0 if it is not known."""
    return _positions(made)[0] or 0


def name_of(outer: Made | None, inner: Made | None) -> str:
    """Such as `lock` for `self.lock = Lock()`, and `jobs.mutex` for the lock in `jobs = Queue()`; or nothing.

    Args:
        outer: Where the program made it, or made the object that it is part of.
        inner: Where the library did, that the program called.
    """
    if outer is None:
        return ""
    name, maker = _assigned(outer)
    if inner is None:
        return name if maker in _MAKERS or maker in _MAKERS_LOW else ""
    part, _ = _assigned(inner)
    return f"{name}.{part}" if name and part else name or ""


def _positions(made: Made) -> tuple[int | None, int | None, int | None, int | None]:
    code, offset = made
    found = next(itertools.islice(code.co_positions(), max(0, offset) // 2, None), None)
    return found if found is not None else (code.co_firstlineno, None, None, None)


def _assigned(made: Made) -> tuple[str, str]:
    """The name that the value of this call is given, and what is called."""
    line, end_line, column, end_column = _positions(made)
    if line is None or end_line is None or column is None or end_column is None:
        return "", ""
    span = (line, column, end_line, end_column)
    return _calls(made[0].co_filename).get(span, ("", ""))


@lru_cache(maxsize=64)
def _calls(file: str) -> dict[_Span, tuple[str, str]]:
    """Every call in a file whose value gets a name: where it stands, the name, and what is called."""
    try:
        tree = ast.parse("".join(linecache.getlines(file)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    found: dict[_Span, tuple[str, str]] = {}
    for node in ast.walk(tree):
        for target, value in _bindings(node):
            name = _last_name(target)
            for call in _values(value):
                span = (call.lineno, call.col_offset, call.end_lineno or 0, call.end_col_offset or 0)
                found.setdefault(span, (name, _last_name(call.func)))
    return found


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr | str, ast.expr]]:
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield node.optional_vars, node.context_expr
    elif isinstance(node, ast.keyword) and node.arg is not None:
        yield node.arg, node.value


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    pair = (ast.Tuple, ast.List)
    if isinstance(target, pair) and isinstance(value, pair) and len(target.elts) == len(value.elts):
        for one, other in zip(target.elts, value.elts, strict=True):
            yield from _pairs(one, other)
    else:
        yield target, value


def _values(value: ast.expr) -> Iterator[ast.Call]:
    """The calls that make what a name then stands for, or what lies in it."""
    if isinstance(value, ast.Call):
        yield value
    elif isinstance(value, ast.List | ast.Tuple | ast.Set):
        for item in value.elts:
            yield from _values(item)
    elif isinstance(value, ast.Dict):
        for item in value.values:
            yield from _values(item)
    elif isinstance(value, ast.ListComp | ast.SetComp | ast.GeneratorExp):
        yield from _values(value.elt)
    elif isinstance(value, ast.DictComp):
        yield from _values(value.value)
    elif isinstance(value, ast.IfExp):
        yield from _values(value.body)
        yield from _values(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for item in value.values:
            yield from _values(item)


def _last_name(target: ast.expr | str) -> str:
    if isinstance(target, str):
        return target
    if isinstance(target, ast.Name):
        return target.id
    if isinstance(target, ast.Attribute):
        return target.attr
    return _last_name(target.value) if isinstance(target, ast.Subscript | ast.Starred) else ""
