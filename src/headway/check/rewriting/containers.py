"""Containers: which of Python's own containers an object is, what its methods do, and which variable an access is to.

A container has one variable for each key or index, for what only reads or overwrites what is there, and `STRUCTURE`
for all that changes or observes which keys or how many items it has; that a key is absent is such an observation. Keys
whose `__eq__` and `__hash__` may be the user's are never compared here: they count as `STRUCTURE`.
"""

import gc
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any

from headway.check.rewriting.instances import owners
from headway.check.site import STRUCTURE

Access = tuple[object, Hashable, bool]
"""Owner and name of a variable, and whether the access may write."""

_SEQUENCE_READS = "count index copy __len__ __iter__ __contains__ __reversed__"
_SEQUENCE_WRITES = "append extend insert remove pop clear reverse __iadd__ __imul__ "
_DICT_READS = "copy get __len__ __iter__ __contains__ __reversed__ __getitem__"
_DICT_WRITES = "pop popitem update clear setdefault __setitem__ __delitem__ __ior__"
_SET_READS = (
    "copy difference intersection isdisjoint issubset issuperset symmetric_difference union"
    " __len__ __iter__ __contains__"
)
_SET_WRITES = (
    "add clear difference_update discard intersection_update pop remove symmetric_difference_update update"
    " __ior__ __iand__ __isub__ __ixor__"
)


def _table(reads: str, writes: str) -> dict[str, bool]:
    return {**dict.fromkeys(reads.split(), False), **dict.fromkeys(writes.split(), True)}


_SEQUENCE_ITEMS = " __getitem__", " __setitem__ __delitem__"
_BASES: dict[type, dict[str, bool]] = {
    list: _table(_SEQUENCE_READS + _SEQUENCE_ITEMS[0], _SEQUENCE_WRITES + "sort" + _SEQUENCE_ITEMS[1]),
    deque: _table(
        _SEQUENCE_READS + _SEQUENCE_ITEMS[0],
        _SEQUENCE_WRITES + "appendleft extendleft popleft rotate" + _SEQUENCE_ITEMS[1],
    ),
    bytearray: _table(
        _SEQUENCE_READS + " decode find hex join rfind split startswith endswith" + _SEQUENCE_ITEMS[0],
        _SEQUENCE_WRITES + _SEQUENCE_ITEMS[1],
    ),
    array: _table(
        _SEQUENCE_READS + " tobytes tolist tofile" + _SEQUENCE_ITEMS[0],
        _SEQUENCE_WRITES + "frombytes fromlist fromfile byteswap" + _SEQUENCE_ITEMS[1],
    ),
    dict: _table(_DICT_READS, _DICT_WRITES),
    OrderedDict: _table(_DICT_READS, _DICT_WRITES + " move_to_end"),
    defaultdict: _table(_DICT_READS, _DICT_WRITES + " __missing__"),
    Counter: _table(_DICT_READS + " elements most_common total", _DICT_WRITES + " subtract"),
    set: _table(_SET_READS, _SET_WRITES),
}
_ALL = frozenset(name for methods in _BASES.values() for name in methods)
METHODS = frozenset(name for name in _ALL if not name.startswith("__"))
"""The names of all methods that read or write some container."""

DUNDERS = frozenset(_ALL - METHODS)
"""Those that stand for operators: called by name, as a method of `super()` or of the container's type."""

_EMPTY: tuple[dict[Any, Any], ...] = {}, OrderedDict()
_VIEWS = frozenset(type(view) for made in _EMPTY for view in (made.keys(), made.values(), made.items()))
_WHOLE = {
    "length": ("__len__",),
    "iteration": ("__iter__",),
    "membership": ("__contains__",),
    "truth": ("__len__", "__bool__"),
}
_PLAIN = frozenset([str, int, bytes, bool, type(None), float])
_HEAP = 1 << 9  # Py_TPFLAGS_HEAPTYPE


def is_plain(key: object) -> bool:
    """Can this key be compared without running any code of the user's?"""
    kind = type(key)
    if kind in _PLAIN:
        return True
    if kind is tuple:
        return all(map(is_plain, key))  # type: ignore[call-overload]
    return isinstance(key, Enum) and kind.__hash__ is Enum.__hash__ and kind.__eq__ is object.__eq__


class Container:
    """What accesses a type of containers has.

    Attributes:
        whole: The kinds of reading it as a whole that are the container's own, and not a subclass's.
        methods: Which methods are the container's own, and whether they write.
        read: What `container[key]` accesses, if that is the container's own; likewise `write` and `delete`.
        is_view: Is it a view of a dict? Then the owner of its variables is that dict.
    """

    __slots__ = ("delete", "is_view", "methods", "read", "whole", "write")

    def __init__(self, kind: type, base: type | None) -> None:
        self.is_view = base is None
        self.read: Callable[[Any, Any], Access] | None = None
        self.write: Callable[[Any, Any], Access] | None = None
        self.delete: Callable[[Any, Any], Access] | None = None
        self.methods: dict[str, bool] = {}
        self.whole = frozenset(_WHOLE)
        if base is None:
            return

        def own(name: str) -> bool:
            return getattr(kind, name, None) is getattr(base, name, None)

        self.methods = {name: writes for name, writes in _BASES[base].items() if own(name)}
        self.whole = frozenset(name for name, needed in _WHOLE.items() if all(map(own, needed)))
        keyed = issubclass(base, dict)
        if own("__getitem__") and base is not set:
            inserts = issubclass(base, defaultdict) and own("__missing__")
            self.read = (_default_read if inserts else _key_read) if keyed else _index_read
        if own("__setitem__") and base is not set:
            self.write = _key_write if keyed else _index_write
        if own("__delitem__") and base is not set:
            self.delete = _key_delete if keyed else _whole_write


def owner_of(container: Any, is_view: bool) -> object:
    """Whose variables those of a container are: its own, or an object's if it is that object's `__dict__`."""
    if is_view:
        container = gc.get_referents(container)[0]
    if owners:
        return owners.get(container)
    return container


def _key_read(container: Any, key: Any) -> Access:
    if owners and (owner := owners.get(container)) is not container:
        return owner, key if type(key) is str else STRUCTURE, False
    if (type(key) in _PLAIN or is_plain(key)) and dict.__contains__(container, key):
        return container, key, False
    return container, STRUCTURE, False


def _default_read(container: Any, key: Any) -> Access:
    if (type(key) in _PLAIN or is_plain(key)) and dict.__contains__(container, key):
        return container, key, False
    return container, STRUCTURE, container.default_factory is not None


def _key_write(container: Any, key: Any) -> Access:
    owner, name, _ = _key_read(container, key)
    return owner, name, True


def _key_delete(container: Any, key: Any) -> Access:
    if owners and owners.get(container) is not container:
        return _key_write(container, key)
    return container, STRUCTURE, True


def _index_read(container: Any, key: Any) -> Access:
    if type(key) is int:
        length = len(container)
        if key < 0:
            key += length
        if 0 <= key < length:
            return container, key, False
    return container, STRUCTURE, False


def _index_write(container: Any, key: Any) -> Access:
    owner, name, _ = _index_read(container, key)
    return owner, name, True


def _whole_write(container: Any, key: Any) -> Access:
    return container, STRUCTURE, True


class _Known(dict[type, Container | None]):
    """What each type is, found when it is first seen."""

    def __missing__(self, kind: type) -> Container | None:
        found: Container | None = None
        if kind in _VIEWS:
            found = Container(kind, None)
        else:
            base = next((each for each in kind.__mro__ if each in _BASES), None)
            if base is not None:
                found = Container(kind, base)
        self[kind] = found
        return found

    def forget(self) -> None:
        """Drop the types that a program has made."""
        for kind in [each for each in self if each.__flags__ & _HEAP]:
            del self[kind]


KNOWN = _Known()
"""By type: what accesses it has, or None for what is no container of Python's."""


def method_access(container: Any, name: str, arguments: tuple[Any, ...]) -> Access | None:
    """What a call of a container's own method accesses; None if it is no such method.

    Args:
        container: The object that the method is of.
        name: The method's name.
        arguments: The positional arguments, without the container.
    """
    kind = KNOWN[type(container)]
    if kind is None:
        return None
    writes = kind.methods.get(name)
    if writes is None:
        base = next((each for each in type(container).__mro__ if each in _BASES), None)
        writes = _BASES[base].get(name) if base is not None else None
    if writes is None:
        return None
    if name in _KEYED and arguments:
        base = next((each for each in type(container).__mro__ if each in _BASES), None)
        if base is not None and base is not set:
            access = _KEYED[name] if issubclass(base, dict) else _INDEXED.get(name)
            if access is not None:
                return access(container, arguments[0])
    return owner_of(container, kind.is_view), STRUCTURE, writes


def _setdefault(container: Any, key: Any) -> Access:
    owner, name, _ = _key_read(container, key)
    return owner, name, name == STRUCTURE or owner is not container


_KEYED: dict[str, Callable[[Any, Any], Access]] = {
    "get": _key_read,
    "setdefault": _setdefault,
    "__getitem__": _key_read,
    "__setitem__": _key_write,
    "__delitem__": _key_delete,
}
_INDEXED: dict[str, Callable[[Any, Any], Access]] = {
    "__getitem__": _index_read,
    "__setitem__": _index_write,
    "__delitem__": _whole_write,
}
