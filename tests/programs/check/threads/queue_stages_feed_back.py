"""Two stages with bounded queues: the second gives back to the first what needs another round.

Both queues hold one item. Stage 2 wants to give a back, but the first queue is full with d, which the main thread has
put; stage 1 holds c and wants to hand it on, but the second queue is full with b. If a is given back before d comes,
all goes well.
"""

import queue
import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "ours; store-and-forward deadlock of bounded buffers in a loop, Merlin, Schweitzer, IEEE Trans. Comm. 1980"


def scenario() -> None:
    fresh: queue.Queue[str | None] = queue.Queue(maxsize=1)
    washed: queue.Queue[str] = queue.Queue(maxsize=1)
    clean: list[str] = []

    def wash() -> None:
        while (plate := fresh.get()) is not None:
            washed.put(plate)

    def inspect() -> None:
        again = {"a"}
        while len(clean) < 4:
            plate = washed.get()
            if plate in again:
                again.remove(plate)
                fresh.put(plate)
            else:
                clean.append(plate)
        fresh.put(None)

    threads = [threading.Thread(target=part) for part in (wash, inspect)]
    for thread in threads:
        thread.start()
    for plate in "abcd":
        fresh.put(plate)
    for thread in threads:
        thread.join()
    assert sorted(clean) == ["a", "b", "c", "d"]
