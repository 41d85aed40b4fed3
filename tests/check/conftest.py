"""What the tests of check share: each of their files begins with as few objects as it can."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis.strategies import none

from headway.check.rewriting import compiled


@pytest.fixture(scope="module", autouse=True)
def _few_objects(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each file begins with no objects that a search would look at, but for those whose modules say that they need it.

    A search begins with a look at all objects of the process. With those of a thousand tests, of pytest and of what its
    plugins import, that took longer than most searches here.
    """
    if not getattr(request.module, "OBJECTS_ARE_LOOKED_AT", False):
        gc.freeze()
    yield
    compiled._sources.clear()
    compiled._rewritings.clear()
    gc.collect()
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def _hypothesis_has_begun() -> None:
    """When it makes its random numbers, it looks at who refers to them, and is misled by what is frozen."""
    given(none())(lambda _: None)()


@pytest.fixture
def only_our_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a pytest in a process of its own: others that are installed take much longer to start than all the rest."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "headway.pytest_plugin")
