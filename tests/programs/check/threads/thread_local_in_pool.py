"""A job of a pool leaves its login in a thread-local, and a later job of the same pool looks for it there.

The pool has two workers. If the second job is run by the worker that has not run the first, there is no login:
AttributeError.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; a pool's jobs have no thread of their own"


def scenario() -> None:
    context = threading.local()

    def login(user: str) -> None:
        context.user = user

    def whoami() -> str:
        user: str = context.user
        return user

    with ThreadPoolExecutor(max_workers=2) as pool:
        pool.submit(login, "ann").result()
        assert pool.submit(whoami).result() == "ann"
