"""Two replicas answer a request, and the first answer counts: each asks whether the future is done, and then sets it.

Both find it not done; the second to set it gets InvalidStateError, and does not hang up.
"""

import threading
from concurrent.futures import Future

KIND = "failure"
LEVEL = "sync"
SOURCE = "bpo-33238, python/cpython#7056: Future.set_result raises InvalidStateError since 3.8"


def scenario() -> None:
    answer: Future[str] = Future()
    hung_up: list[str] = []

    def replica(name: str) -> None:
        if not answer.done():
            answer.set_result(name)
        hung_up.append(name)

    threads = [threading.Thread(target=replica, args=(name,)) for name in ("east", "west")]
    for thread in threads:
        thread.start()
    assert answer.result() in {"east", "west"}
    for thread in threads:
        thread.join()
    assert sorted(hung_up) == ["east", "west"]
