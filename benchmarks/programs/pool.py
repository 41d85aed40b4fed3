"""A process pool of two: many small jobs, some larger ones, and arguments that travel."""

import concurrent.futures
import hashlib
import multiprocessing


def small(number: int) -> int:
    return sum(k * number % 1013 for k in range(300))


def large(number: int) -> str:
    data = bytes(number % 256 for _ in range(50_000))
    for _ in range(40):
        data = hashlib.sha256(data).digest() * 1000
    return hashlib.sha256(data).hexdigest()


def work(amount: int) -> None:
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        bigger = [pool.submit(large, i) for i in range(amount)]
        total = sum(pool.map(small, range(50 * amount)))
        assert len({future.result() for future in bigger}) == min(amount, 256)
    # small(number) depends on number % 1013 only.
    once = [small(number) for number in range(min(1013, 50 * amount))]
    assert total == sum(once[number % 1013] for number in range(50 * amount))
