"""Two threads that take one lock all the time and hold it for microseconds: a wait lasts through many holds.

Many times: how often one of them waits, and is not woken at once, is chance. With an argument the program ends while
they run.
"""

import os
import sys
import threading
import time

lock = threading.Lock()
numbers = list(range(30))


def run() -> None:
    for _ in range(100_000):
        sum(numbers)
        with lock:
            sum(numbers)


sys.setswitchinterval(0.0005)
threads = [threading.Thread(target=run, name=name) for name in ("one", "two")]
for thread in threads:
    thread.start()
if len(sys.argv) > 1:
    time.sleep(0.3)
    os._exit(0)
for thread in threads:
    thread.join()
