"""Two threads add to a local variable of the function that made them.

Both read `total` = 0 from the cell; one writes 3 and the other writes 4 over it.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; nonlocal makes a closure's cell shared state, PEP 3104"


def scenario() -> None:
    total = 0

    def add(amount: int) -> None:
        nonlocal total
        total = total + amount

    threads = [threading.Thread(target=add, args=(amount,)) for amount in (3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total == 7
