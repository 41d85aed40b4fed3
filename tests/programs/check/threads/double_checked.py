"""Double-checked locking done right: the object is filled before it is published, and looked for again under the lock.

A reader without the lock sees either nothing or the whole.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Schmidt, Harrison, Double-Checked Locking, PLoP 1996"


class Settings:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def load(self) -> None:
        self.values["colour"] = "green"


class Holder:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.settings: Settings | None = None
        self.made = 0

    def get(self) -> Settings:
        settings = self.settings
        if settings is None:
            with self.lock:
                settings = self.settings
                if settings is None:
                    settings = Settings()
                    settings.load()
                    self.made += 1
                    self.settings = settings
        return settings


def scenario() -> None:
    holder = Holder()
    colours: list[str] = []

    def paint() -> None:
        colours.append(holder.get().values["colour"])

    threads = [threading.Thread(target=paint) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert colours == ["green", "green"]
    assert holder.made == 1
