"""The main thread waits until the queue is empty, and takes this for the end of the work.

The worker has taken the last item, so the queue is empty, and has not saved it yet.
"""

import queue
import threading
import time

KIND = "failure"
LEVEL = "sync"
SOURCE = (
    "Queue.join waits for task_done, Queue.empty for nothing; https://docs.python.org/3/library/queue.html"
)


def scenario() -> None:
    items: queue.Queue[str | None] = queue.Queue()
    saved: list[str] = []
    disk = threading.Lock()

    def save() -> None:
        while (item := items.get()) is not None:
            with disk:
                saved.append(item)

    saver = threading.Thread(target=save, daemon=True)
    saver.start()
    items.put("letter")
    while not items.empty():
        time.sleep(0.001)
    with disk:
        saved_in_time = list(saved)
    items.put(None)
    saver.join()
    assert saved_in_time == ["letter"]
