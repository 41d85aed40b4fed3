"""A least-recently-used cache over an OrderedDict, where a hit moves its key to the end.

The reader gets the value of "a"; the writer puts "b" and drops the oldest, which is "a"; the reader moves "a" to the
end: KeyError.
"""

import threading
from collections import OrderedDict

KIND = "failure"
LEVEL = "access"
SOURCE = (
    "functools.lru_cache holds a lock for this; https://github.com/python/cpython/blob/main/Lib/functools.py"
)


class Cache:
    def __init__(self, size: int) -> None:
        self.size = size
        self.values: OrderedDict[str, int] = OrderedDict()

    def get(self, key: str) -> int | None:
        value = self.values.get(key)
        if value is not None:
            self.values.move_to_end(key)
        return value

    def put(self, key: str, value: int) -> None:
        self.values[key] = value
        if len(self.values) > self.size:
            self.values.popitem(last=False)


def scenario() -> None:
    cache = Cache(size=1)
    cache.put("a", 1)
    got: list[int | None] = []

    def read() -> None:
        got.append(cache.get("a"))

    threads = [threading.Thread(target=read), threading.Thread(target=cache.put, args=("b", 2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got in ([1], [None])
