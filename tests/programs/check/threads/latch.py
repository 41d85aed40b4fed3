"""A latch that counts down under its lock, and opens an event that stays set.

Exactly one worker sees the zero.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "ours; a countdown latch as in java.util.concurrent"


class Latch:
    def __init__(self, count: int) -> None:
        self.lock = threading.Lock()
        self.count = count
        self.opened = threading.Event()

    def count_down(self) -> None:
        with self.lock:
            self.count -= 1
            last = self.count == 0
        if last:
            self.opened.set()


def scenario() -> None:
    latch = Latch(2)
    results: list[int] = []

    def work(number: int) -> None:
        results.append(number)
        latch.count_down()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    latch.opened.wait()
    assert sorted(results) == [0, 1]
    for thread in threads:
        thread.join()
