"""A pipeline of three steps, each on the backend that suits it: fetch, parse, store.

A server on the loopback interface has the readings of some weather stations, one page a station. Threads fetch
them, since that is waiting; worker processes parse them, since that is Python; and one after the other they are
stored in a database, by the thread that reads the results, since SQLite wants one.

All steps work at once, each on other stations. No step runs away from the next: each has a buffer, and when that
is full it takes nothing more from the step before, down to the server. So memory stays bounded, whichever step is
the slow one. The example counts what is under way, and checks it.

    python examples/weather.py [STATIONS]
"""

import math
import random
import sqlite3
import sys
import threading
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import headway

DAYS = 365
BUFFER = 4


class Year(NamedTuple):
    """What is kept of the readings of a station."""

    station: str
    mean: float
    warmest: float
    readings: int


class Archive(BaseHTTPRequestHandler):
    """Gives the readings of a station, and counts the requests."""

    lock = threading.Lock()
    asked = 0

    def do_GET(self) -> None:
        with Archive.lock:
            Archive.asked += 1
        chance = random.Random(self.path)
        base = chance.uniform(-5, 25)
        lines = [
            f"{day};{hour};{base + 10 * math.sin(day / 58) + chance.gauss(0, 2):.1f}"
            for day in range(DAYS)
            for hour in (0, 6, 12, 18)
        ]
        body = zlib.compress("\n".join(lines).encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        pass


def parse(page: tuple[str, bytes]) -> Year:
    station, body = page
    values = [float(line.split(";")[2]) for line in zlib.decompress(body).decode().splitlines()]
    return Year(station, sum(values) / len(values), max(values), len(values))


def main(stations: int) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE years (station TEXT PRIMARY KEY, mean REAL, warmest REAL, readings INT)")
    with ThreadingHTTPServer(("127.0.0.1", 0), Archive) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"

        def fetch(station: str) -> tuple[str, bytes]:
            with urllib.request.urlopen(address + station, timeout=20) as answer:
                return station, answer.read()

        def store(year: Year) -> int:
            database.execute("INSERT INTO years VALUES (?, ?, ?, ?)", year)
            return year.readings

        years = (
            headway.pipeline(f"station-{number}" for number in range(stations))
            | headway.step(fetch, on="threads", workers=8, buffer=BUFFER, retries=2)
            | headway.step(parse, on="processes", ordered=False, buffer=BUFFER)
            | headway.step(store, on="serial", buffer=BUFFER)
        )
        readings = most = 0
        with years.results() as results:
            for done, count in enumerate(results, 1):
                readings += count
                most = max(most, Archive.asked - done)
            report = results.report()
        server.shutdown()
    # What each of three steps may have out, and what the last has handed over to be read.
    assert most <= 4 * BUFFER, most
    for stage in report.stages:
        print(f"{stage.function.rpartition('.')[2]}: {stage.calls} calls on {stage.on}")
    warmest = database.execute("SELECT station FROM years ORDER BY mean DESC LIMIT 1").fetchone()[0]
    database.close()
    print(f"{stations} stations, {readings} readings, the warmest is {warmest}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
