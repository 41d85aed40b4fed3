"""Instances: whose variable an attribute is: the object's, a class's, or nobody's as it is a function or property."""

import enum
from collections.abc import Hashable, Iterable
from functools import cached_property
from types import MemberDescriptorType, ModuleType
from typing import Any

from headway.check.rewriting.containers import HEAP
from headway.check.rewriting.dictionaries import hold
from headway.check.site import Site

NOBODY, INSTANCE, DATA_ON_CLASS, MAY_BE_SHADOWED, DICTIONARY, MODULE, CLASS = range(7)
"""What an attribute of some name is on the objects of a type; the first needs no point, the second is most frequent."""

_ABSENT = object()


class Run:
    """What one exploration knows of its program.

    Attributes:
        stored: Names of attributes that some rewritten code assigns: only these can hide a method of the same name.
        rebound: By the id of a module's dictionary, its globals that rewritten code rebinds.
        sites: All sites.
        on_classes: Names of attributes that were assigned to classes.
    """

    __slots__ = ("on_classes", "rebound", "sites", "stored")

    def __init__(self) -> None:
        self.stored: frozenset[str] = frozenset()
        self.rebound: dict[int, frozenset[str]] = {}
        self.sites: list[Site] = []
        self.on_classes: set[str] = set()

    def begin(self, sites: Iterable[Site], rebound: dict[int, frozenset[str]]) -> None:
        """Take what a program's sites say."""
        self.sites = list(sites)
        self.stored = frozenset(site.name for site in self.sites if site.kind == "attribute" and site.write)
        self.rebound = rebound
        self.on_classes.clear()
        self.forget_decisions()

    def forget_decisions(self) -> None:
        """Decide anew what each attribute is: a class has changed, or a run has begun or ended."""
        for site in self.sites:
            if site.decided:
                site.decided.clear()
                site.private_of = site.nobody_of = None


run = Run()


def _on_class(kind: type, name: str) -> tuple[type | None, Any]:
    for each in kind.__mro__ or ():  # None while a metaclass makes it
        value = each.__dict__.get(name, _ABSENT)
        if value is not _ABSENT:
            return each, value
    return None, None


def _is_data(value: Any) -> bool:
    return not hasattr(type(value), "__get__")


def decide_read(kind: type, name: str) -> int:
    """What reading an attribute is, for objects of this type."""
    if issubclass(kind, ModuleType):
        return MODULE
    if issubclass(kind, type):
        return NOBODY if issubclass(kind, enum.EnumType) else CLASS
    if name == "__dict__":
        return DICTIONARY
    if kind.__getattribute__ is not object.__getattribute__:
        return NOBODY  # its own body is rewritten; thread-locals and proxies have one too
    has_dict = bool(kind.__dictoffset__)
    where, value = _on_class(kind, name)
    if where is None:
        return INSTANCE if has_dict else NOBODY
    if type(value) is MemberDescriptorType:
        return INSTANCE if where.__flags__ & HEAP else NOBODY
    if type(value) is cached_property:
        return INSTANCE
    if _is_data(value):
        return DATA_ON_CLASS if where.__flags__ & HEAP else NOBODY
    if hasattr(type(value), "__set__") or hasattr(type(value), "__delete__"):
        return NOBODY
    return MAY_BE_SHADOWED if has_dict and name in run.stored else NOBODY


def decide_write(kind: type, name: str) -> int:
    """What assigning or deleting an attribute is, for objects of this type."""
    if issubclass(kind, ModuleType):
        return MODULE
    if issubclass(kind, type):
        return CLASS
    if kind.__setattr__ is not object.__setattr__ or name == "__dict__":
        return NOBODY
    return decide_plain_write(kind, name)


def decide_plain_write(kind: type, name: str) -> int:
    """What `object.__setattr__` does to this attribute."""
    where, value = _on_class(kind, name)
    if where is not None and type(value) is not MemberDescriptorType:
        descriptor = type(value)
        if hasattr(descriptor, "__set__") or hasattr(descriptor, "__delete__"):
            return NOBODY
    return INSTANCE


def read_variable(owner: Any, name: str, how: int) -> tuple[object, Hashable] | None:
    """The variable that is read, or None if it is nobody's."""
    if how == MODULE:
        names = run.rebound.get(id(owner.__dict__))
        return (owner.__dict__, name) if names is not None and name in names else None
    if how == CLASS:
        where, value = _on_class(owner, name)
        if where is None or not _is_data(value) or not where.__flags__ & HEAP:
            return None
        return where, name
    if how == DICTIONARY:
        hold(owner)
        return None
    if how == INSTANCE:
        return owner, name
    if name in getattr(owner, "__dict__", ()):
        return owner, name
    if how == DATA_ON_CLASS:
        # Only a default, which whoever assigns it to the object hides; unless some are assigned to classes, too.
        if name not in run.on_classes and type(owner).__dictoffset__:
            return owner, name
        return _on_class(type(owner), name)[0], name
    return None


def written_variable(owner: Any, name: str, how: int) -> tuple[object, Hashable] | None:
    """The variable that is written, or None if it is nobody's."""
    if how == MODULE:
        return owner.__dict__, name
    if how == CLASS:
        run.on_classes.add(name)
        where, value = _on_class(owner, name)
        if where is None or not _is_data(value):
            run.forget_decisions()  # what was a method, or absent, may become data
        return owner, name
    return (owner, name) if how == INSTANCE else None
