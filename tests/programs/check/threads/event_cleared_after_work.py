"""A worker waits for an event, does all the work there is, and then clears the event.

The worker has done the first job and found no more; another thread adds the second job and sets the event, which is
still set; the worker clears it, and waits for ever with a job to do.
"""

import collections
import threading

KIND = "lost-wakeup"
LEVEL = "access"
SOURCE = "clear first, then look: https://docs.python.org/3/library/threading.html#event-objects"


def scenario() -> None:
    jobs: collections.deque[str] = collections.deque()
    wake = threading.Event()
    done: list[str] = []

    def work() -> None:
        while len(done) < 2:
            wake.wait()
            while jobs:
                done.append(jobs.popleft())
            wake.clear()

    def submit() -> None:
        for job in ("first", "second"):
            jobs.append(job)
            wake.set()

    threads = [threading.Thread(target=part) for part in (work, submit)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == ["first", "second"]
