"""Each thread holds one lock and tries the other again and again, without giving up its own.

Both hold their first lock. Neither is blocked, since both only try; neither can ever succeed.
"""

import threading
import time

KIND = "livelock"
LEVEL = "sync"
SOURCE = "ours; the try-lock that avoids deadlock must let go of what it holds: std::lock, N2447"


def scenario() -> None:
    left, right = threading.Lock(), threading.Lock()
    moved: list[str] = []

    def move(name: str, mine: threading.Lock, other: threading.Lock) -> None:
        with mine:
            while not other.acquire(blocking=False):
                time.sleep(0)
            moved.append(name)
            other.release()

    threads = [
        threading.Thread(target=move, args=("ann", left, right)),
        threading.Thread(target=move, args=("bob", right, left)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(moved) == ["ann", "bob"]
