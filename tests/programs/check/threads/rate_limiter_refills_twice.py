"""A token bucket is filled up by whoever asks, by the time that has gone by since it was last filled.

A second has gone by. Both callers read when the bucket was last filled; one adds its token and takes it; the other,
with the old time in its hand, adds another for the same second.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; token buckets: Turner, IEEE Communications Magazine, 1986"


class Limiter:
    def __init__(self, per_second: int) -> None:
        self.per_second = per_second
        self.tokens = 0
        self.filled_at = 0

    def allow(self, now: int) -> bool:
        gone_by = now - self.filled_at
        self.filled_at = now
        self.tokens += gone_by * self.per_second
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


def scenario() -> None:
    limiter = Limiter(per_second=1)
    allowed: list[bool] = []

    def call() -> None:
        allowed.append(limiter.allow(now=1))

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 1
