"""Listeners are kept in a tuple that is replaced and never changed; so readers are safe, and writers are not.

Both writers read the empty tuple and build one of their own; the second replaces the first's.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "copy on write needs a lock for writers, as Java's CopyOnWriteArrayList has"


class Listeners:
    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()

    def add(self, name: str) -> None:
        self.names = (*self.names, name)


def scenario() -> None:
    listeners = Listeners()
    threads = [threading.Thread(target=listeners.add, args=(name,)) for name in ("audit", "mail")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(listeners.names) == {"audit", "mail"}
