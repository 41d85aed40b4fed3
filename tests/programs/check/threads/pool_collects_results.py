"""A pool whose jobs share nothing: results come back through the futures, and are added up by the one who asked.

Leaving the `with` waits for all.
"""

from concurrent.futures import ThreadPoolExecutor, as_completed

KIND = "ok"
LEVEL = "access"
SOURCE = "https://docs.python.org/3/library/concurrent.futures.html"


def square(number: int) -> int:
    return number * number


def scenario() -> None:
    with ThreadPoolExecutor(max_workers=2) as pool:
        mapped = list(pool.map(square, (1, 2)))
        futures = [pool.submit(square, number) for number in (3, 4)]
        total = sum(future.result() for future in as_completed(futures))
    assert mapped == [1, 4]
    assert total == 25
