"""A cached property without a lock, as functools has it since 3.12: two first readers compute it twice.

Both find nothing in the instance's dictionary and both compute; the second replaces the first's list, to which the
first reader appends what nobody will see.
"""

import threading
from collections.abc import Callable

KIND = "failure"
LEVEL = "access"
SOURCE = "bpo-43468, python/cpython#87634; https://github.com/python/cpython/issues/87634"


class Cached:
    def __init__(self, compute: Callable[["Report"], list[str]]) -> None:
        self.compute = compute
        self.name = compute.__name__

    def __get__(self, instance: "Report", owner: type) -> list[str]:
        values: dict[str, list[str]] = vars(instance)
        if self.name not in values:
            values[self.name] = self.compute(instance)
        return values[self.name]

    def __set__(self, instance: "Report", value: list[str]) -> None:
        raise AttributeError(self.name)


class Report:
    @Cached
    def lines(self) -> list[str]:
        return []


def scenario() -> None:
    report = Report()

    def write(line: str) -> None:
        report.lines.append(line)

    threads = [threading.Thread(target=write, args=(line,)) for line in ("sales", "costs")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.lines) == ["costs", "sales"]
