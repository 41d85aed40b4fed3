"""A consumer that has been woken takes for granted that there is something: `if` in place of `while`.

Both consumers wait; the producer puts one item and wakes both; the first takes it, and the second pops from an empty
list: IndexError.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "Mesa monitors: Lampson, Redell, CACM 1980; https://docs.python.org/3/library/threading.html#condition-objects"


class Shelf:
    def __init__(self) -> None:
        self.filled = threading.Condition()
        self.items: list[str] = []

    def put(self, item: str) -> None:
        with self.filled:
            self.items.append(item)
            self.filled.notify_all()

    def take(self) -> str:
        with self.filled:
            if not self.items:
                self.filled.wait()
            return self.items.pop()


def scenario() -> None:
    shelf = Shelf()
    taken: list[str] = []

    def consumer() -> None:
        taken.append(shelf.take())

    def producer() -> None:
        shelf.put("bread")
        shelf.put("milk")

    threads = [threading.Thread(target=part) for part in (consumer, consumer, producer)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ["bread", "milk"]
