"""Lines: puts a point before each statement of every function; the statements stay as they are."""

import ast
from collections.abc import Sequence

from headway.check.rewriting.places import Places, call, located
from headway.check.rewriting.scopes import Scope, Scopes

_QUIET = (
    ast.Pass,
    ast.Break,
    ast.Continue,
    ast.Global,
    ast.Nonlocal,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.Try,
    ast.TryStar,
    ast.While,
)
"""What touches nothing itself; `while` has its point in its test, so that each round is one."""


class Lines(ast.NodeTransformer):
    """All points of granularity "line"."""

    def __init__(self, places: Places, scopes: Scopes, tree: ast.Module) -> None:
        self.places = places
        self.scopes = scopes
        self.scope: Scope = scopes.of[tree]

    def _point(self, node: ast.AST) -> ast.Call:
        return call("before_line", node, self.places.site(node, self.scope, "line"))

    def _statements(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        pointed: list[ast.stmt] = []
        for statement in body:
            is_text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if self.scope.kind == "function" and not isinstance(statement, _QUIET) and not is_text:
                pointed.append(located(ast.Expr(self._point(statement)), statement))
            pointed.append(self.visit(statement))
        return pointed

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Puts points into the blocks of a statement."""
        outer = self.scope
        self.scope = self.scopes.of.get(node, outer)
        if isinstance(node, ast.While) and self.scope.kind == "function":
            node.test = located(ast.BoolOp(ast.Or(), [self._point(node), node.test]), node.test)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, name, self._statements(value))
            elif isinstance(value, list):
                for each in value:
                    if isinstance(each, ast.AST):
                        self.visit(each)
            elif isinstance(value, ast.AST):
                self.visit(value)
        self.scope = outer
        return node
