"""A wait without a condition to wait for.

The worker finishes and notifies before the main thread waits; a notification is not kept, and the main thread waits for
ever.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "missed signals: Java Concurrency in Practice, §14.2.3"


def scenario() -> None:
    finished = threading.Condition()
    results: list[int] = []

    def work() -> None:
        with finished:
            results.append(42)
            finished.notify()

    thread = threading.Thread(target=work)
    thread.start()
    with finished:
        finished.wait()
    thread.join()
    assert results == [42]
