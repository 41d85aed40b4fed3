"""A registry where both may build a session, and `setdefault` decides which of them is used by all.

The one that lost is dropped by the caller who built it.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "dict.setdefault is atomic for keys hashed in C: bpo-13521"


class Session:
    pass


class Registry:
    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def session(self, user: str) -> Session:
        session = self.sessions.get(user)
        if session is None:
            session = self.sessions.setdefault(user, Session())
        return session


def scenario() -> None:
    registry = Registry()
    given: list[Session] = []

    def request() -> None:
        given.append(registry.session("ann"))

    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert given[0] is given[1]
