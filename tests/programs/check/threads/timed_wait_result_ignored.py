"""A reader waits for a value with a timeout, and then reads it, whether it came or not.

The writer sleeps as long as the reader's timeout. Both deadlines come at once; if the reader runs first, the value is
not there yet.
"""

import threading
import time

KIND = "failure"
LEVEL = "sync"
SOURCE = "Event.wait returns False when it timed out; https://docs.python.org/3/library/threading.html#threading.Event.wait"


class Sensor:
    def __init__(self) -> None:
        self.measured = threading.Event()
        self.value: int | None = None

    def measure(self) -> None:
        time.sleep(0.005)
        self.value = 21
        self.measured.set()

    def read(self) -> int | None:
        self.measured.wait(timeout=0.005)
        return self.value


def scenario() -> None:
    sensor = Sensor()
    thread = threading.Thread(target=sensor.measure)
    thread.start()
    value = sensor.read()
    thread.join()
    assert value == 21
