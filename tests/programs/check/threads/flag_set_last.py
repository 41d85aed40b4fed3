"""A value is stored first and its flag afterwards; who sees the flag sees the value.

Without a lock this is a data race by the book, and harmless on CPython: both are stores of references, and under the
GIL they are seen in the order in which they were made.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "publication by a flag, which the GIL makes safe; PEP 703 keeps it so"


class Result:
    def __init__(self) -> None:
        self.value: int | None = None
        self.done = False


def scenario() -> None:
    result = Result()
    seen: list[int | None] = []

    def compute() -> None:
        result.value = 42
        result.done = True

    def poll() -> None:
        while not result.done:
            time.sleep(0)
        seen.append(result.value)

    threads = [threading.Thread(target=part) for part in (compute, poll)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [42]
