"""A producer closes its queue with `shutdown()`: what is in it is still given, and then comes ShutDown.

The consumer may wait, or not have started, when the queue is closed.
"""

import queue
import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Queue.shutdown: https://docs.python.org/3/library/queue.html#queue.Queue.shutdown"
MIN_PYTHON = (3, 13)


def scenario() -> None:
    items: queue.Queue[int] = queue.Queue()
    got: list[int] = []

    def consume() -> None:
        while True:
            try:
                got.append(items.get())
            except queue.ShutDown:  # type: ignore[attr-defined,unused-ignore] # 3.13
                return

    consumer = threading.Thread(target=consume)
    consumer.start()
    for number in (1, 2):
        items.put(number)
    items.shutdown()  # type: ignore[attr-defined,unused-ignore] # 3.13
    consumer.join()
    assert got == [1, 2]
