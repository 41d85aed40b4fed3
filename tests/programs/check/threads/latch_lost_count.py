"""A latch opens when its count is zero, and the count is lowered without a lock.

Both workers read 2 and write 1; neither sees 0, the latch never opens, and the main thread waits for ever.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "access"
SOURCE = "ours; a countdown latch as in java.util.concurrent, without the atomic count"


class Latch:
    def __init__(self, count: int) -> None:
        self.count = count
        self.opened = threading.Event()

    def count_down(self) -> None:
        self.count -= 1
        if self.count == 0:
            self.opened.set()


def scenario() -> None:
    latch = Latch(2)
    threads = [threading.Thread(target=latch.count_down) for _ in range(2)]
    for thread in threads:
        thread.start()
    latch.opened.wait()
    for thread in threads:
        thread.join()
    assert latch.count == 0
