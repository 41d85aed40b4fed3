"""Accesses as points: which of them matter is learnt while the program runs.

An access to what only one unit ever touches commutes with whatever the others do, so it need not be a point; nor need
one to what all touch under one and the same lock: nobody else comes to it before that lock is free, whose acquisition
is a point (Lipton, "Reduction: a method of proving properties of parallel programs", CACM 1975). Which sites those are
is not known beforehand: in an execution that learns, each variable remembers who touched it and which locks they held
(Savage et al., "Eraser: a dynamic data race detector for multithreaded programs", TOCS 1997).
"""

from __future__ import annotations

import _thread
from array import array
from collections import deque
from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from headway.check.site import STRUCTURE, Site
from headway.check.world import world

if TYPE_CHECKING:
    from headway.check.unit import Unit

__all__ = ["Visitor"]

_get_ident = _thread.get_ident

_NAMED = ("attribute", "global", "cell")
_CONTAINERS = (list, dict, set, bytearray, deque, array)


class Visitor:
    """Receives the accesses of rewritten code."""

    def __init__(self) -> None:
        self.changes = 0
        """Times that a site became a point, or none: executions before and after do not have the same points."""
        self.everything = False
        """All accesses are points, also those to what nobody shares: for what is shared and does not show it, such as
        objects that go away with their last reference."""
        self.private: set[Site] = set()
        """Sites where nothing has been seen so far that others could disturb."""
        self._learning = False
        self._touched: dict[tuple[int, Hashable], _Touched] = {}
        self._seen: set[Site] = set()

    @property
    def plain(self) -> bool:
        """Nobody needs to be told of accesses to what is not shared."""
        return not (self._learning or self.everything)

    def learn(self) -> None:
        """The next execution learns."""
        self._learning = True
        self._touched.clear()
        self._seen.clear()

    def stop(self) -> None:
        """The execution that learns takes too long for that: of what it has not come to yet, anything may be shared."""
        self._learning = False
        self._seen.clear()
        self._touched.clear()

    def learnt(self) -> None:
        """It is over: sites where nothing was seen that others could disturb are points no longer."""
        self._learning = False
        for site in self._seen:
            if site.shared is None:
                site.shared = False
                self.private.add(site)
                self.changes += 1
        self._touched.clear()

    def visit(self, site: Site, owner: object, name: Hashable, write: bool) -> None:
        """An access is about to happen, in whatever thread."""
        execution = world.execution
        if execution is None or execution.ident != _get_ident():
            return
        me = execution.running
        me.steps += 1
        if self._learning and len(execution.live) > 1:
            self._note(me, site, owner, name, write)
        if execution.watcher is not None:
            execution.watcher.accessed(me, site, owner, name, write)
        if me.steps < me.limit and (
            execution.alone
            or (site.shared is False and not self.everything)
            or (execution.fair and not execution.idle)  # its turn is not over
        ):
            return
        me.kind = "access"
        me.owner = owner
        me.variable = name
        me.write = write
        me.where = site
        if write:
            execution.idle = 0
        execution.arrive(me)

    def _note(self, me: Unit, site: Site, owner: object, name: Hashable, write: bool) -> None:
        self._seen.add(site)
        if owner is None:  # a line: it may do anything
            self._share(site)
            return
        if site.kind not in _NAMED and isinstance(owner, _CONTAINERS):
            name = STRUCTURE  # overlaps the others
        # Subtle: an object that has gone may lend its id to another; then a site is taken for shared that is not,
        # which costs time and nothing else.
        key = (id(owner), name)
        known = self._touched.get(key)
        if known is None:
            known = self._touched[key] = _Touched(me)
        if write:
            known.written = True
        if known.unit is not me:
            known.several = True
        if known.guards:
            known.guards &= me.held
        if known.guards or not (known.written and known.several):
            known.sites.add(site)
            return
        for other in known.sites:
            self._share(other)
        known.sites.clear()
        self._share(site)

    def _share(self, site: Site) -> None:
        if site.shared is not True:
            if site.shared is False:
                self.private.discard(site)
                self.changes += 1
            site.shared = True
            site.private_of = None


class _Touched:
    """Who touched a variable, where, and under which locks. What nobody writes is not shared, in this sense."""

    __slots__ = ("guards", "several", "sites", "unit", "written")

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.guards: set[Any] = set(unit.held)
        """Locks that all have held. Themselves: the identity of one that has gone may be that of another."""
        self.several = False
        self.written = False
        self.sites: set[Site] = set()
