"""An `open` that runs once: the first caller loads, and the others come back at once, whether it has loaded or not.

The first caller marks the catalogue as opened and lets the lock go. The second sees the mark, returns, and reads a
price before the first has loaded any: KeyError.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench lazy01_bad; https://github.com/mc-imperial/sctbench"


class Catalogue:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.opened = False
        self.prices: dict[str, int] = {}

    def open(self) -> None:
        with self.lock:
            if self.opened:
                return
            self.opened = True
        with self.lock:
            self.prices["tea"] = 3

    def price(self, name: str) -> int:
        self.open()
        with self.lock:
            return self.prices[name]


def scenario() -> None:
    catalogue = Catalogue()
    prices: list[int] = []

    def customer() -> None:
        prices.append(catalogue.price("tea"))

    threads = [threading.Thread(target=customer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert prices == [3, 3]
