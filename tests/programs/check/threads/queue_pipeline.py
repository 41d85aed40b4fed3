"""Two stages with queues between them, each ended by a sentinel.

What a thread has built is handed over by a queue, and nobody touches it afterwards.
"""

import queue
import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "publication through a queue: https://docs.python.org/3/library/queue.html"


class Parcel:
    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.price = 0


def scenario() -> None:
    packed: queue.Queue[Parcel | None] = queue.Queue(maxsize=1)
    priced: queue.Queue[Parcel | None] = queue.Queue(maxsize=1)

    def pack() -> None:
        for weight in (1, 2):
            packed.put(Parcel(weight))
        packed.put(None)

    def weigh() -> None:
        while (parcel := packed.get()) is not None:
            parcel.price = 5 * parcel.weight
            priced.put(parcel)
        priced.put(None)

    threads = [threading.Thread(target=part) for part in (pack, weigh)]
    for thread in threads:
        thread.start()
    prices: list[int] = []
    while (parcel := priced.get()) is not None:
        prices.append(parcel.price)
    for thread in threads:
        thread.join()
    assert prices == [5, 10]
