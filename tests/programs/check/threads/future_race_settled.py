"""Two replicas answer a request, and the first answer counts: the second is told so by the future, and lets it be.

`set_result` is the check and the act in one.
"""

import threading
from concurrent.futures import Future, InvalidStateError

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/concurrent.futures.html#concurrent.futures.Future.set_result"


def scenario() -> None:
    answer: Future[str] = Future()
    too_late: list[str] = []

    def replica(name: str) -> None:
        try:
            answer.set_result(name)
        except InvalidStateError:
            too_late.append(name)

    threads = [threading.Thread(target=replica, args=(name,)) for name in ("east", "west")]
    for thread in threads:
        thread.start()
    winner = answer.result()
    for thread in threads:
        thread.join()
    assert sorted([winner, *too_late]) == ["east", "west"]
