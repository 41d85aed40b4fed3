"""A status page walks through the last log lines while a thread logs one more.

The page has the first line; the logger appends (and the oldest drops out); the page's next step raises RuntimeError:
deque mutated during iteration.
"""

import collections
import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; Modules/_collectionsmodule.c; `deque.copy()` would have been atomic"


class Log:
    def __init__(self, lines: list[str]) -> None:
        self.lines = collections.deque(lines, maxlen=3)

    def write(self, line: str) -> None:
        self.lines.append(line)

    def page(self) -> str:
        return "".join([f"<li>{line}" for line in self.lines])


def scenario() -> None:
    log = Log(["one", "two", "three"])
    pages: list[str] = []

    def show() -> None:
        pages.append(log.page())

    threads = [threading.Thread(target=show), threading.Thread(target=log.write, args=("four",))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pages) == 1
