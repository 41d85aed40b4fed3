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

from headway.check.rewriting.dictionaries import held, owner_of_dictionary
from headway.check.site import STRUCTURE

Accessed = tuple[object, Hashable, bool]
"""Owner and name of a variable, and whether the access may write."""

Access = Callable[[Any, Any], Accessed]
"""What is accessed by a container and a key."""

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
_length = len  # a program may put its own in `builtins`
_PLAIN = frozenset([str, int, bytes, bool, type(None), float])
HEAP = 1 << 9
"""Py_TPFLAGS_HEAPTYPE: the type was made by a program, and can be changed."""


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
        is_view: Is it a view of a dict? Then the owner of its variables is that dict.
        whole: The kinds of reading it as a whole that are the container's own, and not a subclass's.
        methods: Which methods are the container's own, and whether they write.
        builtin: The same of all methods, also of those that a subclass overrides: `super()` has them.
        keyed: By name of a method, what it accesses for a key or index, where that is not the structure.
        items: What `container[key]` accesses when it is read, written and deleted; None if that is not the container's
            own.
    """

    __slots__ = ("builtin", "is_view", "items", "keyed", "methods", "whole")

    def __init__(self, kind: type, base: type | None) -> None:
        self.is_view = base is None
        self.whole = frozenset(_WHOLE)
        self.methods: dict[str, bool] = {}
        self.builtin: dict[str, bool] = {}
        self.keyed: dict[str, Access] = {}
        self.items: tuple[Access | None, ...] = (None, None, None)
        if base is None:
            return

        def own(name: str) -> bool:
            return getattr(kind, name, None) is getattr(base, name, None)

        self.builtin = _BASES[base]
        self.methods = {name: writes for name, writes in self.builtin.items() if own(name)}
        self.whole = frozenset(name for name, needed in _WHOLE.items() if all(map(own, needed)))
        if base is set:
            return
        if not issubclass(base, dict):
            self.keyed = _INDEXED
        elif issubclass(base, defaultdict) and own("__missing__"):
            self.keyed = {**_KEYED, "__getitem__": _default_read}
        else:
            self.keyed = _KEYED
        methods = ("__getitem__", "__setitem__", "__delitem__")
        self.items = tuple(self.keyed[name] if own(name) else None for name in methods)


KNOWN: dict[type, Container | None] = {}
"""By type: what accesses it has, or None for what is no container of Python's. See `learn`."""


def learn(kind: type) -> Container | None:
    """Find what a type is that is not in `KNOWN` yet."""
    found: Container | None = None
    if kind in _VIEWS:
        found = Container(kind, None)
    else:
        base = next((each for each in kind.__mro__ if each in _BASES), None)
        if base is not None:
            found = Container(kind, base)
    KNOWN[kind] = found
    return found


def forget() -> None:
    """Drop the types that a program has made."""
    for kind in [each for each in KNOWN if each.__flags__ & HEAP]:
        del KNOWN[kind]


def owner_of(container: Any, is_view: bool) -> object:
    """Whose variables those of a container are: its own, or an object's if it is that object's `__dict__`."""
    if is_view:
        container = gc.get_referents(container)[0]
    return owner_of_dictionary(container) if held else container


def method_access(container: Any, name: str, arguments: tuple[Any, ...]) -> Accessed | None:
    """What a call of a container's own method accesses; None if it is no such method.

    Args:
        container: The object that the method is of.
        name: The method's name.
        arguments: The positional arguments, without the container.
    """
    kind = KNOWN[type(container)] if type(container) in KNOWN else learn(type(container))
    if kind is None:
        return None
    writes = kind.builtin.get(name)
    if writes is None:
        return None
    if name in kind.keyed and arguments:
        return kind.keyed[name](container, arguments[0])
    return owner_of(container, kind.is_view), STRUCTURE, writes


def _key_read(container: Any, key: Any) -> Accessed:
    if held and (owner := owner_of_dictionary(container)) is not container:
        return owner, key if type(key) is str else STRUCTURE, False
    if (type(key) in _PLAIN or is_plain(key)) and dict.__contains__(container, key):
        return container, key, False
    return container, STRUCTURE, False


def _default_read(container: Any, key: Any) -> Accessed:
    if (type(key) in _PLAIN or is_plain(key)) and dict.__contains__(container, key):
        return container, key, False
    return container, STRUCTURE, container.default_factory is not None


def _key_write(container: Any, key: Any) -> Accessed:
    owner, name, _ = _key_read(container, key)
    return owner, name, True


def _key_delete(container: Any, key: Any) -> Accessed:
    if held and owner_of_dictionary(container) is not container:
        return _key_write(container, key)
    return container, STRUCTURE, True


def _setdefault(container: Any, key: Any) -> Accessed:
    owner, name, _ = _key_read(container, key)
    return owner, name, name is STRUCTURE or owner is not container


def _index_read(container: Any, key: Any) -> Accessed:
    if type(key) is int:
        length = _length(container)
        if key < 0:
            key += length
        if 0 <= key < length:
            return container, key, False
    return container, STRUCTURE, False


def _index_write(container: Any, key: Any) -> Accessed:
    owner, name, _ = _index_read(container, key)
    return owner, name, True


def _whole_write(container: Any, key: Any) -> Accessed:
    return container, STRUCTURE, True


_KEYED: dict[str, Access] = {
    "get": _key_read,
    "setdefault": _setdefault,
    "__getitem__": _key_read,
    "__setitem__": _key_write,
    "__delitem__": _key_delete,
}
_INDEXED: dict[str, Access] = {
    "__getitem__": _index_read,
    "__setitem__": _index_write,
    "__delitem__": _whole_write,
}
