"""A reporter goes through the open orders while another thread adds one.

The reporter has read the first entry; the other thread inserts; the reporter's next step raises RuntimeError:
dictionary changed size during iteration.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; a dict's iterator refuses a changed size, Objects/dictobject.c"


def scenario() -> None:
    orders = {"tea": 2, "milk": 1}
    totals: list[int] = []

    def report() -> None:
        total = 0
        for name in orders:
            total += orders[name]
        totals.append(total)

    def order() -> None:
        orders["sugar"] = 4

    threads = [threading.Thread(target=part) for part in (report, order)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert totals in ([3], [7])
