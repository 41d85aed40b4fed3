"""limits: rate limits in memory, as web applications with threads use them."""

import threading
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter, SlidingWindowCounterRateLimiter

PACKAGE = "limits"


def _two_hits(strategy: type) -> list[bool]:
    limiter = strategy(MemoryStorage())
    once = RateLimitItemPerMinute(1)
    admitted: list[bool] = []

    def hit() -> None:
        admitted.append(limiter.hit(once, "user"))

    threads = [threading.Thread(target=hit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return admitted


def check_fixed_window_admits_no_more_than_the_limit() -> None:
    """One a minute, and two hits at once."""
    assert _two_hits(FixedWindowRateLimiter).count(True) <= 1


def check_fixed_window_admits_one() -> None:
    """One a minute, and two hits at once: not both are refused."""
    assert _two_hits(FixedWindowRateLimiter).count(True) >= 1


def check_moving_window_admits_no_more_than_the_limit() -> None:
    """One a minute, and two hits at once."""
    assert _two_hits(MovingWindowRateLimiter).count(True) <= 1


def check_sliding_window_admits_no_more_than_the_limit() -> None:
    """One a minute, and two hits at once."""
    assert _two_hits(SlidingWindowCounterRateLimiter).count(True) <= 1


def check_hits_after_a_pause() -> None:
    """Two hits at once, when the thread that expires old entries has ended."""
    limiter = MovingWindowRateLimiter(MemoryStorage())
    time.sleep(1)
    threads = [
        threading.Thread(target=lambda: limiter.hit(RateLimitItemPerMinute(9), "user")) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
