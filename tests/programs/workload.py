"""Uses more than one core for a while, in threads and in a child. Prints what the kernel says it used."""

import json
import os
import resource
import threading
import time
import zlib


def busy_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def compress() -> None:
    text = bytes(range(256)) * 4000
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        zlib.compress(text, 9)


def loop() -> None:
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        sum(range(1000))


threads = [threading.Thread(target=act) for act in (compress, compress, loop)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
pid = os.fork()
if pid == 0:
    compress()
    os._exit(0)
os.waitpid(pid, 0)
print(json.dumps({"cpu_s": busy_s(resource.RUSAGE_SELF) + busy_s(resource.RUSAGE_CHILDREN)}))
