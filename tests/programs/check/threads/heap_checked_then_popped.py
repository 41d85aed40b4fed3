"""Two workers take the most urgent task from a heap, if there is one.

One is left. Both find the heap not empty; the second pops from an empty heap: IndexError.
"""

import heapq
import threading

KIND = "failure"
LEVEL = "line"
SOURCE = "ours; each function of heapq is atomic under the GIL, and two of them are not"


def most_urgent(heap: list[tuple[int, str]]) -> str | None:
    if heap:
        return heapq.heappop(heap)[1]
    return None


def scenario() -> None:
    heap = [(1, "fire")]
    taken: list[str | None] = []

    def work() -> None:
        taken.append(most_urgent(heap))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(taken) == {"fire", None}
