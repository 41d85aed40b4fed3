"""An order is cancelled if it is not running yet; the customer is then refunded, without a look at what cancel says.

The main thread sees that the future does not run; the worker starts it; `cancel` returns False, and the order is both
delivered and refunded.
"""

from concurrent.futures import ThreadPoolExecutor

KIND = "failure"
LEVEL = "sync"
SOURCE = "Future.cancel returns whether it did; https://docs.python.org/3/library/concurrent.futures.html#future-objects"


def scenario() -> None:
    delivered: list[str] = []
    refunded: list[str] = []

    with ThreadPoolExecutor(max_workers=1) as pool:
        order = pool.submit(delivered.append, "tea")
        if not order.running() and not order.done():
            order.cancel()
            refunded.append("tea")
    assert len(delivered) + len(refunded) == 1
