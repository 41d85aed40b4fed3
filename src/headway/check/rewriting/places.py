"""Places: makes the sites of a file, and the nodes that call the helpers with them.

Helpers and sites reach the code as constants, so that no name is looked up and no user's namespace is touched: a
string that no program has stands for each until the code is compiled, and is replaced then.
"""

import ast
from types import CodeType
from typing import Any, TypeVar

from headway.check.rewriting import accesses
from headway.check.rewriting.scopes import Scope
from headway.check.site import Site

_HELPER = "\0headway helper "
_SITE = "\0headway site "
CELL = "<headway cell>"
"""The name of an argument that only our own lambdas have, which are there for their closures."""

Node = TypeVar("Node", bound=ast.AST)


class Places:
    """The sites of one file at one granularity."""

    def __init__(self, file: str, lines: list[str]) -> None:
        self.file = file
        self.sites: list[Site] = []
        self._lines = lines

    def site(
        self,
        node: ast.AST,
        scope: Scope,
        kind: str,
        name: str = "",
        *,
        write: bool = False,
        augmented: bool = False,
    ) -> ast.Constant:
        """A new site at a node, as a constant."""
        line: int = getattr(node, "lineno", 0)
        text = self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""
        number = len(self.sites)
        function = scope.qualified
        made = Site(
            self.file, line, function, kind, name, text=text, write=write, augmented=augmented, index=number
        )
        self.sites.append(made)
        return located(ast.Constant(f"{_SITE}{number}"), node)

    def constants_of(self, code: CodeType) -> CodeType:
        """The code with the helpers and sites themselves, in it and in the code within it."""
        constants = tuple(self._constant(each) for each in code.co_consts)
        return code.replace(co_consts=constants)

    def _constant(self, value: Any) -> Any:
        if isinstance(value, CodeType):
            return self.constants_of(value)
        if isinstance(value, str) and value.startswith(_SITE):
            return self.sites[int(value[len(_SITE) :])]
        if isinstance(value, str) and value.startswith(_HELPER):
            return getattr(accesses, value[len(_HELPER) :])
        return value


def located(new: Node, old: ast.AST) -> Node:
    """The new node, with the place of the old one."""
    return ast.copy_location(new, old)


def call(helper: str, at: ast.AST, *arguments: ast.expr) -> ast.Call:
    """A call of one of our helpers."""
    function = located(ast.Constant(_HELPER + helper), at)
    return located(ast.Call(function, list(arguments), []), at)


def call_starred(helper: str, at: ast.AST, arguments: ast.expr) -> ast.Call:
    """A call of one of our helpers with a tuple of arguments that another one gives."""
    return call(helper, at, located(ast.Starred(arguments, ast.Load()), at))


def closure(name: str, at: ast.AST) -> ast.Lambda:
    """A function whose closure is the cell of a variable."""
    none = ast.arguments([], [], located(ast.arg(CELL), at), [], [], None, [])
    return located(ast.Lambda(none, load(name, at)), at)


def load(name: str, at: ast.AST) -> ast.Name:
    """A use of a variable."""
    return located(ast.Name(name, ast.Load()), at)


def store(name: str, at: ast.AST) -> ast.Name:
    """A variable as a target."""
    return located(ast.Name(name, ast.Store()), at)


def assign(target: ast.expr, value: ast.expr, at: ast.AST) -> ast.Assign:
    """An assignment."""
    return located(ast.Assign([target], value), at)


def forget(names: list[str], at: ast.AST) -> list[ast.stmt]:
    """Deletes our variables, so that they keep nothing alive and `locals()` does not show them."""
    if not names:
        return []
    return [located(ast.Delete([located(ast.Name(name, ast.Del()), at) for name in names]), at)]
