"""A consumer takes the mutex first and then waits for an item, so that no producer can bring one.

The consumer comes first: it holds the mutex and waits for the semaphore; the producer waits for the mutex.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Downey, The Little Book of Semaphores, §4.1.3, deadlock #4"


def scenario() -> None:
    mutex = threading.Lock()
    filled = threading.Semaphore(0)
    shelf: list[str] = []
    taken: list[str] = []

    def consume() -> None:
        with mutex:
            filled.acquire()
            taken.append(shelf.pop())

    def produce() -> None:
        with mutex:
            shelf.append("bread")
        filled.release()

    threads = [threading.Thread(target=part) for part in (consume, produce)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert taken == ["bread"]
