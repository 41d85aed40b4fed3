"""Scopes: which variables of a source file are local, captured by inner functions, or global, and which are rebound.

Follows Python's reference, "Naming and binding" (execution model, §4.2), with the mangling of private names (§6.2.1).
Comprehensions and generator expressions count as part of the function around them: what only they capture is its own.
"""

import ast
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
Position = tuple[int, int]

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Binding:
    """How one variable of a scope is bound and captured."""

    __slots__ = ("by_inner", "captured", "in_loop", "last", "times")

    def __init__(self) -> None:
        self.times = 0
        self.in_loop = False
        self.last: Position = (0, 0)
        self.captured: Position | None = None
        self.by_inner = False

    @property
    def shared(self) -> bool:
        """May its value change while an inner function has it?"""
        if self.by_inner:
            return True
        return self.captured is not None and (self.times > 1 or self.in_loop or self.last > self.captured)


class Scope:
    """A module, class, function or comprehension."""

    __slots__ = (
        "bindings",
        "declared_global",
        "declared_nonlocal",
        "kind",
        "name",
        "node",
        "outer",
        "private",
        "reads",
    )

    def __init__(self, kind: str, name: str, outer: "Scope | None", node: ast.AST) -> None:
        self.kind = kind
        self.name = name
        self.outer = outer
        self.node = node
        self.private: str | None = name if kind == "class" else outer.private if outer else None
        self.bindings: dict[str, Binding] = {}
        self.declared_global: set[str] = set()
        self.declared_nonlocal: set[str] = set()
        self.reads: set[str] = set()

    def mangled(self, name: str) -> str:
        """The name under which a class's body knows a private name."""
        if self.private is None or not name.startswith("__") or name.endswith("__") or "." in name:
            return name
        stripped = self.private.lstrip("_")
        return f"_{stripped}{name}" if stripped else name

    @property
    def qualified(self) -> str:
        """The qualified name, as functions have it in `__qualname__`."""
        scope: Scope | None = self
        while scope is not None and scope.kind == "comprehension":
            scope = scope.outer
        if scope is None or scope.outer is None:
            return "<module>"
        parts = [scope.name]
        while (scope := scope.outer) is not None and scope.outer is not None:
            if scope.kind == "function":
                parts.append("<locals>")
            if scope.kind != "comprehension":
                parts.append(scope.name)
        return ".".join(reversed(parts))

    @property
    def function(self) -> "Scope | None":
        """The function that code of this scope runs in; None in a module or class."""
        scope: Scope | None = self
        while scope is not None and scope.kind == "comprehension":
            scope = scope.outer
        return scope if scope is not None and scope.kind == "function" else None

    def owner(self, name: str) -> "Scope | None":
        """The scope that a (mangled) name belongs to when it is used here: None for a global or built-in name."""
        scope: Scope | None = self
        first = True
        while scope is not None and scope.kind != "module":
            if name in scope.declared_global:
                return None
            visible = scope.kind != "class" or first
            if visible and name in scope.bindings and name not in scope.declared_nonlocal:
                return scope
            if scope.kind != "comprehension":
                first = False
            scope = scope.outer
        return None

    def kind_of(self, name: str) -> str:
        """What a (mangled) name is that is used here: "local", "cell", "global"; "cell" only if it is shared."""
        owner = self.owner(name)
        if owner is None:
            return "global"
        if owner.kind == "function" and owner.bindings[name].shared:
            return "cell"
        return "local"

    def is_builtin(self, name: str) -> bool:
        """Is this (mangled) name bound nowhere that is seen from here, and so a built-in one?"""
        scope: Scope = self
        while scope.outer is not None:
            scope = scope.outer
        return self.owner(name) is None and name not in scope.bindings


class Scopes(ast.NodeVisitor):
    """All scopes of a file, by the node that makes them.

    Attributes:
        of: The scope that each function, class, comprehension and the module make.
        rebound: Globals that some function of the file rebinds.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.of: dict[ast.AST, Scope] = {}
        self.rebound: set[str] = set()
        self._loops = 0
        self._used: list[tuple[Scope, str]] = []
        self._scope = self.of[tree] = Scope("module", "<module>", None, tree)
        for statement in tree.body:
            self.visit(statement)
        self._resolve()

    # What binds.

    def _bind(
        self, name: str, node: ast.AST, scope: Scope | None = None, *, is_definition: bool = False
    ) -> None:
        scope = scope or self._scope
        name = scope.mangled(name)
        binding = scope.bindings.setdefault(name, Binding())
        binding.times += 1
        binding.in_loop = binding.in_loop or bool(self._loops)
        if not is_definition:
            binding.last = max(binding.last, (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))

    def visit_Name(self, node: ast.Name) -> None:  # noqa: D102
        if isinstance(node.ctx, ast.Load):
            self._used.append((self._scope, self._scope.mangled(node.id)))
        else:
            self._bind(node.id, node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:  # noqa: D102
        scope = self._scope
        while scope.kind == "comprehension" and scope.outer is not None:
            scope = scope.outer
        self._bind(node.target.id, node, scope)
        self.visit(node.value)

    def visit_Global(self, node: ast.Global) -> None:  # noqa: D102
        self._scope.declared_global |= {self._scope.mangled(name) for name in node.names}

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:  # noqa: D102
        self._scope.declared_nonlocal |= {self._scope.mangled(name) for name in node.names}

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:  # noqa: D102
        for alias in node.names:
            self._bind(alias.asname or alias.name.split(".")[0], node, is_definition=True)

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:  # noqa: D102
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:  # noqa: D102
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs  # noqa: N815

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:  # noqa: D102
        if node.rest:
            self._bind(node.rest, node)
        self.generic_visit(node)

    # What runs again and again.

    def visit_While(self, node: ast.While) -> None:  # noqa: D102
        self._loops += 1
        self.visit(node.test)
        self._each(node.body)
        self._loops -= 1
        self._each(node.orelse)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:  # noqa: D102
        self.visit(node.iter)
        self._loops += 1
        self.visit(node.target)
        self._each(node.body)
        self._loops -= 1
        self._each(node.orelse)

    visit_AsyncFor = visit_For  # noqa: N815

    # What has a scope.

    def _each(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)

    @contextmanager
    def _inside(self, kind: str, name: str, node: ast.AST) -> Iterator[Scope]:
        outer, loops = self._scope, self._loops
        self._scope, self._loops = Scope(kind, name, outer, node), 0
        self.of[node] = self._scope
        yield self._scope
        self._scope, self._loops = outer, loops

    def _function(self, node: Function, name: str) -> None:
        arguments = node.args
        self._each([*arguments.defaults, *arguments.kw_defaults])
        with self._inside("function", name, node):
            named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            for argument in [*named, arguments.vararg, arguments.kwarg]:
                if argument is not None:
                    self._bind(argument.arg, node)
            self._each(node.body if isinstance(node.body, list) else [node.body])

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:  # noqa: D102
        self._each(node.decorator_list)
        self._bind(node.name, node, is_definition=True)
        self._function(node, node.name)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:  # noqa: D102
        self._function(node, "<lambda>")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: D102
        self._each([*node.decorator_list, *node.bases, *node.keywords])
        self._bind(node.name, node, is_definition=True)
        with self._inside("class", node.name, node):
            self._each(node.body)

    def visit_ListComp(self, node: Comprehension) -> None:  # noqa: D102
        self.visit(node.generators[0].iter)
        with self._inside("comprehension", "<comprehension>", node):
            self._loops = 1
            for number, generator in enumerate(node.generators):
                if number:
                    self.visit(generator.iter)
                self.visit(generator.target)
                self._each(generator.ifs)
            if isinstance(node, ast.DictComp):
                self._each([node.key, node.value])  # a value of None is of 3.15: `{**each for each in …}`
            else:
                self.visit(node.elt)

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:  # noqa: D102
        self._each([node.value, node.target])

    def visit_TypeAlias(self, node: ast.AST) -> None:  # noqa: D102
        name = node.name  # type: ignore[attr-defined]
        self._bind(name.id, node, is_definition=True)

    # What it comes to.

    def _resolve(self) -> None:
        for scope in self.of.values():
            if scope.kind == "function":
                self.rebound |= {name for name in scope.declared_global if name in scope.bindings}
            for name in scope.declared_nonlocal & scope.bindings.keys():
                owner = scope.owner(name)
                if owner is not None and name in owner.bindings:
                    owner.bindings[name].by_inner = True
        for scope, name in self._used:
            owner, user = scope.owner(name), scope.function
            if owner is None or owner.kind != "function" or user is None or owner is user:
                continue
            captured = owner.bindings[name].captured
            place = _capture(user, owner)
            owner.bindings[name].captured = place if captured is None else min(captured, place)


def _capture(user: Scope, owner: Scope) -> Position:
    """Where the function that uses a variable of `owner`, or one around it, is made in `owner`."""
    inner = user
    while inner.outer is not None and inner.outer is not owner:
        inner = inner.outer
    return (getattr(inner.node, "lineno", 0), getattr(inner.node, "col_offset", 0))
