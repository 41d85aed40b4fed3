"""A visitor who did not get a seat gives one back all the same, since `release` is in a `finally`.

One seat. Ann has it; Bob tries, does not get it, and releases it; Cy gets it while Ann is still there.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "BoundedSemaphore exists for this: https://docs.python.org/3/library/threading.html#threading.BoundedSemaphore"


class Room:
    def __init__(self, seats: int) -> None:
        self.seats = threading.Semaphore(seats)
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0

    def visit(self) -> None:
        try:
            if self.seats.acquire(blocking=False):
                with self.lock:
                    self.inside += 1
                    self.most = max(self.most, self.inside)
                with self.lock:
                    self.inside -= 1
        finally:
            self.seats.release()


def scenario() -> None:
    room = Room(seats=1)
    threads = [threading.Thread(target=room.visit) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert room.most <= 1
