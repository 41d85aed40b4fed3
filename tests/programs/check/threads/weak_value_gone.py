"""A cache of weak values is asked whether it has an image, and then asked for it.

The cache has it, because a window shows it; the window closes, and with it the last strong reference goes; the cache is
asked for what it had: KeyError.
"""

import threading
import weakref

KIND = "failure"
LEVEL = "access"
SOURCE = "`in` and then `[]` on a WeakValueDictionary; https://docs.python.org/3/library/weakref.html#weakref.WeakValueDictionary"


class Image:
    def __init__(self, name: str) -> None:
        self.name = name


class Images:
    def __init__(self) -> None:
        self.alive: weakref.WeakValueDictionary[str, Image] = weakref.WeakValueDictionary()

    def get(self, name: str) -> Image:
        if name in self.alive:
            return self.alive[name]
        image = Image(name)
        self.alive[name] = image
        return image


def scenario() -> None:
    images = Images()
    windows = [images.get("logo")]
    shown: list[str] = []

    def show() -> None:
        shown.append(images.get("logo").name)

    def close() -> None:
        windows.clear()

    threads = [threading.Thread(target=part) for part in (show, close)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shown == ["logo"]
