"""Dictionaries of objects: `obj.x`, `obj.__dict__["x"]` and `vars(obj)["x"]` are one variable, the object's."""

import weakref
from types import ModuleType
from typing import Any

held: dict[int, "weakref.ref[Any]"] = {}
"""By the id of their `__dict__`: the objects whose `__dict__` the program has taken in its hands."""


def hold(owner: Any) -> None:
    """Note that this object's `__dict__` is about to be used as a dictionary.

    Objects without weak references keep two variables for one attribute. A module's variables are its dictionary's.
    """
    dictionary = getattr(owner, "__dict__", None)
    if type(dictionary) is not dict or isinstance(owner, ModuleType):
        return
    number = id(dictionary)
    try:
        held[number] = weakref.ref(owner, lambda dead: _let_go(number, dead))
    except TypeError:
        return


def _let_go(number: int, dead: "weakref.ref[Any]") -> None:
    if held.get(number) is dead:
        del held[number]


def owner_of_dictionary(dictionary: Any) -> object:
    """The object whose `__dict__` this is; if none is known, the dictionary itself."""
    known = held.get(id(dictionary))
    owner = known() if known is not None else None
    if owner is None or owner.__dict__ is not dictionary:
        return dictionary
    return owner
