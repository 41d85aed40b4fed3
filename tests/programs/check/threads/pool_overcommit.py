"""A pool starts a worker for a job if there are fewer than the limit, and two threads submit at once.

Both see that there is no worker yet, where one is allowed; both start one.
"""

import queue
import threading
from collections.abc import Callable

KIND = "failure"
LEVEL = "access"
SOURCE = "after bpo-24882, python/cpython#6375: an executor that starts too many; https://bugs.python.org/issue24882"


class Pool:
    def __init__(self, most: int) -> None:
        self.most = most
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.workers: list[threading.Thread] = []

    def submit(self, job: Callable[[], None]) -> None:
        self.jobs.put(job)
        if len(self.workers) < self.most:
            worker = threading.Thread(target=self.work)
            self.workers.append(worker)
            worker.start()

    def work(self) -> None:
        while (job := self.jobs.get()) is not None:
            job()

    def close(self) -> None:
        for _ in self.workers:
            self.jobs.put(None)
        for worker in self.workers:
            worker.join()


def scenario() -> None:
    pool = Pool(most=1)
    done: list[str] = []

    def client(name: str) -> None:
        pool.submit(lambda: done.append(name))

    clients = [threading.Thread(target=client, args=(name,)) for name in "ab"]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    pool.close()
    assert sorted(done) == ["a", "b"]
    assert len(pool.workers) == 1
