"""Two threads count in a global.

Both read `served` = 0 and both write 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "Python FAQ: what kinds of global value mutation are thread-safe; https://docs.python.org/3/faq/library.html"

served = 0


def serve() -> None:
    global served
    served += 1


def scenario() -> None:
    global served
    served = 0
    threads = [threading.Thread(target=serve) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served == 2
