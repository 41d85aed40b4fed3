"""Two threads close a connection, and each looks first whether it is still open.

Both find it; both delete it; the second gets a KeyError and never reports.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "check-then-act: Java Concurrency in Practice, §2.2"


def scenario() -> None:
    connections = {"db": object()}
    closed: list[object] = []
    reports: list[str] = []

    def close(name: str) -> None:
        if name in connections:
            closed.append(connections[name])
            del connections[name]
        reports.append(name)

    threads = [threading.Thread(target=close, args=("db",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(closed) == 1
    assert reports == ["db", "db"]
