"""A referee starts two rounds with one event, and clears it between them; a runner must start once in each.

The runner has started round 1 and waits for the start of round 2 before the referee has cleared the event: it goes off
at once, while the second start has not been given.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; an Event is a state and not a message"


def scenario() -> None:
    start = threading.Event()
    rounds_given = 0
    false_starts: list[int] = []
    ready = threading.Semaphore(0)

    def run() -> None:
        for number in (1, 2):
            ready.release()
            start.wait()
            if rounds_given < number:
                false_starts.append(number)

    runner = threading.Thread(target=run)
    runner.start()
    for number in (1, 2):
        ready.acquire()
        start.clear()
        rounds_given = number
        start.set()
    runner.join()
    assert false_starts == []
