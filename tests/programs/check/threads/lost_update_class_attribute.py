"""Each instance takes its number from a counter on the class.

Two constructors read `made` = 0 and both take number 0.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; a class is shared by all its instances"


class Ticket:
    made = 0

    def __init__(self) -> None:
        self.number = Ticket.made
        Ticket.made = self.number + 1


def scenario() -> None:
    Ticket.made = 0
    tickets: list[Ticket] = []

    def issue() -> None:
        tickets.append(Ticket())

    threads = [threading.Thread(target=issue) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {ticket.number for ticket in tickets} == {0, 1}
