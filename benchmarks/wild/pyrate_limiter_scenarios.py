"""pyrate-limiter: "thread-safe via RLock"."""

import itertools
import threading
import time
from typing import Any

from pyrate_limiter import InMemoryBucket, Limiter, Rate, SingleBucketFactory

PACKAGE = "pyrate_limiter"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _limiter() -> Limiter:
    return Limiter(SingleBucketFactory(InMemoryBucket([Rate(1, 1000)]), schedule_leak=False))


def check_no_more_than_the_limit() -> None:
    """One a second; three ask at once, and none waits."""
    limiter = _limiter()
    got: list[object] = []

    def ask() -> None:
        got.append(limiter.try_acquire("job", blocking=False))

    try:
        _together(ask, ask, ask)
    except TimeoutError:
        return
    assert got.count(True) <= 1


def check_one_is_admitted() -> None:
    """One a second; of two that ask at once, and do not wait, one is admitted, and none sees an error."""
    limiter = _limiter()
    got: list[object] = []

    def ask() -> None:
        got.append(limiter.try_acquire("job", blocking=False))

    _together(ask, ask)
    assert got.count(True) == 1


def check_those_who_wait_keep_their_distance() -> None:
    """One a second; three wait for their turn."""
    limiter = _limiter()
    at: list[float] = []

    def ask() -> None:
        assert limiter.try_acquire("job")
        at.append(time.monotonic())

    _together(ask, ask, ask)
    at.sort()
    assert all(later - sooner >= 0.99 for sooner, later in itertools.pairwise(at)), at
