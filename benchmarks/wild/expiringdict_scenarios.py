"""expiringdict: "object is locked during cleanup"."""

import threading
import time
from typing import Any

from expiringdict import ExpiringDict

PACKAGE = "expiringdict"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_never_more_than_max_len() -> None:
    """Room for two, three come."""
    cache = ExpiringDict(max_len=2, max_age_seconds=10)

    def put(key: int) -> None:
        cache[key] = key
        assert len(cache) <= 2

    _together(lambda: put(1), lambda: put(2), lambda: put(3))


def check_get_beside_expiry() -> None:
    """`get`, `in` and `pop` never raise."""
    cache = ExpiringDict(max_len=2, max_age_seconds=1)
    cache["a"] = 1

    def late() -> None:
        time.sleep(1)
        assert cache.get("a") is None

    def later() -> None:
        time.sleep(1)
        assert "a" not in cache
        assert cache.pop("a") is None

    _together(late, later, lambda: cache.items())


def check_ttl() -> None:
    """The time that is left, or None."""
    cache = ExpiringDict(max_len=1, max_age_seconds=10)
    cache["a"] = 1

    def ask() -> None:
        left = cache.ttl("a")
        assert left is None or 0 < left <= 10

    def put() -> None:
        cache["b"] = 2

    _together(ask, put)
