"""A service is stopped under its lock, and `stop` joins the worker, which needs that lock to finish.

`stop` takes the lock; the worker wants it to count its last job; `stop` joins the worker.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "ours; Thread.join is a wait like any other"


class Service:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.done = 0
        self.worker = threading.Thread(target=self.work)

    def start(self) -> None:
        self.worker.start()

    def work(self) -> None:
        for _ in range(2):
            with self.lock:
                self.done += 1

    def stop(self) -> int:
        with self.lock:
            self.worker.join()
            return self.done


def scenario() -> None:
    service = Service()
    service.start()
    assert service.stop() == 2
