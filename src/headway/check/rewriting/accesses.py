"""Accesses: the functions that rewritten code calls before each shared access.

Most take the object that is about to be accessed, announce the access, and give the object back; the access follows in
the user's own code. They are the hot path of every schedule: one look-up by type says what an access is.
"""

import _thread
import builtins
import operator
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from types import (
    BuiltinMethodType,
    MethodDescriptorType,
    MethodType,
    MethodWrapperType,
    WrapperDescriptorType,
)
from typing import Any

from headway.check.hook import Visit, hook
from headway.check.rewriting.containers import KNOWN, Accessed, learn, method_access, owner_of
from headway.check.rewriting.dictionaries import held, hold
from headway.check.rewriting.instances import (
    INSTANCE,
    decide_plain_write,
    decide_read,
    decide_write,
    read_variable,
    written_variable,
)
from headway.check.site import STRUCTURE, Site

_get_ident = _thread.get_ident  # taken before anything is doubled

# What rewritten code calls itself; C functions, which leave no frame between the user's code and its objects. They are
# objects of their own: whoever watches calls can tell these from the program's.
globals = partial(builtins.globals)  # noqa: A001
slice = partial(builtins.slice)  # noqa: A001
getitem = partial(operator.getitem)
call = partial(operator.call)
call_unpacked = partial(operator.call)
"""Likewise, where the program unpacks arguments."""

Decide = Callable[[type, str], int]
VariableOf = Callable[[Any, str, int], tuple[object, Hashable] | None]
Before = Callable[[Any, Site], Any]
BeforeItem = Callable[[Any, Any, Site], Any]

# Attributes.


def _before_attribute(decide: Decide, variable_of: VariableOf, write: bool) -> Before:
    """Both of the two below: a function of their own would take as long as all that they do."""

    def before(owner: Any, site: Site) -> Any:
        if type(owner) is site.private_of:  # what follows does no more, for most of all accesses
            execution = hook.private
            if execution.ident == _get_ident():
                me = execution.running
                steps = me.steps + 1
                if steps < me.limit:
                    me.steps = steps
                    return owner
        elif type(owner) is site.nobody_of:
            return owner
        __tracebackhide__ = True
        visit = hook.visit
        if visit is not None:
            kind = type(owner)
            try:
                how = site.decided[kind]
            except KeyError:
                how = site.decided[kind] = decide(kind, site.name)
            if how == 1:  # INSTANCE; a global would cost a look-up
                if site.shared is False or hook.solo:
                    site.private_of = kind
                visit(site, owner, site.name, write)
            elif how:
                variable = variable_of(owner, site.name, how)
                if variable is not None:
                    visit(site, *variable, write)
            else:
                site.nobody_of = kind
        return owner

    return before


before_attribute = _before_attribute(decide_read, read_variable, False)
"""Announces `owner.name`."""
before_attribute_write = _before_attribute(decide_write, written_variable, True)
"""Announces `owner.name = …` or `del owner.name`."""
before_callee = before_attribute


def _by_name(visit: Visit, site: Site, owner: Any, name: Any, writes: bool, plain: bool = False) -> None:
    if type(name) is not str or (name.startswith("__") and name.endswith("__") and name != "__dict__"):
        return
    kind = type(owner)
    if plain:
        how = decide_plain_write(kind, name) if writes else INSTANCE
    else:
        how = decide_write(kind, name) if writes else decide_read(kind, name)
    if how:
        variable = (written_variable if writes else read_variable)(owner, name, how)
        if variable is not None:
            visit(site, *variable, writes)


def arguments_of_builtin(site: Site, function: Any, *arguments: Any) -> tuple[Any, ...]:
    """Announce `getattr`, `setattr`, `hasattr`, `delattr` and `vars`; give what `operator.call` needs."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None and arguments:
        if function is vars:
            hold(arguments[0])
        elif len(arguments) > 1 and (function in _BY_NAME):
            _by_name(visit, site, arguments[0], arguments[1], _BY_NAME[function])
    return (function, *arguments)


_BY_NAME: dict[Callable[..., Any], bool] = {getattr: False, hasattr: False, setattr: True, delattr: True}
_SLOTS = {"__getattribute__": False, "__setattr__": True, "__delattr__": True}


def arguments_of_slot(site: Site, function: Any, *arguments: Any) -> tuple[Any, ...]:
    """Announce `object.__setattr__` and the like, also of `super()`; give what `operator.call` needs."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None and arguments:
        kind = type(function)
        if kind is WrapperDescriptorType and function.__name__ in _SLOTS and len(arguments) > 1:
            _by_name(visit, site, arguments[0], arguments[1], _SLOTS[function.__name__], True)
        elif kind is MethodWrapperType and function.__name__ in _SLOTS:
            _by_name(visit, site, function.__self__, arguments[0], _SLOTS[function.__name__], True)
    return (function, *arguments)


# Items.


def _before_item(which: int) -> BeforeItem:
    def before(owner: Any, key: Any, site: Site) -> Any:
        __tracebackhide__ = True
        visit = hook.visit
        if visit is not None:
            try:
                kind = KNOWN[type(owner)]
            except KeyError:
                kind = learn(type(owner))
            if kind is not None and (access := kind.items[which]) is not None:
                whose, name, writes = access(owner, key)
                visit(site, whose, name, writes)
        return owner

    return before


before_item_read, before_item_write, before_item_delete = map(_before_item, range(3))
"""Announce `owner[key]`, `owner[key] = …` and `del owner[key]`; give the owner."""


def key_of_read(owner: Any, key: Any, site: Site) -> Any:
    """Announce `owner[key]`; give the key."""
    __tracebackhide__ = True
    before_item_read(owner, key, site)
    return key


def key_of_write(owner: Any, key: Any, site: Site) -> Any:
    """Announce `owner[key] = …`; give the key."""
    __tracebackhide__ = True
    before_item_write(owner, key, site)
    return key


def key_of_delete(owner: Any, key: Any, site: Site) -> Any:
    """Announce `del owner[key]`; give the key."""
    __tracebackhide__ = True
    before_item_delete(owner, key, site)
    return key


def pair_of_read(owner: Any, key: Any, site: Site) -> tuple[Any, Any]:
    """Announce `owner[key]`; give what `operator.getitem` needs."""
    __tracebackhide__ = True
    before_item_read(owner, key, site)
    return owner, key


def before_slice_read(owner: Any, site: Site) -> Any:
    """Announce `owner[a:b]`."""
    __tracebackhide__ = True
    return before_item_read(owner, _SLICE, site)


def before_slice_write(owner: Any, site: Site) -> Any:
    """Announce `owner[a:b] = …`."""
    __tracebackhide__ = True
    return before_item_write(owner, _SLICE, site)


def before_slice_delete(owner: Any, site: Site) -> Any:
    """Announce `del owner[a:b]`."""
    __tracebackhide__ = True
    return before_item_delete(owner, _SLICE, site)


_SLICE = builtins.slice(None)

# Containers.


def before_method(owner: Any, attribute: Site, site: Site) -> Any:
    """Announce `owner.method(…)`, where nothing is evaluated between this and the call."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        try:
            kind = KNOWN[type(owner)]
        except KeyError:
            kind = learn(type(owner))
        if kind is None:
            return before_attribute(owner, attribute)
        writes = kind.methods.get(site.name)
        if writes is not None:
            visit(site, owner_of(owner, kind.is_view) if held else owner, STRUCTURE, writes)
        elif not kind.is_view:
            return before_attribute(owner, attribute)
    return owner


def arguments_of_method(site: Site, function: Any, *arguments: Any) -> tuple[Any, ...]:
    """Announce a call of what may be a container's method; give what `operator.call` needs."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        kind, access = type(function), None
        if kind is BuiltinMethodType or kind is MethodWrapperType:
            access = method_access(function.__self__, function.__name__, arguments)
        elif (kind is MethodDescriptorType or kind is WrapperDescriptorType) and arguments:
            access = method_access(arguments[0], function.__name__, arguments[1:])
        elif kind is MethodType:  # Counter's methods are written in Python, and are not rewritten
            access = _python_method(function, arguments)
        if access is not None:
            whose, name, writes = access
            visit(site, whose, name, writes)
    return (function, *arguments)


def _python_method(function: MethodType, arguments: tuple[Any, ...]) -> Accessed | None:
    owner, name = function.__self__, function.__name__
    kind = KNOWN[type(owner)] if type(owner) in KNOWN else learn(type(owner))
    return method_access(owner, name, arguments) if kind is not None and name in kind.methods else None


def before_keyed_method(owner: Any, key: Any, attribute: Site, site: Site) -> Any:
    """Announce `owner.get(key, …)` and the like, where nothing is evaluated between this and the call."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        try:
            kind = KNOWN[type(owner)]
        except KeyError:
            kind = learn(type(owner))
        if kind is None or site.name not in kind.methods or site.name not in kind.keyed:
            return before_attribute(owner, attribute)
        whose, name, writes = kind.keyed[site.name](owner, key)
        visit(site, whose, name, writes)
    return owner


def before_in_place(value: Any, owner: Any, site: Site) -> Any:
    """Announce that `owner` may be changed by an augmented assignment with `value`; give the value."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        try:
            kind = KNOWN[type(owner)]
        except KeyError:
            kind = learn(type(owner))
        if kind is not None and kind.methods:
            visit(site, owner_of(owner, kind.is_view), STRUCTURE, True)
    return value


def before_whole(owner: Any, site: Site) -> Any:
    """Announce that a container is read as a whole: its length, truth, a membership, or all items in one step."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        try:
            kind = KNOWN[type(owner)]
        except KeyError:
            kind = learn(type(owner))
        if kind is not None and site.kind in kind.whole:
            whose = owner_of(owner, kind.is_view) if held or kind.is_view else owner
            visit(site, whose, STRUCTURE, False)
    return owner


def _step(site: Site, owner: Any) -> None:
    if site.shared is False or hook.solo:  # as above; to call a function for it takes longer
        execution = hook.private
        if execution.ident == _get_ident():
            me = execution.running
            steps = me.steps + 1
            if steps < me.limit:
                me.steps = steps
                return
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, owner, STRUCTURE, False)


_second = {}.get  # type: ignore[var-annotated]  # of (what is no key, item) gives the item, in C
_NEVER = object()


def steps(iterable: Any, site: Site) -> Any:
    """An iterable that announces each step, if it is a container; else itself.

    Made of C iterators, so that an exception of the container's own iterator has no frame of ours.
    """
    if hook.visit is None:
        return iterable
    kind = KNOWN[type(iterable)] if type(iterable) in KNOWN else learn(type(iterable))
    if kind is None or "iteration" not in kind.whole:
        return iterable
    ticks: Iterator[Any] = iter(partial(_step, site, owner_of(iterable, kind.is_view)), _NEVER)
    return map(_second, ticks, iter(iterable))


# Variables of functions and modules.


def before_cell(inner: Any, site: Site) -> None:
    """Announce a read of the closure variable that `inner` captures."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, inner.__closure__[0], "", False)


def store_cell(value: Any, inner: Any, site: Site) -> Any:
    """Announce that the closure variable that `inner` captures is about to be bound; give the value."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, inner.__closure__[0], "", True)
    return value


def before_global(names: dict[str, Any], site: Site) -> None:
    """Announce a read of a global."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, names, site.name, False)


def store_global(value: Any, names: dict[str, Any], site: Site) -> Any:
    """Announce that a global is about to be bound; give the value."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, names, site.name, True)
    return value


def before_line(site: Site) -> None:
    """Announce a statement."""
    __tracebackhide__ = True
    visit = hook.visit
    if visit is not None:
        visit(site, None, "", False)
