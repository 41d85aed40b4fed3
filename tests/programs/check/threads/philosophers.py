"""Three philosophers each take the left fork first.

Each takes the left one before any takes the right one, and all three wait for ever.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "SCTBench din_phil; Dijkstra, EWD310, 1971"


def scenario() -> None:
    forks = [threading.Lock() for _ in range(3)]
    meals: list[int] = []

    def dine(seat: int) -> None:
        left, right = forks[seat], forks[(seat + 1) % len(forks)]
        with left, right:
            meals.append(seat)

    threads = [threading.Thread(target=dine, args=(seat,)) for seat in range(len(forks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(meals) == [0, 1, 2]
