"""To spare a lock, the setter notifies only if somebody waits, and asks without the lock.

The waiter, holding the lock, finds the flag not set; the setter sets it, sees that nobody waits, and leaves; the waiter
counts itself as waiting, and waits for ever.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "access"
SOURCE = "ours; the flag is set and the waiters are read without the lock, as in Dekker's problem"


class Latch:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_set = False
        self.waiting = 0

    def set(self) -> None:
        self.is_set = True
        if self.waiting:
            with self.changed:
                self.changed.notify_all()

    def wait(self) -> None:
        with self.changed:
            while not self.is_set:
                self.waiting += 1
                self.changed.wait()
                self.waiting -= 1


def scenario() -> None:
    latch = Latch()
    threads = [threading.Thread(target=part) for part in (latch.wait, latch.set)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert latch.is_set
