"""Two threads that take two locks in opposite order, and wait for ever.

When both are stuck, and a tenth of a second later, the process ends itself: by SIGKILL if its argument is
`kill`, by os._exit if it is `exit`.
"""

import os
import signal
import sys
import threading
import time

first = threading.Lock()
second = threading.Lock()
both = threading.Barrier(3)
tids: list[int] = []


def forward() -> None:
    with first:
        tids.append(threading.get_native_id())
        both.wait()
        with second:
            pass


def backward() -> None:
    with second:
        tids.append(threading.get_native_id())
        both.wait()
        with first:
            pass


def sleeps(tid: int) -> bool:
    with open(f"/proc/self/task/{tid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"


threading.Thread(target=forward, name="forward", daemon=True).start()
threading.Thread(target=backward, name="backward", daemon=True).start()
both.wait()
stuck = 0
while stuck < 100:
    time.sleep(0.001)
    stuck = stuck + 1 if all(map(sleeps, tids)) else 0
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
os._exit(4)
