"""Runs a scenario with its code rewritten, and says what was visited."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple

import pytest

from headway.check.hook import hook
from headway.check.rewriting import Rewritten, rewritten


class Seen(NamedTuple):
    """What happened while a scenario ran."""

    result: Any
    visits: list[tuple[Any, ...]]
    rewritten: Rewritten

    @property
    def points(self) -> list[tuple[str, object, str]]:
        """The visits as (kind, name, "read" or "write")."""
        return [(site.kind, name, "write" if write else "read") for site, _, name, write in self.visits]


Watch = Callable[..., Seen]
Load = Callable[[str], ModuleType]


@pytest.fixture
def watch() -> Iterator[Watch]:
    # Without a source, so that it is not rewritten itself: the tests are local code.
    space: dict[str, Any] = {}
    exec("def visit(*visit): visits.append(visit)", space)

    def watch(
        scenario: Callable[..., Any],
        *arguments: Any,
        granularity: Literal["access", "line"] = "access",
        also: Sequence[str] = (),
    ) -> Seen:
        visits = space["visits"] = []
        with rewritten(scenario, granularity=granularity, also=also) as found:
            hook.visit = space["visit"]
            try:
                result = scenario(*arguments)
            finally:
                hook.visit = None
        return Seen(result, visits, found)

    yield watch
    hook.visit = None


@pytest.fixture
def load(tmp_path: Path) -> Iterator[Load]:
    """Makes a module of a text, in a file of its own."""
    made: list[str] = []

    def load(text: str) -> ModuleType:
        name = f"made_{len(made)}"
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        made.append(name)
        return load_file(name, path)

    yield load
    for name in made:
        sys.modules.pop(name, None)


def load_file(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
