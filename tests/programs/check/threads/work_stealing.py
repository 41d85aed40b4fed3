"""A work-stealing deque whose two ends are guarded by one lock: owner and thief never get the same job.

One of the two takes the last job; the other is told that there is none.
"""

import threading
from collections import deque

KIND = "ok"
LEVEL = "access"
SOURCE = "SCTBench work-stealing queue (CHESS), mended"


class Jobs:
    def __init__(self, names: str) -> None:
        self.lock = threading.Lock()
        self.names = deque(names)

    def take(self) -> str | None:
        with self.lock:
            return self.names.pop() if self.names else None

    def steal(self) -> str | None:
        with self.lock:
            return self.names.popleft() if self.names else None


def scenario() -> None:
    jobs = Jobs("abc")
    run: list[str] = []

    def owner() -> None:
        while (job := jobs.take()) is not None:
            run.append(job)

    def thief() -> None:
        job = jobs.steal()
        if job is not None:
            run.append(job)

    threads = [threading.Thread(target=part) for part in (owner, thief)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run) == ["a", "b", "c"]
