"""Threads share a list, a deque, a dictionary and a set, and use each by single operations that CPython makes atomic.

`append`, `popleft`, `setdefault`, `add` and a store to a key of one's own are one step each.
"""

import threading
from collections import deque

KIND = "ok"
LEVEL = "access"
SOURCE = "what kinds of global value mutation are thread-safe; https://docs.python.org/3/faq/library.html"


def scenario() -> None:
    log: list[int] = []
    jobs = deque([1, 2])
    owners: dict[str, int] = {}
    results: dict[int, int] = {}
    present: set[int] = set()

    def work(me: int) -> None:
        present.add(me)
        job = jobs.popleft()
        results[job] = job * job
        owner = owners.setdefault("first", me)
        log.append(owner)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {1: 1, 2: 4}
    assert present == {0, 1}
    assert log == [owners["first"]] * 2
