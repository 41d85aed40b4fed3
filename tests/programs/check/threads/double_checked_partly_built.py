"""Double-checked locking that publishes the object before it has been filled.

The builder, under the lock, stores the empty settings in `current`; a second thread, which asks without the lock, finds
them, and looks up a name that is not there yet: KeyError.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "The double-checked locking is broken declaration, Bacon et al.; http://www.cs.umd.edu/~pugh/java/memoryModel/"


class Settings:
    current: "Settings | None" = None
    lock = threading.Lock()

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def load(self) -> None:
        self.values["colour"] = "green"

    @classmethod
    def get(cls) -> "Settings":
        if cls.current is None:
            with cls.lock:
                if cls.current is None:
                    cls.current = cls()
                    cls.current.load()
        return cls.current


def scenario() -> None:
    Settings.current = None
    colours: list[str] = []

    def paint() -> None:
        colours.append(Settings.get().values["colour"])

    threads = [threading.Thread(target=paint) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert colours == ["green", "green"]
