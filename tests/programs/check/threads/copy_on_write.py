"""Listeners in a tuple that is replaced under a lock, and read without one.

A reader has one tuple or another, each complete, and a copy is never changed.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "copy on write with a lock for writers, as Java's CopyOnWriteArrayList"


class Listeners:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.names: tuple[str, ...] = ("log",)

    def add(self, name: str) -> None:
        with self.lock:
            self.names = (*self.names, name)


def scenario() -> None:
    listeners = Listeners()
    heard: list[str] = []

    def publish() -> None:
        for name in listeners.names:
            heard.append(name)

    threads = [threading.Thread(target=listeners.add, args=(name,)) for name in ("audit", "mail")]
    threads.append(threading.Thread(target=publish))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(listeners.names) == {"log", "audit", "mail"}
    assert heard[0] == "log"
