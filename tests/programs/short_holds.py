"""Two threads that take one lock all the time and hold it for microseconds: a wait lasts through many holds.

Many times: how often one of them waits, and is not woken at once, is chance. Each has a core of its own, since on a
core that they share the one that is woken goes on at once. With an argument the program ends while they run.
"""

import os
import sys
import threading
import time

lock = threading.Lock()
numbers = list(range(30))


def run(core: int) -> None:
    os.sched_setaffinity(0, {core})
    for _ in range(100_000):
        sum(numbers)
        with lock:
            sum(numbers)


sys.setswitchinterval(0.0005)
cores = sorted(os.sched_getaffinity(0))
threads = [threading.Thread(target=run, args=(core,)) for core in (cores[0], cores[-1])]
for thread in threads:
    thread.start()
if len(sys.argv) > 1:
    time.sleep(0.3)
    os._exit(0)
for thread in threads:
    thread.join()
