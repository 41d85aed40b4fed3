"""A bit of everything: a server, threads that fetch, parse and compress, and a lock held too long.

A loopback HTTP server hands out pages of made-up readings. Four fetchers take them; each page is parsed in
pure Python (which needs the GIL) and packed with zlib and SHA-256 (which do not). Every page needs the price
list from a cache, and the cache is refreshed while its lock is held: whoever needs a price meanwhile waits.
That one is on purpose; find it.

    python examples/mixed.py [PAGES]
    headway trace examples/mixed.py [PAGES]
"""

import hashlib
import http.client
import http.server
import queue
import random
import sys
import threading
import time
import zlib

FETCHERS = 4
ROWS = 6_000
KEEP_S = 0.4


class Page(http.server.BaseHTTPRequestHandler):
    """Answers /N with page N: lines of `sensor,second,value`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        number = int(self.path[1:])
        chance = random.Random(number)
        lines = [f"s{chance.randrange(50)},{second},{chance.random():.6f}" for second in range(ROWS)]
        body = "\n".join(lines).encode()
        time.sleep(0.01)  # a disk far away
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        pass


class Server(http.server.ThreadingHTTPServer):
    """Names the threads that serve."""

    request_queue_size = 64

    def process_request(self, request: object, client_address: object) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="server-connection"
        )
        thread.start()


class Prices:
    """A price for each sensor, refreshed when it is older than KEEP_S."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prices: dict[str, float] = {}
        self._fresh_until = 0.0

    def get(self, sensor: str) -> float:
        with self._lock:
            if time.monotonic() > self._fresh_until:
                self._refresh()  # the mistake: everyone else waits for the lock until this is done
            return self._prices[sensor]

    def _refresh(self) -> None:
        time.sleep(0.08)  # a slow price service
        signed = hashlib.pbkdf2_hmac("sha256", b"prices", b"salt", 60_000)
        self._prices = {f"s{i}": 1 + signed[i % 32] / 256 for i in range(50)}
        self._fresh_until = time.monotonic() + KEEP_S


def parse(text: str) -> dict[str, float]:
    """Add up the values of each sensor. Plain Python: holds the GIL all the time."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        sensor, _, value = line.split(",")
        sums[sensor] = sums.get(sensor, 0.0) + float(value)
    return sums


def pack(body: bytes) -> str:
    """Compress and hash. Works on a core without the GIL."""
    return hashlib.sha256(zlib.compress(body, 9)).hexdigest()


def fetch(
    port: int, pages: "queue.SimpleQueue[int | None]", prices: Prices, results: list[tuple[int, float, str]]
) -> None:
    """Fetch and work on pages until there are none."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    while (number := pages.get()) is not None:
        connection.request("GET", f"/{number}")
        body = connection.getresponse().read()
        sums = parse(body.decode())
        cost = sum(amount * prices.get(sensor) for sensor, amount in sums.items())
        results.append((number, cost, pack(body)))
    connection.close()


def main(count: int) -> None:
    """Serve, fetch, add up."""
    pages: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    for number in range(count):
        pages.put(number)
    results: list[tuple[int, float, str]] = []
    prices = Prices()
    with Server(("127.0.0.1", 0), Page) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="server")
        serving.start()
        fetchers = [
            threading.Thread(
                target=fetch, args=(server.server_address[1], pages, prices, results), name=f"fetcher-{i}"
            )
            for i in range(FETCHERS)
        ]
        for thread in fetchers:
            pages.put(None)
            thread.start()
        for thread in fetchers:
            thread.join()
        server.shutdown()
        serving.join()
    total = sum(cost for _, cost, _ in results)
    mark = hashlib.sha256("".join(digest for _, _, digest in sorted(results)).encode()).hexdigest()[:8]
    print(f"{len(results)} pages, {len(results) * ROWS} readings, cost {total:.2f}, mark {mark}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
