"""Swap: gives functions their rewritten code for the time of an exploration, and their own back after it."""

import gc
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import CO_OPTIMIZED
from itertools import compress
from operator import attrgetter
from types import CodeType, FunctionType, ModuleType

from headway.check.rewriting.compiled import (
    ITERABLE_COROUTINE,
    Granularity,
    Rewriting,
    Source,
    identity,
    rewriting_of,
    source_of,
)
from headway.check.rewriting.containers import forget
from headway.check.rewriting.dictionaries import held
from headway.check.rewriting.instances import run
from headway.check.rewriting.reach import Reach
from headway.check.site import Site


class Rewritten:
    """What is under control.

    Attributes:
        files: The rewritten files, sorted.
        fingerprint: Six hexadecimal digits of a hash of their text.
        unreachable: Functions and modules whose accesses are not points, each with the reason.
        sites: All sites, by file and then in the order of the file.
    """

    def __init__(self, sources: Sequence[Source], sites: list[Site], unreachable: list[str]) -> None:
        self.files = [source.file for source in sources]
        digests = "".join(source.digest for source in sorted(sources, key=_portable))
        self.fingerprint = hashlib.sha256(digests.encode()).hexdigest()[:6]
        self.unreachable = unreachable
        self.sites = sites


def _portable(source: Source) -> tuple[str, str]:
    """An order that is the same wherever the files lie."""
    return os.path.basename(source.file), source.digest


_file_of = attrgetter("__code__.co_filename")
_depth = 0


@contextmanager
def rewritten(
    scenario: Callable[..., object], *, granularity: Granularity, also: Sequence[str] = ()
) -> Iterator[Rewritten]:
    """Rewrite a scenario's own code while the block runs.

    Its own code is its module and the local modules that it reaches: those that are not Python's own, not installed
    and not headway's. Functions keep their identity; only their code is exchanged. Frames that run keep the old code.
    A method that was taken from a container before, as in `push = items.append`, is no point when it is called.

    Args:
        scenario: Where the walk through functions, classes and modules begins.
        granularity: "access" or "line".
        also: Names of further modules and packages to rewrite, each with all loaded submodules.
    """
    reach = Reach(scenario, also)
    unreachable = list(reach.missing)
    sources: dict[str, Source] = {}
    for file in {function.__code__.co_filename for function in reach.functions}:
        source = source_of(file)
        if source is not None:
            sources[file] = source
    functions = _with_others(reach, sources)
    rebound = _rebound_from_outside(reach, sources)
    swaps: list[tuple[FunctionType, CodeType]] = []
    used: dict[tuple[str, bool], Rewriting] = {}
    for function in functions:
        file = function.__code__.co_filename
        source = sources.get(file)
        if source is None:
            if not _is_generated(function):
                unreachable.append(f"{_named(function)}: no source ({file})")
            continue
        pytest = "@pytest_ar" in function.__globals__
        names = rebound.get(file, frozenset())
        rewriting = used.get((file, pytest))
        if rewriting is None:
            try:
                rewriting = used[file, pytest] = rewriting_of(source, granularity, names, pytest=pytest)
            except (SyntaxError, ValueError, RecursionError) as error:
                unreachable.append(f"{file}: {error}")
                del sources[file]
                continue
        new = rewriting.codes.get(identity(function.__code__))
        if new is None and pytest:  # such as an assertion rewritten by a pytest with other options
            plain = rewriting_of(source, granularity, names, pytest=False)
            new = plain.codes.get(identity(function.__code__))
            if new is not None:
                used[file, False] = plain
        if new is None:
            unreachable.append(f"{_named(function)}: its code is not what {file} says now")
        else:
            kept = function.__code__.co_flags & ITERABLE_COROUTINE & ~new.co_flags
            swaps.append((function, new.replace(co_flags=new.co_flags | kept) if kept else new))
    sites = [site for key in sorted(used) for site in used[key].sites]
    ordered = [sources[file] for file in sorted({file for file, _ in used})]
    global _depth
    restored: list[tuple[FunctionType, CodeType]] = []
    outer_sites, outer_rebound = run.sites, run.rebound
    _depth += 1
    try:
        run.begin(
            [*outer_sites, *sites], {**outer_rebound, **_rebound_by_dictionary(functions, sources, rebound)}
        )
        for function, new in swaps:
            restored.append((function, function.__code__))
            function.__code__ = new
        yield Rewritten(ordered, sites, unreachable)
    finally:
        for function, old in reversed(restored):
            function.__code__ = old
        run.forget_decisions()
        _depth -= 1
        run.begin(outer_sites, outer_rebound)
        if not _depth:
            held.clear()
            forget()


def _with_others(reach: Reach, sources: dict[str, Source]) -> list[FunctionType]:
    """The functions reached, and those of the same files that only something unknown holds."""
    known = {id(function) for function in reach.functions}
    found = list(reach.functions)
    functions = [each for each in gc.get_objects() if type(each) is FunctionType]
    in_them = map(sources.__contains__, map(_file_of, functions))  # in C: there are many, and few are
    for each in compress(functions, in_them):
        if id(each) not in known and each.__code__.co_flags & CO_OPTIMIZED:
            found.append(each)  # what is not optimised is the body of a module or class that runs
    return found


def _rebound_from_outside(reach: Reach, sources: dict[str, Source]) -> dict[str, frozenset[str]]:
    """By file: the globals that some function rebinds through the module object, as in `config.limit = 1`."""
    found: dict[str, set[str]] = {}
    for module in reach.modules.values():
        source = sources.get(getattr(module, "__file__", None) or "")
        if source is None:
            continue
        for base, name in source.assigned:
            target = vars(module).get(base)
            if isinstance(target, ModuleType) and getattr(target, "__file__", None):
                found.setdefault(str(target.__file__), set()).add(name)
    return {file: frozenset(names) for file, names in found.items()}


def _rebound_by_dictionary(
    functions: list[FunctionType], sources: dict[str, Source], rebound: dict[str, frozenset[str]]
) -> dict[int, frozenset[str]]:
    """By the id of a module's dictionary: all its globals that are rebound."""
    found: dict[int, frozenset[str]] = {}
    for function in functions:
        number, file = id(function.__globals__), function.__code__.co_filename
        if number not in found and file in sources:
            found[number] = rebound.get(file, frozenset()) | sources[file].scopes.rebound
    return found


def _named(function: FunctionType) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _is_generated(function: FunctionType) -> bool:
    """Is this what `dataclasses` or `namedtuple` has made? Those touch objects that are new, or only compare."""
    name = function.__name__
    return function.__code__.co_filename.startswith("<") and name.startswith("_")
