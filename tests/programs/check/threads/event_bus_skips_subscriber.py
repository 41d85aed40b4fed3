"""A bus walks through its list of subscribers while one of them leaves.

The bus has called the first one, at index 0; that one is removed, and the others move down by one; the bus goes on at
index 1, which is the third: the second is skipped without an error.
"""

import threading
from collections.abc import Callable

KIND = "failure"
LEVEL = "access"
SOURCE = "logging.Logger.callHandlers over self.handlers; https://github.com/python/cpython/blob/main/Lib/logging/__init__.py"


class Bus:
    def __init__(self) -> None:
        self.subscribers: list[Callable[[str], None]] = []

    def publish(self, message: str) -> None:
        for subscriber in self.subscribers:
            subscriber(message)


def scenario() -> None:
    bus = Bus()
    heard: list[str] = []

    def short_lived(message: str) -> None:
        heard.append("short-lived")

    def lasting(message: str) -> None:
        heard.append("lasting")

    def leave() -> None:
        bus.subscribers.remove(short_lived)

    bus.subscribers.extend([short_lived, lasting])
    threads = [
        threading.Thread(target=bus.publish, args=("hello",)),
        threading.Thread(target=leave),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "lasting" in heard
