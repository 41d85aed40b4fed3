"""A barrier made of a count and an event cannot be used twice.

Both have come to the first round. The last one opens the gate, passes it and closes it, before the other looks at it.
That one waits for the first round for ever, and the fast one for the second.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "Downey, The Little Book of Semaphores, §3.7, reusable barrier"


class Meeting:
    def __init__(self, parties: int) -> None:
        self.parties = parties
        self.lock = threading.Lock()
        self.arrived = 0
        self.gate = threading.Event()

    def wait(self) -> None:
        with self.lock:
            self.arrived += 1
            if self.arrived == self.parties:
                self.arrived = 0
                self.gate.set()
        self.gate.wait()
        self.gate.clear()


def scenario() -> None:
    meeting = Meeting(2)
    rounds = [0, 0]

    def attend(who: int) -> None:
        for _ in range(2):
            meeting.wait()
            rounds[who] += 1

    threads = [threading.Thread(target=attend, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rounds == [2, 2]
