"""The first of a group takes the resource for the whole group, the last gives it back, and a gate guards the counts.

A red thread passes the gate and takes the resource for the reds. A blue thread passes the gate and, holding it, waits
for the resource. The red thread must pass the gate to leave: neither can go on.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "SCTBench carter01_bad; https://github.com/mc-imperial/sctbench"


class Bridge:
    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.resource = threading.Lock()
        self.inside = {"red": 0, "blue": 0}

    def enter(self, group: str) -> None:
        with self.gate:
            self.inside[group] += 1
            if self.inside[group] == 1:
                self.resource.acquire()

    def leave(self, group: str) -> None:
        with self.gate:
            self.inside[group] -= 1
            if self.inside[group] == 0:
                self.resource.release()

    def cross(self, group: str) -> None:
        self.enter(group)
        self.leave(group)


def scenario() -> None:
    bridge = Bridge()
    threads = [threading.Thread(target=bridge.cross, args=(group,)) for group in ("red", "red", "blue")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bridge.inside == {"red": 0, "blue": 0}
