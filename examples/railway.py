"""A railway with single tracks: trains are threads, sections of track are locks, and every train arrives.

Ashby ---- Birch ---- Cole ---- Dunmore ---- Elm ---- Ford ---- Garth

Two trains can pass each other in Ashby, Dunmore and Garth only. Between those, a train that met another one
head-on would wait for the section that the other is on, and the other for its: a deadlock. So no train
enters such a stretch before it owns all of its sections, and all trains, wherever they go, take the sections
in the same order: from west to east. A circle of trains that wait for each other would need one train that
takes them the other way round; there is none.

    python examples/railway.py [TRAINS]
    headway trace examples/railway.py [TRAINS]
"""

import itertools
import sys
import threading
import time
from collections.abc import Iterator

STATIONS = ("Ashby", "Birch", "Cole", "Dunmore", "Elm", "Ford", "Garth")
PASSING = {"Ashby", "Dunmore", "Garth"}
NAMES = (
    "Early Milk",
    "Red Arrow",
    "Night Mail",
    "Slow Coach",
    "Royal Scot",
    "Paper Train",
    "Fast Fish",
    "Last Hope",
)
SECONDS_A_SECTION = 0.02


class Section:
    """A piece of single track; at most one train at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        self.trains = 0

    def run_through(self, seconds: float) -> None:
        self.trains += 1
        assert self.trains == 1, f"two trains on {self.name}"
        time.sleep(seconds)
        self.trains -= 1


class Line:
    """All sections from west to east, and the book in which arrivals are written."""

    def __init__(self) -> None:
        self.sections = [Section(f"{a}-{b}") for a, b in itertools.pairwise(STATIONS)]
        self.arrivals: list[tuple[float, str]] = []
        self.opened = time.monotonic()

    def stretches(self) -> Iterator[list[Section]]:
        """Runs of sections between stations where trains can pass, from west to east."""
        stretch: list[Section] = []
        for section, east in zip(self.sections, STATIONS[1:], strict=True):
            stretch.append(section)
            if east in PASSING:
                yield stretch
                stretch = []


class Train(threading.Thread):
    """Goes from one end of the line to the other."""

    def __init__(self, line: Line, name: str, *, eastward: bool, seconds: float) -> None:
        super().__init__(name=name)
        self.line, self.eastward, self.seconds = line, eastward, seconds
        self.waited = 0.0

    def run(self) -> None:
        stretches = list(self.line.stretches())
        for stretch in stretches if self.eastward else reversed(stretches):
            self.wait_for_signals(stretch)
            for section in stretch if self.eastward else reversed(stretch):
                try:
                    section.run_through(self.seconds)
                finally:
                    section.lock.release()
        clock = time.monotonic() - self.line.opened
        way = f"{STATIONS[0]} to {STATIONS[-1]}" if self.eastward else f"{STATIONS[-1]} to {STATIONS[0]}"
        self.line.arrivals.append(
            (clock, f"{clock:5.2f} s  {self.name:12} {way}, waited {self.waited:.2f} s at signals")
        )

    def wait_for_signals(self, stretch: list[Section]) -> None:
        """Take a stretch. Always from west to east: this order is what keeps the railway from deadlock."""
        before = time.monotonic()
        for section in stretch:
            section.lock.acquire()
        self.waited += time.monotonic() - before


def main(count: int) -> None:
    """Run all trains at once, and print the book of arrivals."""
    line = Line()
    trains = [
        Train(
            line,
            NAMES[i % len(NAMES)] if i < len(NAMES) else f"Extra {i - len(NAMES) + 1}",
            eastward=i % 2 == 0,
            seconds=SECONDS_A_SECTION * (1 + i % 3),
        )
        for i in range(count)
    ]
    for train in trains:
        train.start()
    for train in trains:
        train.join()
    for _, entry in sorted(line.arrivals):
        print(entry)
    assert len(line.arrivals) == count
    print(f"{count} trains left, {len(line.arrivals)} arrived")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 8)
