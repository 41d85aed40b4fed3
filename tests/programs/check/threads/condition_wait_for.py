"""A gate opened for two runners, who wait for what is true and not for a call.

The starter may come first or last: `wait_for` looks before it waits and after each wake-up, and all are told.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/threading.html#threading.Condition.wait_for"


class Gate:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.is_open = False

    def open(self) -> None:
        with self.changed:
            self.is_open = True
            self.changed.notify_all()

    def wait(self) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.is_open)


def scenario() -> None:
    gate = Gate()
    ran: list[int] = []

    def run(number: int) -> None:
        gate.wait()
        ran.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    threads.append(threading.Thread(target=gate.open))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [0, 1]
