"""Three philosophers each take the left fork first, and a waiter lets only two of them to the table.

With two at three forks, one of them can always take both.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Dijkstra, EWD310, 1971; Hoare, Communicating Sequential Processes, §2.5.3"


def scenario() -> None:
    forks = [threading.Lock() for _ in range(3)]
    seats = threading.BoundedSemaphore(2)
    meals: list[int] = []

    def dine(seat: int) -> None:
        with seats, forks[seat], forks[(seat + 1) % len(forks)]:
            meals.append(seat)

    threads = [threading.Thread(target=dine, args=(seat,)) for seat in range(len(forks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(meals) == [0, 1, 2]
