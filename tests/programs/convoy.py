"""`owner` holds a lock, `first` and `second` want it. Prints how long each of them waited."""

import json
import threading
import time

HOLD_S = 0.1
lock = threading.Lock()
held = threading.Event()
measured: dict[str, float] = {}


def own() -> None:
    with lock:
        held.set()
        time.sleep(HOLD_S)


def want() -> None:
    held.wait()
    start = time.monotonic_ns()
    with lock:
        measured[threading.current_thread().name] = (time.monotonic_ns() - start) / 1e9


threads = [threading.Thread(target=own, name="owner")]
threads += [threading.Thread(target=want, name=name) for name in ("first", "second")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(measured))
