"""gevent: many small greenlets that give way to their hub, and a queue between some of them."""

from typing import Any

import gevent
import gevent.queue


def small(items: Any, i: int) -> None:
    gevent.sleep(0)
    items.put(i)
    gevent.sleep(0)


def collect(items: Any, amount: int) -> int:
    return sum(items.get() for _ in range(amount))


def work(amount: int) -> None:
    total = 0
    for _ in range(amount):
        items = gevent.queue.Queue(50)
        collector = gevent.spawn(collect, items, 1000)
        gevent.joinall([gevent.spawn(small, items, i) for i in range(1000)])
        total += collector.get()
    assert total == amount * 499500
