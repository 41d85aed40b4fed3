"""A follower spins until the phase is 1, and the leader goes on to phase 2 without an answer.

The follower looks while the phase is 0, and again when it is 2: it spins for ever.
"""

import threading
import time

KIND = "livelock"
LEVEL = "sync"
SOURCE = "ours; a state that passes is waited for with `==` where `>=` is meant"


class Engine:
    def __init__(self) -> None:
        self.phase = 0


def scenario() -> None:
    engine = Engine()
    log: list[str] = []

    def lead() -> None:
        for phase in (1, 2):
            engine.phase = phase
            time.sleep(0)

    def follow() -> None:
        while engine.phase != 1:
            time.sleep(0)
        log.append("phase 1 seen")

    threads = [threading.Thread(target=part) for part in (lead, follow)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log == ["phase 1 seen"]
