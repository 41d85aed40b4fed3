"""A consumer goes home when the queue is empty and the producer has stopped, and looks at the two in this order.

It finds the queue empty; the producer puts its last item and stops; the consumer finds that it has stopped, and goes
home: the item stays.
"""

import queue
import threading
import time

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; the flag must be read before the queue"


def scenario() -> None:
    items: queue.Queue[str] = queue.Queue()
    stopped = threading.Event()
    got: list[str] = []

    def produce() -> None:
        items.put("last")
        stopped.set()

    def consume() -> None:
        while True:
            if not items.empty():
                got.append(items.get())
            elif stopped.is_set():
                return
            else:
                time.sleep(0.001)

    threads = [threading.Thread(target=part) for part in (produce, consume)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == ["last"]
