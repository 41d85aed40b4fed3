"""A session is closed and its timer cancelled, but the timer's function has already begun.

The timer and the main thread's sleep end at the same moment. The timer finds that it has not been cancelled and calls
`keep_alive`; before that takes the lock, the main thread cancels the timer and closes the session, which is then
written to.
"""

import threading
import time

KIND = "failure"
LEVEL = "sync"
SOURCE = "Timer.cancel works only while the timer waits; https://docs.python.org/3/library/threading.html#timer-objects"


class Session:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.closed = False
        self.written_after_close = False

    def keep_alive(self) -> None:
        with self.lock:
            self.written_after_close = self.closed

    def close(self) -> None:
        with self.lock:
            self.closed = True


def scenario() -> None:
    session = Session()
    timer = threading.Timer(0.002, session.keep_alive)
    timer.start()
    time.sleep(0.002)
    timer.cancel()
    session.close()
    timer.join()
    assert not session.written_after_close
