"""A property whose getter and setter are both locked, and a `+=` on it.

`+=` calls the getter, which lets the lock go, and then the setter. Both threads get 20 and both set 21.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; two atomic operations are not one, Flanagan, Freund, POPL 2004"


class Thermostat:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._degrees = 20

    @property
    def degrees(self) -> int:
        with self._lock:
            return self._degrees

    @degrees.setter
    def degrees(self, value: int) -> None:
        with self._lock:
            self._degrees = value

    def warmer(self) -> None:
        self.degrees += 1


def scenario() -> None:
    thermostat = Thermostat()
    threads = [threading.Thread(target=thermostat.warmer) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert thermostat.degrees == 22
