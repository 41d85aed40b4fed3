"""loop-blocked in gevent: a greenlet that keeps its hub is found, and what only looks like it is not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tracing import Report, Traced, trace

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(find_spec("gevent") is None, reason="not for an installation without gevent"),
]

HEAD = """
import gevent, gevent.event, sys, threading, time
def ticks():
    for _ in range(5):
        gevent.sleep(0.02)
def beside(function, *args):
    gevent.joinall([*(gevent.spawn(ticks) for _ in range(3)), gevent.spawn(function, *args)])
def busy(s):
    end = time.thread_time() + s
    while time.thread_time() < end:
        pass
"""


def found(traced: Traced) -> list[Report]:
    return [one for one in traced.report["findings"] if one["kind"] == "loop-blocked"]


def line_of(text: str, tmp_path: Path) -> str:
    lines = (tmp_path / "prog.py").read_text().splitlines()
    (number,) = (i for i, line in enumerate(lines, 1) if text in line)
    return f"{tmp_path / 'prog.py'}:{number}"


def test_a_greenlet_that_sleeps_in_its_thread_keeps_the_hub_at_that_line(tmp_path: Path) -> None:
    source = """
def culprit():
    gevent.sleep(0.01)
    time.sleep(0.25)
beside(culprit)
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("time.sleep(0.25)", tmp_path)]
    assert "greenlet `culprit` kept its hub for " in one["sentence"]
    assert "3 other greenlets" in one["sentence"]
    assert "gevent.sleep()" in one["advice"]
    (unit,) = one["units"]
    assert traced.name(unit) == "culprit"
    assert one["end_s"] - one["start_s"] >= 0.25


def test_a_greenlet_that_computes_keeps_the_hub_before_the_line_where_it_gives_way(tmp_path: Path) -> None:
    source = """
def culprit():
    gevent.sleep(0.01)
    busy(0.3)
    gevent.sleep(0.001)
beside(culprit)
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("gevent.sleep(0.001)", tmp_path)]
    assert "running Python" in one["evidence"][0]
    assert "gevent.sleep(0)" in one["advice"]


def test_the_main_greenlet_can_keep_the_hub_too(tmp_path: Path) -> None:
    source = """
others = [gevent.spawn(ticks) for _ in range(3)]
gevent.sleep(0.01)
time.sleep(0.25)
gevent.joinall(others)
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("time.sleep(0.25)", tmp_path)]
    assert "the main greenlet of `main` kept its hub" in one["sentence"]


def test_steps_of_one_function_are_one_finding(tmp_path: Path) -> None:
    source = """
def culprit():
    for _ in range(3):
        gevent.sleep(0.01)
        time.sleep(0.15)
def many():
    gevent.joinall([gevent.spawn(culprit) for _ in range(2)])
beside(many)
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert len(one["units"]) == 2
    assert "such steps of the same function kept the hub of main" in " ".join(one["evidence"])


def test_connections_that_come_meanwhile_are_late(tmp_path: Path) -> None:
    source = """
import gevent.server, socket
from gevent.threadpool import ThreadPool
def answer(stream, address):
    time.sleep(0.15)
    stream.sendall(b"answer")
def ask(port):
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.recv(10)
server = gevent.server.StreamServer(("127.0.0.1", 0), answer)
server.start()
pool = ThreadPool(4)
gevent.joinall([pool.spawn(ask, server.server_port) for _ in range(4)])
"""
    traced = trace(HEAD + source, tmp_path=tmp_path)

    (one,) = found(traced)
    assert one["where"] == [line_of("time.sleep(0.15)", tmp_path)]


ALIKE = {
    "nobody else": """
def alone():
    busy(0.3)
    gevent.sleep(0)
    time.sleep(0.2)
gevent.spawn(alone).join()
""",
    "before the others are made": """
time.sleep(0.3)
gevent.joinall([gevent.spawn(ticks), gevent.spawn(ticks)])
""",
    "it gives way often enough": """
def polite():
    for _ in range(20):
        busy(0.02)
        gevent.sleep(0)
beside(polite)
""",
    "only who waits for it was late": """
def slow():
    time.sleep(0.15)
def inner():
    gevent.spawn(slow).join()
def tells(event):
    time.sleep(0.15)
    event.set()
gevent.joinall([gevent.spawn(slow)])
gevent.spawn(slow).get()
gevent.wait([gevent.spawn(slow)])
gevent.spawn(inner).join()
event = gevent.event.Event()
gevent.spawn(tells, event)
event.wait()
""",
    "in a thread": """
beside(gevent.get_hub().threadpool.apply, busy, (0.3,))
""",
    "a greenlet that waits for long": """
beside(gevent.sleep, 0.4)
""",
    "a hub that idles": """
event = gevent.event.Event()
gevent.spawn_later(0.4, event.set)
gevent.joinall([gevent.spawn(event.wait) for _ in range(5)])
""",
    "plain greenlets": """
import greenlet
def other():
    while True:
        greenlet.getcurrent().parent.switch()
others = [greenlet.greenlet(other) for _ in range(3)]
for _ in range(3):
    [one.switch() for one in others]
    time.sleep(0.15)
""",
    "other threads have the GIL": """
sys.setswitchinterval(0.05)
def short():
    for _ in range(5):
        time.sleep(0)
        busy(0.005)
        time.sleep(0)
threads = [threading.Thread(target=busy, args=(0.5,)) for _ in range(3)]
[thread.start() for thread in threads]
for _ in range(4):
    gevent.joinall([gevent.spawn(short), gevent.spawn(ticks)])
""",
}


@pytest.mark.parametrize("alike", ALIKE)
def test_what_only_looks_like_it_is_no_finding(alike: str, tmp_path: Path) -> None:
    traced = trace(HEAD + ALIKE[alike], tmp_path=tmp_path)

    assert found(traced) == []
