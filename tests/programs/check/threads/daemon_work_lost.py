"""A program gives its daemon thread a fixed time to write the last log line, and goes.

The flusher needs exactly as long as it is given. Both deadlines come at once; if the main thread's join ends first, the
line is not written when the program goes.
"""

import threading
import time

KIND = "failure"
LEVEL = "sync"
SOURCE = "daemon threads are abruptly stopped at shutdown; https://docs.python.org/3/library/threading.html#thread-objects"


def scenario() -> None:
    written: list[str] = []

    def flush() -> None:
        time.sleep(0.002)
        written.append("last line")

    flusher = threading.Thread(target=flush, daemon=True)
    flusher.start()
    flusher.join(timeout=0.002)
    written_at_exit = list(written)
    flusher.join()
    assert written_at_exit == ["last line"]
