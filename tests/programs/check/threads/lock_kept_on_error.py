"""A reader takes the lock, pops from an empty list, and leaves by the exception without giving the lock back.

The reader comes before the writer: IndexError, which it takes for "nothing today". The writer waits for a lock whose
owner has ended.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "ours; `with lock:` is there for this"


def scenario() -> None:
    lock = threading.Lock()
    letters: list[str] = []
    read: list[str] = []

    def take() -> str:
        lock.acquire()
        letter = letters.pop()
        lock.release()
        return letter

    def reader() -> None:
        try:
            read.append(take())
        except IndexError:
            read.append("nothing today")

    def writer() -> None:
        with lock:
            letters.append("hello")

    threads = [threading.Thread(target=part) for part in (reader, writer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 1
