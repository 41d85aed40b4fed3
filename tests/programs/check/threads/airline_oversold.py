"""An agency opens desks until one of them has closed the sale, and each desk sells a ticket.

The main thread starts four desks before any of them runs: nobody has closed the sale yet, and so four tickets are sold
for two seats. If each desk sells at once, the third is never opened.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "SCTBench airline_bad; https://github.com/mc-imperial/sctbench"

SEATS = 2


class Flight:
    def __init__(self) -> None:
        self.sold = 0
        self.closed = False
        self.lock = threading.Lock()

    def sell(self) -> None:
        with self.lock:
            self.sold += 1
            if self.sold >= SEATS:
                self.closed = True


def scenario() -> None:
    flight = Flight()
    desks: list[threading.Thread] = []
    for _ in range(4):
        if flight.closed:
            break
        desk = threading.Thread(target=flight.sell)
        desk.start()
        desks.append(desk)
    for desk in desks:
        desk.join()
    assert flight.sold <= SEATS, f"{flight.sold} tickets for {SEATS} seats"
