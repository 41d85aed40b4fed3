"""Compiled: the rewritten code of a file, and which of it stands for which code of the program.

Old and new code are matched exactly: the source is compiled once as it is, and a function is only given new code if its
own is the same as what came of that. So a file that has changed on disk, or code that some other tool has changed, is
left alone and told, and two lambdas of one line are told apart by their columns.
"""

import ast
import hashlib
import inspect
import linecache
import warnings
from collections.abc import Iterator
from types import CodeType
from typing import Any, Literal

from headway.check.rewriting.lines import Lines
from headway.check.rewriting.places import CELL, Places
from headway.check.rewriting.scopes import Scopes
from headway.check.rewriting.transform import Accesses
from headway.check.site import Site

Granularity = Literal["access", "line"]

ITERABLE_COROUTINE = inspect.CO_ITERABLE_COROUTINE
"""The flag that `types.coroutine` gives to a generator's code."""

_COMPREHENSIONS = frozenset(["<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"])


class Source:
    """A file's text, and what is known of its variables before it is rewritten.

    Attributes:
        file: Path, as code objects have it.
        text: The text.
        scopes: Its scopes.
        assigned: Attributes of plain names that its functions assign, such as `config.limit = 1`: (base, name).
        digest: Of the text.
    """

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.text = text
        self.digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        tree = ast.parse(text, file)
        self.scopes = Scopes(tree)
        self.assigned = {
            (node.value.id, node.attr)
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
        }


class Rewriting:
    """A file's rewritten code at one granularity.

    Attributes:
        sites: All its sites, in the order of the file.
        codes: New code by the identity of the old.
    """

    def __init__(
        self, source: Source, granularity: Granularity, rebound: frozenset[str], pytest: bool
    ) -> None:
        self.codes: dict[Any, CodeType] = {}
        places = Places(source.file, source.text.splitlines())
        old = _compiled(_tree(source, pytest), source.file)
        tree = _tree(source, pytest)
        scopes = Scopes(tree)
        if granularity == "line":
            tree = Lines(places, scopes, tree).visit(tree)
        else:
            accesses = Accesses(places, scopes, tree, rebound)
            tree.body = accesses.statements(tree.body)
        new = places.constants_of(_compiled(tree, source.file))
        self.sites: list[Site] = places.sites
        self._match(old, new)

    def _match(self, old: CodeType, new: CodeType) -> None:
        olds, news = list(_functions(old)), list(_functions(new))
        if len(olds) != len(news):
            olds, news = _unambiguous(olds), _unambiguous(news)
            both = [key for key in map(_name, olds) if key in set(map(_name, news))]
            olds = [code for code in olds if _name(code) in both]
            news = [code for code in news if _name(code) in both]
        for before, after in zip(olds, news, strict=True):
            if _shape(before) == _shape(after):
                self.codes[identity(before)] = after
                _origins[id(after)] = identity(before), after


_origins: dict[int, tuple[Any, CodeType]] = {}
"""Of rewritten code, by id: the identity of the code that it stands for. Keeps the code, so ids stay theirs."""

_sources: dict[tuple[str, str], Source] = {}
_rewritings: dict[Any, Rewriting] = {}


def source_of(file: str) -> Source | None:
    """The source of a file, also of a notebook's cell; None if there is none, or none that can be parsed."""
    linecache.checkcache(file)
    text = "".join(linecache.getlines(file))
    if not text:
        return None
    known = _sources.get((file, text))
    if known is None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                known = _sources[file, text] = Source(file, text)
        except (SyntaxError, ValueError, RecursionError):
            return None
    return known


def rewriting_of(
    source: Source, granularity: Granularity, rebound: frozenset[str], *, pytest: bool
) -> Rewriting:
    """A file's rewritten code, made once for each text.

    Args:
        source: The file.
        granularity: Which points to make.
        rebound: Globals that other files rebind, through the module object.
        pytest: Has pytest rewritten the assertions of the code that runs?
    """
    key = (source.file, source.text, granularity, rebound, pytest)
    known = _rewritings.get(key)
    if known is None:
        known = _rewritings[key] = Rewriting(source, granularity, rebound, pytest)
    return known


def identity(code: CodeType) -> Any:
    """What tells a code object from all others, the same for each time that a file is compiled."""
    known = _origins.get(id(code))
    if known is not None:
        return known[0]
    return (
        code.co_name,
        code.co_firstlineno,
        code.co_argcount,
        code.co_posonlyargcount,
        code.co_kwonlyargcount,
        code.co_flags & ~ITERABLE_COROUTINE,
        code.co_varnames,
        code.co_freevars,
        code.co_cellvars,
        code.co_names,
        code.co_code,
        code.co_linetable,
        code.co_exceptiontable,
        tuple(map(_constant, code.co_consts)),
    )


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return value.co_name, value.co_firstlineno
    if isinstance(value, frozenset):
        return "frozenset", *sorted(map(repr, value))
    return type(value).__name__, repr(value)


def _tree(source: Source, pytest: bool) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(source.text, source.file)
    if pytest:
        try:
            from _pytest.assertion.rewrite import rewrite_asserts

            rewrite_asserts(tree, source.text.encode("utf-8", "surrogatepass"))
            for node in ast.walk(tree):  # pytest gives its imports a beginning and no end
                if getattr(node, "lineno", None) is not None and getattr(node, "end_lineno", None) is None:
                    node.end_lineno = node.lineno  # type: ignore[attr-defined]
                    node.end_col_offset = node.col_offset  # type: ignore[attr-defined]
        except Exception:  # another pytest, with another inside: its assertions are then plain ones
            return _tree(source, False)
    return tree


def _compiled(tree: ast.Module, file: str) -> CodeType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Python has to say of the user's code, it has said
        code: CodeType = compile(tree, file, "exec", dont_inherit=True)
    return code


def _functions(code: CodeType) -> Iterator[CodeType]:
    """The code of functions and lambdas within code, at any depth, in the order of the file; none of ours."""
    for each in code.co_consts:
        if not isinstance(each, CodeType) or CELL in each.co_varnames:
            continue
        if each.co_name not in _COMPREHENSIONS and each.co_flags & 1:  # CO_OPTIMIZED: not the body of a class
            yield each
        yield from _functions(each)


def _name(code: CodeType) -> Any:
    return code.co_qualname, code.co_firstlineno


def _unambiguous(codes: list[CodeType]) -> list[CodeType]:
    names = [_name(code) for code in codes]
    return [code for code in codes if names.count(_name(code)) == 1]


def _shape(code: CodeType) -> Any:
    """What must be the same for one code to stand for another."""
    arguments = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    return (
        code.co_name,
        code.co_firstlineno,
        code.co_argcount,
        code.co_kwonlyargcount,
        code.co_posonlyargcount,
        code.co_varnames[:arguments],
        code.co_freevars,
        code.co_flags & 0x1FF & ~ITERABLE_COROUTINE,
    )
