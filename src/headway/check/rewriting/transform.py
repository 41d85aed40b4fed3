"""Transform: rewrites the functions of a file so that each shared access is announced before it happens.

Only functions are rewritten, at any depth; the bodies of modules and classes stay as they are. Positions stay true.
"""

import ast
import copy
from collections.abc import Sequence

from headway.check.rewriting.expressions import Expressions
from headway.check.rewriting.places import assign, call, forget, load, located, store
from headway.check.rewriting.scopes import Function

_IN_PLACE = (ast.Add, ast.Mult, ast.BitOr, ast.BitAnd, ast.BitXor, ast.Sub)
"""The operators whose augmented assignments change some container itself."""


class Accesses(Expressions):
    """Rewrites statements and functions: all points of granularity "access"."""

    def statements(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Rewritten statements."""
        rewritten: list[ast.stmt] = []
        for statement in body:
            made = self.visit(statement)
            rewritten += made if isinstance(made, list) else [made]
        return rewritten

    # What has a scope.

    def _function(self, node: Function) -> None:
        arguments = node.args
        arguments.defaults = [self.expression(each) for each in arguments.defaults]
        arguments.kw_defaults = [each and self.expression(each) for each in arguments.kw_defaults]
        outer, temporaries = self.scope, self.temporaries
        self.scope, self.temporaries = self.scopes.of[node], []
        if isinstance(node, ast.Lambda):
            node.body = self.expression(node.body)
        else:
            node.body = self.function_body(node.body)
        self.scope, self.temporaries = outer, temporaries

    def function_body(self, body: list[ast.stmt]) -> list[ast.stmt]:
        """The rewritten body of a function, with its docstring still first."""
        first = body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            return [first, *self.statements(body[1:])]
        return self.statements(body)

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:  # noqa: N802, D102
        self._function(node)
        return node

    def visit_FunctionDef(  # noqa: N802, D102
        self, node: ast.FunctionDef | ast.AsyncFunctionDef
    ) -> ast.stmt | list[ast.stmt]:
        node.decorator_list = [self.expression(each) for each in node.decorator_list]
        self._function(node)
        return [*self._announced_binding([node.name], node), node]

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        node.decorator_list = [self.expression(each) for each in node.decorator_list]
        node.bases = [self.expression(each) for each in node.bases]
        node.keywords = [self.visit(each) for each in node.keywords]
        outer, self.scope = self.scope, self.scopes.of[node]
        node.body = self.statements(node.body)
        self.scope = outer
        return [*self._announced_binding([node.name], node), node]

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        names = [alias.asname or alias.name.split(".")[0] for alias in node.names]
        return [*self._announced_binding(names, node), node]

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_TypeAlias(self, node: ast.stmt) -> ast.stmt:  # noqa: N802, D102
        return node

    def _announced_binding(self, names: list[str], at: ast.stmt) -> list[ast.stmt]:
        """Before a statement that binds variables by name: points for those that are shared."""
        if not self.active:
            return []
        none = located(ast.Constant(None), at)
        shared = [name for name in names if self.kind_of(name) != "local"]
        return [located(ast.Expr(self.stored(name, none, at)), at) for name in shared]

    # Assignments.

    def _ended(self, node: ast.stmt, names: list[str]) -> list[ast.stmt]:
        return [node, *forget(names, node)]

    def visit_Assign(self, node: ast.Assign) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        if not self.active:
            self.generic_visit(node)
            return node
        unpacks = any(isinstance(target, (ast.Tuple, ast.List)) for target in node.targets)
        node.value = self.whole(node.value, "iteration") if unpacks else self.expression(node.value)
        for name in _names([*node.targets]):
            node.value = self.stored(name, node.value, node)
        before = len(self.temporaries)
        node.targets = [self.expression(target) for target in node.targets]
        return self._ended(node, self.temporaries[before:])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        if node.value is None:
            return node
        node.value = self.expression(node.value)
        if not self.active:
            return node
        before = len(self.temporaries)
        for name in _names([node.target]):
            node.value = self.stored(name, node.value, node)
        target = self.expression(node.target)
        assert isinstance(target, (ast.Name, ast.Attribute, ast.Subscript))
        node.target = target
        return self._ended(node, self.temporaries[before:])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        if not self.active:
            self.generic_visit(node)
            return node
        target, before = node.target, len(self.temporaries)
        rebound = {each.target.id for each in ast.walk(node.value) if isinstance(each, ast.NamedExpr)}
        if isinstance(target, ast.Name) and self.kind_of(target.id) == "local":
            node.value = self._operand(node, target.id)
            return node
        value = self.temporary()
        first: list[ast.stmt] = []
        read: ast.expr
        written: ast.expr
        if isinstance(target, ast.Name):
            read = self._augmented_read(target)
            last: ast.stmt = assign(
                store(target.id, target),
                self.stored(target.id, load(value, node), target, augmented=True),
                node,
            )
        elif isinstance(target, ast.Attribute):
            if self.is_plain_attribute(target):
                return self._plain_augmented(node)
            name = self.scope.mangled(target.attr)
            owner = self._kept(target.value, first, rebound)
            reads = self.site(target, "attribute", name, augmented=True)
            writes = self.site(target, "attribute", name, write=True, augmented=True)
            read = _with(target, call("before_attribute", target, copy.deepcopy(owner), reads), ast.Load())
            written = _with(target, call("before_attribute_write", target, owner, writes), ast.Store())
            last = assign(written, load(value, node), node)
        else:
            owner = self._kept(target.value, first, rebound)
            key = self._kept(target.slice, first, rebound)
            reads = self.site(target, "item", _text(target), augmented=True)
            writes = self.site(target, "item", _text(target), write=True, augmented=True)
            held = call("before_item_read", target, copy.deepcopy(owner), copy.deepcopy(key), reads)
            read = located(ast.Subscript(held, copy.deepcopy(key), ast.Load()), target)
            held = call("before_item_write", target, owner, key, writes)
            written = located(ast.Subscript(held, copy.deepcopy(key), ast.Store()), target)
            last = assign(written, load(value, node), node)
        first.append(assign(store(value, target), read, node))
        operand = self._operand(node, value)
        middle = located(ast.AugAssign(store(value, target), node.op, operand), node)
        return [*first, middle, last, *forget(self.temporaries[before:], node)]

    def _augmented_read(self, target: ast.Name) -> ast.expr:
        kind = self.kind_of(target.id)
        before = call(
            f"before_{kind}", target, *self.variable(target.id, target, write=False, augmented=True)
        )
        return located(ast.BoolOp(ast.Or(), [before, load(target.id, target)]), target)

    def _plain_augmented(self, node: ast.AugAssign) -> ast.stmt:
        node.value = self.expression(node.value)
        return node

    def _operand(self, node: ast.AugAssign, owner: str) -> ast.expr:
        """The right side of an augmented assignment, announced if it may change a container itself."""
        value = node.value
        made = self.expression(value)
        if not isinstance(node.op, _IN_PLACE) or isinstance(value, ast.Constant):
            return made
        site = self.site(node, "method", f"__i{type(node.op).__name__.lower()}__", write=True)
        return call("before_in_place", node, made, load(owner, node), site)

    def _kept(self, node: ast.expr, first: list[ast.stmt], rebound: set[str]) -> ast.expr:
        """An owner or key that is needed twice: itself if that is the same, else in a variable of ours."""
        steady = self.is_steady(node) and not isinstance(node, ast.Slice)
        if steady and not (isinstance(node, ast.Name) and node.id in rebound):
            return copy.deepcopy(node)
        name = self.temporary()
        first.append(assign(store(name, node), self.key(node), node))
        return load(name, node)

    def visit_Delete(self, node: ast.Delete) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        if not self.active:
            return node
        before = len(self.temporaries)
        first = self._announced_binding(_names(node.targets), node)
        node.targets = [self.expression(target) for target in node.targets]
        return [*first, *self._ended(node, self.temporaries[before:])]

    # Statements that bind for a block.

    def _target(self, target: ast.expr) -> tuple[ast.expr, list[ast.stmt]]:
        """A target of `for` or `with`, and the assignments of shared variables that its block begins with."""
        shared = [name for name in _names([target]) if self.kind_of(name) != "local"]
        begun: list[ast.stmt] = []
        names = {name: self.temporary() for name in dict.fromkeys(shared)}
        for name, temporary in names.items():
            value = self.stored(name, load(temporary, target), target)
            begun.append(assign(store(name, target), value, target))
            begun += forget([temporary], target)
        if names:
            target = _Renamed(names).visit(target)
        return self.expression(target), begun

    def visit_For(self, node: ast.For | ast.AsyncFor) -> ast.stmt:  # noqa: N802, D102
        if not self.active:
            self.generic_visit(node)
            return node
        unstepped = isinstance(node, ast.AsyncFor)
        node.iter = self.expression(node.iter) if unstepped else self.iterated(node.iter)
        node.target, begun = self._target(node.target)
        node.body = [*begun, *self.statements(node.body)]
        node.orelse = self.statements(node.orelse)
        return node

    visit_AsyncFor = visit_For  # noqa: N815

    def visit_With(self, node: ast.With | ast.AsyncWith) -> ast.stmt | list[ast.stmt]:  # noqa: N802, D102
        if not self.active:
            self.generic_visit(node)
            return node
        begun: list[ast.stmt] = []
        first: list[ast.stmt] = []
        for item in node.items:
            item.context_expr = self.expression(item.context_expr)
            if item.optional_vars is None:
                continue
            if item is node.items[-1]:
                item.optional_vars, begun = self._target(item.optional_vars)
            else:  # what follows may use the variable before the block begins
                first += self._announced_binding(_names([item.optional_vars]), node)
                item.optional_vars = self.expression(item.optional_vars)
        node.body = [*begun, *self.statements(node.body)]
        return [*first, node]

    visit_AsyncWith = visit_With  # noqa: N815

    # Statements that test.

    def visit_If(self, node: ast.If | ast.While) -> ast.stmt:  # noqa: N802, D102
        node.test = self.truth(node.test)
        node.body, node.orelse = self.statements(node.body), self.statements(node.orelse)
        return node

    visit_While = visit_If  # noqa: N815

    def visit_Assert(self, node: ast.Assert) -> ast.stmt:  # noqa: N802, D102
        node.test = self.truth(node.test)
        node.msg = node.msg and self.expression(node.msg)
        return node

    def visit_Match(self, node: ast.Match) -> ast.stmt:  # noqa: N802, D102
        node.subject = self.whole(node.subject, "iteration")
        for case in node.cases:  # patterns hold no expressions that could be calls
            case.guard = case.guard and self.truth(case.guard)
            case.body = self.statements(case.body)
        return node


class _Renamed(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if isinstance(node.ctx, ast.Store) and node.id in self.names:
            node.id = self.names[node.id]
        return node


def _names(targets: Sequence[ast.expr]) -> list[str]:
    """The variables among targets."""
    found: list[str] = []
    for target in targets:
        if isinstance(target, ast.Name):
            found.append(target.id)
        elif isinstance(target, (ast.Tuple, ast.List)):
            found += _names(target.elts)
        elif isinstance(target, ast.Starred):
            found += _names([target.value])
    return found


def _with(node: ast.Attribute, value: ast.expr, context: ast.expr_context) -> ast.Attribute:
    return located(ast.Attribute(value, node.attr, context), node)


def _text(node: ast.Subscript) -> str:
    return ast.unparse(node.slice)[:40]
