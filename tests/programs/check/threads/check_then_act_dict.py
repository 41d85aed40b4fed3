"""A registry makes a session on the first request for a user, and both requests are the first.

Both find no session for "ann"; both make one; the second replaces the first, and one caller has a session that the
registry does not know.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "check-then-act: Java Concurrency in Practice, §2.2"


class Session:
    pass


class Registry:
    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    def session(self, user: str) -> Session:
        if user not in self.sessions:
            self.sessions[user] = Session()
        return self.sessions[user]


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
