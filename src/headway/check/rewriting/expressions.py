"""Expressions: announces reads of attributes, items, containers and variables, just before each happens.

The accesses themselves stay in the user's code: `obj.x` becomes `before_read(obj, site).x`. So errors, the mangling of
private names, `super()`, tracebacks and the frames that a property sees are Python's own.
"""

import ast
import copy

from headway.check.rewriting.containers import DUNDERS, METHODS
from headway.check.rewriting.places import Places, call, call_starred, closure, load, located
from headway.check.rewriting.scopes import COMPREHENSIONS, Comprehension, Scope, Scopes

_DISPLAYS = (
    ast.Constant,
    ast.JoinedStr,
    ast.Tuple,
    ast.List,
    ast.Set,
    ast.Dict,
    ast.Lambda,
    ast.Compare,
    *COMPREHENSIONS,
)
"""What makes a new object, or one that nothing can change."""

_FRESH = "range enumerate zip map filter reversed sorted list tuple set frozenset dict"
_PLAIN = "len sum abs int float str repr isinstance issubclass callable hasattr any all id hash ord chr round bool type"
_NEW = frozenset([*_FRESH.split(" "), *_PLAIN.split(" ")])
"""Built-ins whose results nobody else has, or that are no containers."""

_READS = "sorted list tuple set frozenset dict sum min max any all str repr iter reversed"
_READS_WHOLE = frozenset(_READS.split(" "))
_BY_NAME = frozenset(["getattr", "setattr", "hasattr", "delattr", "vars"])
_SLOT_WRAPPERS = frozenset(["__setattr__", "__getattribute__", "__delattr__"])


class Expressions(ast.NodeTransformer):
    """Rewrites the expressions of functions; leaves the bodies of modules and classes alone."""

    def __init__(
        self, places: Places, scopes: Scopes, tree: ast.Module, also_rebound: frozenset[str]
    ) -> None:
        self.places = places
        self.scopes = scopes
        self.scope: Scope = scopes.of[tree]
        self.rebound = scopes.rebound | also_rebound
        self.temporaries: list[str] = []

    @property
    def active(self) -> bool:
        """Is this code that runs in a function?"""
        return self.scope.function is not None

    def expression(self, node: ast.expr) -> ast.expr:
        """The rewritten expression."""
        rewritten: ast.expr = self.visit(node)
        return rewritten

    def site(
        self, node: ast.AST, kind: str, name: str = "", *, write: bool = False, augmented: bool = False
    ) -> ast.Constant:
        """A site at a node of the present scope."""
        return self.places.site(node, self.scope, kind, name, write=write, augmented=augmented)

    def kind_of(self, name: str) -> str:
        """What a variable is: "local", or global and never rebound; or a "cell" or "global" that may change."""
        name = self.scope.mangled(name)
        kind = self.scope.kind_of(name)
        return "local" if kind == "global" and name not in self.rebound else kind

    def is_steady(self, node: ast.AST | None) -> bool:
        """May this be evaluated a second time, or earlier, with the same result and nothing seen of it?"""
        if isinstance(node, ast.UnaryOp):
            return isinstance(node.operand, ast.Constant)
        if isinstance(node, ast.Name):
            return self.kind_of(node.id) == "local"
        return node is None or isinstance(node, ast.Constant)

    # Attributes and variables.

    def is_plain_attribute(self, node: ast.Attribute) -> bool:
        """Is this one that never changes, or that is no variable?"""
        name, value = node.attr, node.value
        if name.startswith("__") and name.endswith("__") and name != "__dict__":
            return True
        return isinstance(value, _DISPLAYS) or _is_super(value) or _is_pytest(value)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:  # noqa: D102
        if not self.active or self.is_plain_attribute(node):
            return self._children(node)
        write = not isinstance(node.ctx, ast.Load)
        site = self.site(node, "attribute", self.scope.mangled(node.attr), write=write)
        helper = "before_attribute_write" if write else "before_attribute"
        node.value = call(helper, node, self.expression(node.value), site)
        return node

    def visit_Name(self, node: ast.Name) -> ast.expr:  # noqa: D102
        if not self.active or not isinstance(node.ctx, ast.Load):
            return node
        kind = self.kind_of(node.id)
        if kind == "local":
            return node
        before = call(f"before_{kind}", node, *self.variable(node.id, node, write=False))
        return located(ast.BoolOp(ast.Or(), [before, node]), node)

    def variable(
        self, name: str, at: ast.AST, *, write: bool, augmented: bool = False
    ) -> tuple[ast.expr, ast.expr]:
        """What a helper needs for a closure's or global variable."""
        kind = self.kind_of(name)
        site = self.site(at, kind, self.scope.mangled(name), write=write, augmented=augmented)
        return (closure(name, at) if kind == "cell" else call("globals", at)), site

    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.expr:  # noqa: D102
        node.value = self.expression(node.value)
        if self.active:
            node.value = self.stored(node.target.id, node.value, node)
        return node

    def stored(self, name: str, value: ast.expr, at: ast.AST, *, augmented: bool = False) -> ast.expr:
        """A value that is about to be assigned to a variable."""
        kind = self.kind_of(name)
        if kind == "local":
            return value
        return call(f"store_{kind}", at, value, *self.variable(name, at, write=True, augmented=augmented))

    # Items.

    def key(self, node: ast.expr) -> ast.expr:
        """The key of a subscript as an expression, slices as calls of `slice`."""
        if isinstance(node, ast.Slice):
            parts = [
                self.expression(part) if part is not None else located(ast.Constant(None), node)
                for part in (node.lower, node.upper, node.step)
            ]
            return call("slice", node, *parts)
        if isinstance(node, ast.Tuple) and any(isinstance(each, ast.Slice) for each in node.elts):
            node.elts = [self.key(each) for each in node.elts]
            return node
        return self.expression(node)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:  # noqa: D102
        if not self.active or isinstance(node.value, _DISPLAYS):
            return self._children(node)
        action = "write" if isinstance(node.ctx, ast.Store) else "delete"
        action = "read" if isinstance(node.ctx, ast.Load) else action
        site = self.site(node, "item", _key_text(node.slice), write=action != "read")
        key = node.slice
        if isinstance(key, ast.Slice) and all(map(self.is_steady, (key.lower, key.upper, key.step))):
            node.value = call(f"before_slice_{action}", node, self.expression(node.value), site)
            return node
        if self.is_steady(key) and not isinstance(key, ast.Slice):
            again = copy.deepcopy(key)
            node.value = call(f"before_item_{action}", node, self.expression(node.value), again, site)
            return node
        if (
            isinstance(node.value, ast.Name)
            and self.is_steady(node.value)
            and not _rebinds(key, node.value.id)
        ):
            owner = load(node.value.id, node)
            node.slice = call(f"key_of_{action}", node, owner, self.key(key), site)
            return node
        if action == "read":
            pair = call("pair_of_read", node, self.expression(node.value), self.key(key), site)
            return call_starred("getitem", node, pair)
        if self.scope.kind == "comprehension":
            return node  # `for d[f()] in …` in a comprehension: no place for our variable
        name = self.temporary()
        value, made = self.expression(node.value), self.key(key)
        kept = located(ast.NamedExpr(located(ast.Name(name, ast.Store()), node), made), node)
        node.value = call(f"before_item_{action}", node, value, kept, site)
        node.slice = load(name, node)
        return node

    def temporary(self) -> str:
        """A variable of ours, with a name that no program has."""
        name = f"<headway {len(self.temporaries)}>"
        self.temporaries.append(name)
        return name

    # Calls.

    def visit_Call(self, node: ast.Call) -> ast.expr:  # noqa: D102
        if not self.active or _is_pytest(node.func):
            return self._children(node)
        if isinstance(node.func, ast.Attribute):
            return self._method(node, node.func)
        if isinstance(node.func, ast.Name) and node.func.id.startswith("@py_assert"):
            # pytest keeps `obj.method` in a variable of its own before it calls it.
            return self._announced_call(node, "arguments_of_method", self.site(node, "method"))
        if isinstance(node.func, ast.Name) and self.scope.is_builtin(node.func.id):
            return self._builtin(node, node.func.id)
        return self._children(node)

    def _method(self, node: ast.Call, function: ast.Attribute) -> ast.expr:
        name = function.attr
        if name in _SLOT_WRAPPERS:
            return self._announced_call(node, "arguments_of_slot", self.site(node, "attribute", write=True))
        if name in DUNDERS or (name in METHODS and _is_super(function.value)):
            return self._announced_call(node, "arguments_of_method", self.site(node, "method", name))
        if self.is_plain_attribute(function):
            return self._children(node)
        attribute = self.site(function, "attribute", self.scope.mangled(name))
        if name not in METHODS:
            function.value = call("before_callee", function, self.expression(function.value), attribute)
            self._arguments(node)
            return node
        method = self.site(node, "method", name)
        keyed = name in ("get", "setdefault")
        if not keyed and not node.keywords and all(self.is_steady(each) for each in node.args):
            owner = self.expression(function.value)
            function.value = call("before_method", function, owner, attribute, method)
            self._arguments(node)
            return node
        if keyed and node.args and not node.keywords and all(map(self.is_steady, node.args)):
            owner, key = self.expression(function.value), copy.deepcopy(node.args[0])
            function.value = call("before_keyed_method", function, owner, key, attribute, method)
            return node
        function.value = call("before_callee", function, self.expression(function.value), attribute)
        return self._announced_call(node, "arguments_of_method", method, visited=True)

    def _announced_call(
        self, node: ast.Call, helper: str, site: ast.expr, *, visited: bool = False
    ) -> ast.expr:
        function = node.func if visited else self.expression(node.func)
        self._arguments(node)
        announced = call(helper, node, site, function, *node.args)
        unpacks = any(isinstance(each, ast.Starred) for each in node.args)
        unpacks = unpacks or any(each.arg is None for each in node.keywords)
        called = call_starred("call_unpacked" if unpacks else "call", node, announced)
        called.keywords = node.keywords
        return called

    def _builtin(self, node: ast.Call, name: str) -> ast.expr:
        if name in _BY_NAME and not node.keywords:
            return self._announced_call(node, "arguments_of_builtin", self.site(node, "attribute", name))
        steps = {"enumerate": node.args[:1], "zip": node.args, "map": node.args[1:], "filter": node.args[1:]}
        if name == "len" and len(node.args) == 1:
            whole, kind = node.args, "length"
        elif name == "bool" and len(node.args) == 1:
            whole, kind = node.args, "truth"
        elif name in _READS_WHOLE and (name not in ("min", "max") or len(node.args) == 1):
            whole, kind = node.args[:1], "iteration"
        else:
            whole, kind = [], ""
        stepped = steps.get(name, [])
        arguments: list[ast.expr] = []
        for argument in node.args:
            if argument in whole and not isinstance(argument, ast.Starred):
                arguments.append(self.whole(argument, kind, name))
            elif argument in stepped and not isinstance(argument, ast.Starred):
                arguments.append(self.iterated(argument))
            else:
                arguments.append(self.expression(argument))
        node.args = arguments
        node.keywords = [self.visit(each) for each in node.keywords]
        return node

    def _arguments(self, node: ast.Call) -> None:
        node.args = [self.expression(each) for each in node.args]
        node.keywords = [self.visit(each) for each in node.keywords]

    def visit_keyword(self, node: ast.keyword) -> ast.keyword:  # noqa: D102
        node.value = self.whole(node.value, "iteration") if node.arg is None else self.expression(node.value)
        return node

    # Containers as a whole.

    def is_new(self, node: ast.expr) -> bool:
        """Does this expression make an object that nobody else has?"""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return node.func.id in _NEW and self.scope.is_builtin(node.func.id)
        return isinstance(node, (*_DISPLAYS, ast.BinOp, ast.UnaryOp, ast.Yield, ast.YieldFrom))

    def _announced(self, node: ast.expr, helper: str, kind: str, name: str = "") -> ast.expr:
        if not self.active or self.is_new(node):
            return self.expression(node)
        site = self.site(node, kind, name)
        return call(helper, node, self.expression(node), site)

    def whole(self, node: ast.expr, kind: str, name: str = "") -> ast.expr:
        """A value that is about to be read as a whole, in one step."""
        return self._announced(node, "before_whole", kind, name)

    def iterated(self, node: ast.expr) -> ast.expr:
        """A value that is about to be read step by step."""
        return self._announced(node, "steps", "iteration")

    def truth(self, node: ast.expr) -> ast.expr:
        """A value that is about to be tested."""
        if isinstance(node, ast.BoolOp):
            node.values = [self.truth(each) for each in node.values]
            return node
        return self._announced(node, "before_whole", "truth")

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:  # noqa: D102
        node.values = [*map(self.truth, node.values[:-1]), self.expression(node.values[-1])]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:  # noqa: D102
        isnot = isinstance(node.op, ast.Not)
        node.operand = self.truth(node.operand) if isnot else self.expression(node.operand)
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:  # noqa: D102
        node.test, node.body = self.truth(node.test), self.expression(node.body)
        node.orelse = self.expression(node.orelse)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:  # noqa: D102
        node.left = self.expression(node.left)
        node.comparators = [
            self.whole(each, "membership")
            if isinstance(operator, (ast.In, ast.NotIn))
            else self.expression(each)
            for operator, each in zip(node.ops, node.comparators, strict=True)
        ]
        return node

    def visit_Starred(self, node: ast.Starred) -> ast.expr:  # noqa: D102
        is_target = not isinstance(node.ctx, ast.Load)
        node.value = self.expression(node.value) if is_target else self.whole(node.value, "iteration")
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.expr:  # noqa: D102
        for number, (key, value) in enumerate(zip(node.keys, node.values, strict=True)):
            if key is None:
                node.values[number] = self.whole(value, "iteration")
            else:
                node.keys[number], node.values[number] = self.expression(key), self.expression(value)
        return node

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.expr:  # noqa: D102
        node.value = self.iterated(node.value)
        return node

    def visit_ListComp(self, node: Comprehension) -> ast.expr:  # noqa: D102
        first = node.generators[0]
        first.iter = self.expression(first.iter) if first.is_async else self.iterated(first.iter)
        outer, self.scope = self.scope, self.scopes.of[node]
        for number, generator in enumerate(node.generators):
            if number:
                steps = self.expression if generator.is_async else self.iterated
                generator.iter = steps(generator.iter)
            generator.target = self.expression(generator.target)
            generator.ifs = [self.truth(each) for each in generator.ifs]
        if isinstance(node, ast.DictComp):
            node.key = self.expression(node.key)
            if node.value is not None:
                node.value = self.expression(node.value)
        else:
            node.elt = self.expression(node.elt)
        self.scope = outer
        return node

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp  # noqa: N815

    def _children(self, node: ast.expr) -> ast.expr:
        visited: ast.expr = self.generic_visit(node)  # type: ignore[assignment]
        return visited


def _is_super(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _is_pytest(node: ast.expr) -> bool:
    """Is this of what pytest makes of an assertion?"""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id == "@pytest_ar"


def _rebinds(node: ast.AST, name: str) -> bool:
    return any(isinstance(each, ast.NamedExpr) and each.target.id == name for each in ast.walk(node))


def _key_text(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 40 else text[:39] + "…"
