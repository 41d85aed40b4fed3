"""All that a strategy tries, without end at the first failure: what comes of it, and how many executions it takes."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

from headway.check.explore import _prepared
from headway.check.options import Options
from headway.check.rewriting import Rewritten
from headway.check.search import COLLECT_EVERY, Search
from headway.check.strategies.bounded import Bounded
from headway.check.strategies.dpor import DPOR


class Enumerations:
    """Run all that a strategy tries, one strategy after the other; failures do not end it."""

    def __init__(self, scenario: Callable[[], None], driver: Any, code: Rewritten) -> None:
        self._scenario = scenario
        self._driver = driver
        self._code = code

    def __call__(self, strategy: Bounded | DPOR, most: int = 1000) -> tuple[set[Hashable], int]:
        """What came of it, and how many executions it took."""
        return self._driver(lambda search: self._look(search, strategy, most))  # type: ignore[no-any-return]

    def _look(self, search: Search, strategy: Bounded | DPOR, most: int) -> tuple[set[Hashable], int]:
        outcomes: set[Hashable] = set()
        visitor, seen = search._visitor, -1
        visitor.everything = learnt = isinstance(strategy, DPOR)
        for site in self._code.sites:
            site.shared = None
        for number in itertools.count(1):
            if seen != visitor.changes:
                seen = visitor.changes
                strategy.restart()
            if not learnt:
                visitor.learn()
            ending, _ = search.once(strategy)
            assert not strategy.diverged or seen != visitor.changes
            if not learnt:
                visitor.learnt()
            if not strategy.redundant:
                blocked = frozenset(each.number for each in ending.blocked)
                outcomes.add(blocked or getattr(self._scenario, "outcome", None))
            if number == most or (strategy.exhausted and seen == visitor.changes):
                return outcomes, number
            if number % COLLECT_EVERY == 0:
                gc.collect(1)
        raise AssertionError


@contextmanager
def enumerations(scenario: Callable[[], None]) -> Iterator[Enumerations]:
    with _prepared(scenario, Options(carrier="greenlets", seconds=None)) as (driver, code):
        yield Enumerations(scenario, driver, code)
