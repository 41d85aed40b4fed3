"""Two producers render records, two consumers parse and add them up; one bounded queue between them."""

import json
import queue
import threading


def produce(items: "queue.Queue[str | None]", amount: int, seed: int) -> None:
    for i in range(amount):
        readings = [(seed * 31 + i * k) % 1013 for k in range(60)]
        items.put(json.dumps({"sensor": seed, "number": i, "readings": readings}))


def consume(items: "queue.Queue[str | None]", totals: list[int]) -> None:
    total = 0
    while (item := items.get()) is not None:
        record = json.loads(item)
        total += sum(value for value in record["readings"] if value % 7)
    totals.append(total)


def work(amount: int) -> None:
    items: queue.Queue[str | None] = queue.Queue(100)
    totals: list[int] = []
    producers = [threading.Thread(target=produce, args=(items, amount, i)) for i in range(2)]
    consumers = [threading.Thread(target=consume, args=(items, totals)) for _ in range(2)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        items.put(None)
    for thread in consumers:
        thread.join()
    expected = sum(
        v for s in range(2) for i in range(amount) for k in range(60) if (v := (s * 31 + i * k) % 1013) % 7
    )
    assert sum(totals) == expected
