"""What the tests of check share: each of their files begins with as few objects as it can."""

import gc
from collections.abc import Iterator

import pytest

from headway.check.rewriting import compiled

# A search begins with a look at all objects of the process. What pytest, its plugins and what they import have made by
# now is no program's, and took longer than most searches here.
gc.collect()
gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _leaves_few_objects() -> Iterator[None]:
    """Forget what is kept of rewritten files, and what only the collector frees: the objects of a thousand tests."""
    yield
    compiled._sources.clear()
    compiled._rewritings.clear()
    gc.collect()


@pytest.fixture
def only_our_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a pytest in a process of its own: others that are installed take much longer to start than all the rest."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_PLUGINS", "headway.pytest_plugin")
