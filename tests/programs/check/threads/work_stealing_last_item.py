"""A work-stealing deque: the owner takes at the tail and a thief at the head, without a word about the last item.

One item is left. The thief reads head = 0 and finds it below the tail; the owner lowers the tail to 0, finds the head
not above it, and takes item 0; the thief raises the head and takes item 0, too.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench work-stealing queue (CHESS); Frigo, Leiserson, Randall, PLDI 1998"


class Deque:
    def __init__(self, items: list[str]) -> None:
        self.items = items
        self.head = 0
        self.tail = len(items)

    def take(self) -> str | None:
        self.tail -= 1
        tail = self.tail
        if self.head > tail:
            self.tail = tail + 1
            return None
        return self.items[tail]

    def steal(self) -> str | None:
        head = self.head
        if head >= self.tail:
            return None
        self.head = head + 1
        return self.items[head]


def scenario() -> None:
    deque = Deque(["job"])
    run: list[str] = []

    def owner() -> None:
        job = deque.take()
        if job is not None:
            run.append(job)

    def thief() -> None:
        job = deque.steal()
        if job is not None:
            run.append(job)

    threads = [threading.Thread(target=part) for part in (owner, thief)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert run == ["job"]
