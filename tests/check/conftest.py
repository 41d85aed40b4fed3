"""What the tests of check share: each of their files begins with as few objects as it can."""

import gc
from collections.abc import Iterator

import pytest

from headway.check.rewriting import compiled


@pytest.fixture(scope="module", autouse=True)
def _leaves_few_objects() -> Iterator[None]:
    """Forget what is kept of rewritten files, and what only the collector frees.

    A search begins with a look at all objects of the process. With those of a thousand tests, that took longer than
    most searches here.
    """
    yield
    compiled._sources.clear()
    compiled._rewritings.clear()
    gc.collect()
