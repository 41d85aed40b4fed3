"""cachetools: `cached` with a lock or a condition, and `cachetools.func`, which "has to be thread-safe"."""

import threading

from cachetools import LRUCache, TTLCache, cached, cachedmethod
from cachetools.func import lru_cache, ttl_cache

PACKAGE = "cachetools"


def _together(*calls: object) -> None:
    threads = [threading.Thread(target=call) for call in calls]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_func_lru_cache_calls_once() -> None:
    """No cache stampede: one key, one call; the counts add up."""
    calls: list[int] = []

    @lru_cache(maxsize=2)
    def square(x: int) -> int:
        calls.append(x)
        return x * x

    got: list[int] = []
    _together(lambda: got.append(square(3)), lambda: got.append(square(3)), lambda: got.append(square(4)))
    assert sorted(got) == [9, 9, 16]
    assert sorted(calls) == [3, 4]
    info = square.cache_info()
    assert (info.hits, info.misses) == (1, 2)


def check_func_lru_cache_clear() -> None:
    """Cleared while another thread computes."""

    @lru_cache(maxsize=1)
    def square(x: int) -> int:
        return x * x

    got: list[int] = []
    _together(lambda: got.append(square(3)), square.cache_clear, lambda: got.append(square(4)))
    assert sorted(got) == [9, 16]
    assert square.cache_info().currsize <= 1


def check_func_lru_cache_raises() -> None:
    """The first call raises: who waits for it goes on, and computes itself."""
    calls: list[int] = []

    @lru_cache(maxsize=2)
    def parse(x: int) -> int:
        calls.append(x)
        if len(calls) == 1:
            raise ValueError(x)
        return x

    got: list[object] = []

    def ask() -> None:
        try:
            got.append(parse(3))
        except ValueError:
            got.append("error")

    _together(ask, ask)
    assert "error" in got


def check_func_ttl_cache() -> None:
    """Entries end while others are asked for."""
    import time

    @ttl_cache(maxsize=2, ttl=1)
    def square(x: int) -> int:
        return x * x

    got: list[int] = []

    def later() -> None:
        time.sleep(1)
        got.append(square(3))

    _together(lambda: got.append(square(3)), later, later)
    assert got == [9, 9, 9]


def check_cached_with_lock() -> None:
    """All callers get the value that is kept."""

    @cached(cache=LRUCache(maxsize=1), lock=threading.Lock())
    def make(x: int) -> object:
        return object()

    got: list[object] = []
    _together(lambda: got.append(make(3)), lambda: got.append(make(3)))
    assert got[0] is got[1]


def check_cachedmethod_with_condition() -> None:
    """As for functions."""

    class Shop:
        def __init__(self) -> None:
            self.cache: TTLCache[int, int] = TTLCache(maxsize=2, ttl=10)
            self.condition = threading.Condition()
            self.calls = 0

        @cachedmethod(lambda self: self.cache, condition=lambda self: self.condition)
        def price(self, item: int) -> int:
            self.calls += 1
            return item

    shop = Shop()
    got: list[int] = []
    _together(lambda: got.append(shop.price(3)), lambda: got.append(shop.price(3)))
    assert got == [3, 3]
    assert shop.calls == 1
