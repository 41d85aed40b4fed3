"""What the source says of locks: which one a line takes, and which ones a thread holds where it stands.

A lock of Python may be released by any thread. Whether its owner will do that itself, or somebody else, is not
in a trace; but it can be seen where the owner stands: inside `with lock`, or between `lock.acquire()` and
`lock.release()` of one function. Names are compared, so this supports what the trace says and never replaces it.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from headway.trace.stacks import Frame

_FACTORIES = {"Lock", "RLock", "Condition", "Semaphore", "BoundedSemaphore", "allocate_lock"}
_TAKES = {"acquire", "__enter__"}
_Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.GeneratorExp | ast.Module
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.GeneratorExp, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Hold:
    """A lock that a thread holds where it stands: its name there, and the line on which it took it.

    Attributes:
        local: The name is the function's own, such as that of a parameter: it may stand for any lock.
        used: The line where the thread stands names the lock that it has taken by a call: it takes it again, or hands
            it to who does. So waits who waits for a signal that another gives by releasing it.
    """

    name: str
    file: str
    line: int
    text: str
    local: bool
    used: bool = False


@dataclass
class _Bindings:
    """What a name stands for in a file: a lock that is made there, another name, or the result of a call."""

    locks: dict[str, set[int]] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    results: set[str] = field(default_factory=set)
    same: dict[str, str] = field(default_factory=dict)


class Source:
    """One file of the program, parsed."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self._tree = ast.parse(text)

    # --- where a line is

    def taken_at(self, line: int) -> list[str]:
        """Names of locks that a line takes: as items of a `with`, or by `acquire()`; in order."""
        found = []
        for node in ast.walk(self._tree):
            if isinstance(node, ast.With | ast.AsyncWith):
                found += [
                    (item.context_expr.lineno, item.context_expr.col_offset, name)
                    for item in node.items
                    if _covers(item.context_expr, line) and (name := _name(item.context_expr))
                ]
            called = _called(node, _TAKES) if _covers(node, line) else None
            if called is not None and (name := _name(called)):
                found.append((called.lineno, called.col_offset, name))
        return [name for _, _, name in sorted(found)]

    def takes_for_good(self, line: int) -> bool:
        """Whether a line takes a lock, and waits for it however long that takes."""
        calls = [node for node in ast.walk(self._tree) if isinstance(node, ast.Call) and _covers(node, line)]
        taking = [node for node in calls if _called(node, _TAKES) is not None]
        if any(node.args or node.keywords for node in taking):
            return False
        return bool(taking) or any(
            _covers(item.context_expr, line)
            for node in ast.walk(self._tree)
            if isinstance(node, ast.With)
            for item in node.items
        )

    def holds(self, line: int, function: str) -> list[Hold]:
        """What the function whose frame is at a line holds there, by what it has taken itself."""
        found = []
        for scope in self._scopes(function, line):
            local = _aliases_in(scope)
            found += list(self._by_with(scope, line, local))
            found += list(self._by_call(scope, line, local))
        return found

    def _by_with(self, scope: _Scope, line: int, local: set[str]) -> Iterator[Hold]:
        for node in _inside(scope):
            if not isinstance(node, ast.With | ast.AsyncWith):
                continue
            into = _covers(node.body[0], line, last=node.body[-1])
            for item in node.items:
                expression = item.context_expr
                before = any(_covers(later.context_expr, line) for later in node.items)
                before &= (expression.end_lineno or 0) < line
                if (into or before) and item.optional_vars is None and (name := _name(expression)):
                    text = ast.unparse(expression)
                    yield Hold(
                        name,
                        self.path,
                        expression.lineno,
                        f"{'async ' * isinstance(node, ast.AsyncWith)}with {text}",
                        text in local,
                    )

    def _by_call(self, scope: _Scope, line: int, local: set[str]) -> Iterator[Hold]:
        released: dict[str, int] = {}
        taken = []
        for node in _inside(scope):
            if (called := _called(node, {"release"})) is not None:
                text = ast.unparse(called)
                released[text] = max(released.get(text, 0), called.lineno)
            elif (called := _called(node, {"acquire"})) is not None and (name := _name(called)):
                taken.append((called, ast.unparse(called), name))
        for called, text, name in taken:
            if (called.end_lineno or called.lineno) < line <= released.get(text, 0):
                used = any(
                    isinstance(node, type(called)) and _covers(node, line) and ast.unparse(node) == text
                    for node in _inside(scope)
                )
                yield Hold(name, self.path, called.lineno, f"{text}.acquire()", text in local, used)

    def _scopes(self, function: str, line: int) -> list[_Scope]:
        """The functions of that name that contain a line; the innermost one if there are several."""
        name = function.rsplit(".", 1)[-1]
        if name == "<module>":
            return [self._tree]
        found: list[_Scope] = [
            node
            for node in ast.walk(self._tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and node.name == name
            and _covers(node.body[0], line, last=node.body[-1])
        ]
        return found[-1:]

    # --- what a name stands for

    @cached_property
    def _bindings(self) -> _Bindings:
        found = _Bindings()
        for node in ast.walk(self._tree):
            if isinstance(node, ast.arg):
                found.aliases.add(node.arg)
            for target, value in _assigned(node):
                self._bind(target, value, found)
        return found

    def _bind(self, target: ast.expr, value: ast.expr | None, found: _Bindings) -> None:
        if isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple | ast.List) else [value] * len(target.elts)
            if len(values) == len(target.elts):
                for one, its in zip(target.elts, values, strict=True):
                    self._bind(one, its, found)
            return
        name = _name(target)
        if name is None:
            return
        made = _made_in(value)
        if made is not None:
            found.locks.setdefault(name, set()).update(range(made.lineno, (made.end_lineno or 0) + 1))
            if made.args and _factory(made) == "Condition" and (inner := _name(made.args[0])):
                found.same[name] = inner
        elif value is None or isinstance(value, ast.Name | ast.Attribute | ast.Subscript):
            found.aliases.add(name)
        else:
            found.results.add(name)

    def born_at(self, line: int) -> set[str]:
        """Names that a line gives to what is made on it."""
        found: set[str] = set()
        for node in ast.walk(self._tree):
            if not _covers(node, line):
                continue
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
                found |= {name for target, _ in _assigned(node) for name in _names(target)}
            elif (table := _called(node, {"append", "add", "setdefault"})) is not None:
                found |= set(_names(table))
        return found

    def may_mean(self, hold: Hold, names: set[str]) -> bool:
        """Whether what is held here may be the lock that has one of some names elsewhere."""
        known, name = self._bindings, hold.name
        if name in names or known.same.get(name) in names or hold.local:
            return True
        # A parameter, say. What is made here under this name is another lock, or the result of a call no lock.
        return name in known.aliases and name not in known.locks and name not in known.results

    def awaits_interrupt(self, line: int, function: str) -> bool:
        """Whether a line lies in a `try` that expects Ctrl-C."""
        return any(
            isinstance(node, ast.Try)
            and _covers(node.body[0], line, last=node.body[-1])
            and any(
                "KeyboardInterrupt" in ast.dump(one.type) for one in node.handlers if one.type is not None
            )
            for scope in self._scopes(function, line)
            for node in _inside(scope)
        )

    def limits_wait(self, line: int, calls: frozenset[str]) -> bool:
        """Whether a line waits for a result, by a call of one of these names, with a time limit."""
        return any(
            _covers(node, line) and isinstance(node, ast.Call) and bool(node.args or node.keywords)
            for node in ast.walk(self._tree)
            if _called(node, calls) is not None
        )

    def calls(self, line: int, names: frozenset[str]) -> bool:
        """Whether a line lies in a call of a function of one of these names."""
        return any(
            isinstance(node, ast.Call) and _covers(node, line) and _name(node.func) in names
            for node in ast.walk(self._tree)
        )

    def same(self, name: str) -> str:
        """The name of the lock that a condition of this name uses; else the name itself."""
        return self._bindings.same.get(name, name)


class Sources:
    """The files of a program, as far as they are there and have not changed since it was started.

    Args:
        cwd: Where it was started.
        until_s: When it was started, seconds since 1970. What is newer is not believed.
    """

    def __init__(self, cwd: str, until_s: float) -> None:
        self._cwd = cwd
        self._until_s = until_s
        self._known: dict[str, Source | None] = {}

    def __getitem__(self, file: str) -> Source | None:
        """The source of a file that frames name; None if it is not to be had."""
        if file not in self._known:
            self._known[file] = self._read(file)
        return self._known[file]

    def _read(self, file: str) -> Source | None:
        path = os.path.join(self._cwd, file)
        try:
            if os.stat(path).st_mtime > self._until_s:
                return None
            with open(path, "rb") as source:
                return Source(file, source.read().decode("utf-8"))
        except (OSError, ValueError, SyntaxError, RecursionError, MemoryError):
            return None

    def taken(self, frames: tuple[Frame, ...]) -> set[str]:
        """Names under which a thread that waits takes a lock; none if it does not wait in such a call."""
        for frame in frames:
            source = self[frame.file]
            if source is None:
                return set()
            names = source.taken_at(frame.line)
            if not names:
                return set()
            if not _takes_for_another(frame):
                return {*names, *map(source.same, names)}
        return set()

    def takes_for_good(self, frames: tuple[Frame, ...]) -> bool:
        """Whether a thread that takes a lock in these frames waits for it however long that takes."""
        for frame in frames:
            source = self[frame.file]
            if source is None or not source.takes_for_good(frame.line):
                return False
            if not _takes_for_another(frame):
                return True
        return False

    def born(self, frames: tuple[Frame, ...]) -> set[str]:
        """Names that a lock was given where it was made, by the stack of that."""
        found: set[str] = set()
        for frame in frames:
            source = self[frame.file]
            if source is not None:
                found |= source.born_at(frame.line)
        return found

    def hold(self, frames: tuple[Frame, ...], names: set[str]) -> Hold | None:
        """Where a thread that stands in these frames took the lock that has one of these names."""
        for frame in frames:
            source = self[frame.file]
            if source is None:
                continue
            for hold in source.holds(frame.line, frame.function):
                if source.may_mean(hold, names):
                    return hold
        return None

    def limits_wait(self, frame: Frame, calls: frozenset[str]) -> bool:
        """Whether a thread that stands in a frame waits for a result, by one of these calls, with a time limit."""
        source = self[frame.file]
        return source is not None and source.limits_wait(frame.line, calls)

    def calls(self, frame: Frame, names: frozenset[str]) -> bool:
        """Whether what stands in a frame is in a call of a function of one of these names."""
        source = self[frame.file]
        return source is not None and source.calls(frame.line, names)

    def awaits_interrupt(self, frames: tuple[Frame, ...]) -> bool:
        """Whether a thread that stands in these frames expects Ctrl-C."""
        return any(
            source is not None and source.awaits_interrupt(frame.line, frame.function)
            for frame in frames
            for source in (self[frame.file],)
        )


def _takes_for_another(frame: Frame) -> bool:
    """A condition, and what multiprocessing has, takes its lock in a call of its own.

    The line of the program is the one before.
    """
    return frame.of_library and frame.function.startswith(("Condition.", "SemLock."))


# --- syntax


def _covers(node: ast.AST, line: int, *, last: ast.AST | None = None) -> bool:
    first, end = getattr(node, "lineno", 0), getattr(last or node, "end_lineno", 0)
    return bool(first <= line <= end)


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions inside it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, _SCOPES):
            yield child
            yield from _inside(child)


def _name(expression: ast.expr | None) -> str | None:
    """What people call it: `lock` of `lock`, `self.lock`, `lock[i]`; None of anything else."""
    if isinstance(expression, ast.Name):
        return expression.id
    if isinstance(expression, ast.Attribute):
        return expression.attr
    if isinstance(expression, ast.Subscript):
        return _name(expression.value)
    return None


def _names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Tuple | ast.List):
        for one in target.elts:
            yield from _names(one)
    elif name := _name(target):
        yield name


def _aliases_in(scope: ast.AST) -> set[str]:
    """Names of a function for what it was given or has taken out of something."""
    nodes = list(_inside(scope))
    given = {node.arg for node in nodes if isinstance(node, ast.arg)}
    made: set[str] = set()
    for node in nodes:
        for target, value in _assigned(node):
            plain = value is None or not any(isinstance(part, ast.Call) for part in ast.walk(value))
            (given if plain else made).update(_names(target))
    return given - made


def _called(node: ast.AST, methods: Iterable[str]) -> ast.expr | None:
    """The object of which a node calls one of these methods."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
        return node.func.value
    return None


def _assigned(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Targets that a node binds, with their values; None: an element of something, or nothing."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield target, node.value
    elif isinstance(node, ast.AnnAssign | ast.NamedExpr):
        yield node.target, node.value
    elif isinstance(node, ast.For | ast.comprehension):
        yield node.target, None


def _factory(call: ast.Call) -> str | None:
    return _name(call.func) if isinstance(call.func, ast.Name | ast.Attribute) else None


def _made_in(value: ast.expr | None) -> ast.Call | None:
    """The call that makes a lock, or a list or table of locks, in an expression."""
    for node in ast.walk(value) if value is not None else ():
        if isinstance(node, ast.Call) and _factory(node) in _FACTORIES:
            return node
    return None
