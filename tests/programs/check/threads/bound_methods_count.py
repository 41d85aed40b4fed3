"""A counter whose dictionary is reached by two bound methods, kept in variables for speed.

Both threads get 0 and both put 1, by calls in which no container is to be seen.
"""

import threading
from collections.abc import Callable

KIND = "failure"
LEVEL = "line"
SOURCE = "ours; hoisted methods, as in https://wiki.python.org/moin/PythonSpeed/PerformanceTips"


def count(name: str, get: Callable[[str], int], put: Callable[[str, int], None]) -> None:
    seen = get(name)
    put(name, seen + 1)


def scenario() -> None:
    counts = {"the": 0}
    get, put = counts.__getitem__, counts.__setitem__
    threads = [threading.Thread(target=count, args=("the", get, put)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {"the": 2}
