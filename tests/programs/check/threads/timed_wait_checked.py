"""A reader waits for a value with a timeout, and believes what `wait` says.

The value comes at the moment of the timeout: the reader has it, or says that it has none. If `wait` says True, the
value is there, since it is stored before the event is set.
"""

import threading
import time

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/threading.html#threading.Event.wait"


class Sensor:
    def __init__(self) -> None:
        self.measured = threading.Event()
        self.value: int | None = None

    def measure(self) -> None:
        time.sleep(0.0005)
        self.value = 21
        self.measured.set()

    def read(self, default: int) -> int | None:
        if self.measured.wait(timeout=0.0005):
            return self.value
        return default


def scenario() -> None:
    sensor = Sensor()
    thread = threading.Thread(target=sensor.measure)
    thread.start()
    value = sensor.read(default=-1)
    thread.join()
    assert value in {21, -1}
