"""A counter's `reset` makes a new lock, too, while another thread is inside with the old one.

The first thread holds the old lock and has read 0. The second resets and, under the new lock, adds:
the count is 1. The first writes 1 over it, and has two names added.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; a lock must outlive what it guards"


class Counter:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.lock = threading.Lock()
        self.added: list[str] = []
        self.count = 0

    def add(self, name: str) -> None:
        with self.lock:
            self.count += 1
            self.added.append(name)


def scenario() -> None:
    counter = Counter()

    def reset_and_add() -> None:
        counter.reset()
        counter.add("b")

    threads = [threading.Thread(target=counter.add, args=("a",)), threading.Thread(target=reset_and_add)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.count == len(counter.added)
