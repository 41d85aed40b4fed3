"""A gate is opened for all, and one of those who wait is told.

Both runners wait; the starter opens the gate and notifies one; the other waits for ever at an open gate.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "notify where notify_all is needed: Goetz et al., Java Concurrency in Practice, §14.2.4"


def scenario() -> None:
    gate = threading.Condition()
    is_open = False
    ran: list[int] = []

    def run(number: int) -> None:
        with gate:
            while not is_open:
                gate.wait()
        ran.append(number)

    def start() -> None:
        nonlocal is_open
        with gate:
            is_open = True
            gate.notify()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    threads.append(threading.Thread(target=start))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ran) == [0, 1]
