"""A timer that keeps a session alive, and a close that may come at the same moment: one lock decides.

The timer's function looks under the lock whether the session is closed, and then writes or not; both are right.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "Timer.cancel works only while the timer waits; https://docs.python.org/3/library/threading.html#timer-objects"


class Session:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.closed = False
        self.log: list[str] = []

    def keep_alive(self) -> None:
        with self.lock:
            if not self.closed:
                self.log.append("alive")

    def close(self) -> None:
        with self.lock:
            self.closed = True
            self.log.append("closed")


def scenario() -> None:
    session = Session()
    timer = threading.Timer(0.0005, session.keep_alive)
    timer.start()
    time.sleep(0.0005)
    timer.cancel()
    session.close()
    timer.join()
    assert session.log in (["closed"], ["alive", "closed"])
