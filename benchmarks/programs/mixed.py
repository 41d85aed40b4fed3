"""Some of everything: threads that fetch, parse, compress and book under a lock; sleeps; children.

Fixed work, like the others; examples/mixed.py is its relative that is made to be looked at.
"""

import queue
import subprocess
import threading
import time
import zlib

from http_load import Handler, Server, fetch

ROW = ",".join(str(k * 7919 % 997) for k in range(400))


def parse(rows: "queue.Queue[int | None]", lock: threading.Lock, totals: dict[int, int]) -> None:
    while (number := rows.get()) is not None:
        value = sum(int(cell) * number for cell in ROW.split(","))
        packed = zlib.compress(ROW.encode() * 20, 6)
        with lock:
            totals[number % 16] = totals.get(number % 16, 0) + value + len(packed)


def work(amount: int) -> None:
    rows: queue.Queue[int | None] = queue.Queue(32)
    lock = threading.Lock()
    totals: dict[int, int] = {}
    digests: list[str] = []
    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        parsers = [threading.Thread(target=parse, args=(rows, lock, totals)) for _ in range(2)]
        clients = [
            threading.Thread(target=fetch, args=(server.server_port, i * 100, amount // 2, digests))
            for i in range(2)
        ]
        for thread in [serving, *parsers, *clients]:
            thread.start()
        for number in range(amount):
            rows.put(number)
            if number % 50 == 0:
                time.sleep(0.001)
                subprocess.run(["true"], check=True)
        for _ in parsers:
            rows.put(None)
        for thread in [*parsers, *clients]:
            thread.join()
        server.shutdown()
        serving.join()
    assert (len(totals), len(digests)) == (min(amount, 16), 2)
