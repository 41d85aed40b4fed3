"""Greenlets, plain and gevent's: their states against what the program measured, who made them, and how they end."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from headway.trace.model import Trace
from tracing import Report, Traced, close, trace

pytestmark = [
    pytest.mark.native,
    pytest.mark.known_time,
    pytest.mark.skipif(find_spec("gevent") is None, reason="not for an installation without gevent"),
]

PROGRAMS = Path(__file__).parents[1] / "programs"


def greenlets(traced: Traced, function: str | None = None) -> list[Report]:
    """All of them, or those that run a function."""
    return [
        unit
        for unit in traced.report["units"]
        if unit["kind"] == "greenlet"
        and (function is None or (unit["function"] or "").rsplit(":", 1)[-1] == function)
    ]


def greenlet(traced: Traced, function: str) -> Report:
    found = greenlets(traced, function)
    assert len(found) == 1, [unit["function"] for unit in greenlets(traced)]
    return found[0]


def role(traced: Traced, name: str) -> Report:
    """The hub, or the greenlet that it began with, of the program's main thread."""
    main = traced.threads(traced.processes()[0])[0]["id"]
    (found,) = (unit for unit in greenlets(traced) if unit["role"] == name and unit["carrier"] == main)
    return found


def late_s(unit: Report) -> float:
    return float(sum(unit["states"]["ready"].values()))


def run(source: str, tmp_path: Path, **how: Any) -> Traced:
    return trace("import os, sys, time, threading, weakref, gc\n" + source, tmp_path=tmp_path, **how)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("greenlets", tmp_path=tmp_path_factory.mktemp("greenlets"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("lock", "lock"),
        ("event", "event"),
        ("queue", "queue"),
        ("io", "io"),
        ("future", "future"),
        ("join", "join"),
        ("process", "process"),
        ("thread", "future"),
        ("many", "join"),
    ],
)
def test_a_greenlet_that_waits_shows_for_what_and_how_long(known: Traced, name: str, reason: str) -> None:
    unit = greenlet(known, name)

    waiting = unit["states"]["waiting"]
    assert max(waiting, key=lambda kind: waiting[kind]) == reason
    assert waiting[reason] >= 0.045
    measured_s = known.said[name]
    # The program's clock includes what comes before the first switch and after the last one.
    assert waiting[reason] + late_s(unit) <= measured_s
    # To start a process, or the first thread of a pool, takes long.
    noise_s = late_s(unit) + unit["loop_s"] + 0.005
    assert name in ("process", "thread") or close(waiting[reason], measured_s, noise_s=noise_s)


def test_greenlets_that_sleep_wait_for_a_time_to_come(known: Traced) -> None:
    units = greenlets(known, "sleep")

    assert len(units) == 4
    assert all(unit["states"]["waiting"]["sleep"] >= 0.045 for unit in units)


def test_a_call_that_blocks_counts_as_the_greenlet_s_own_wait(known: Traced) -> None:
    unit = greenlet(known, "blocks")

    assert unit["states"]["waiting"]["sleep"] >= 0.05
    assert unit["loop_s"] >= unit["states"]["waiting"]["sleep"]
    assert unit["longest_step_s"] >= 0.05


def test_the_states_of_each_greenlet_add_up_to_its_life_to_the_nanosecond(known: Traced) -> None:
    for unit in Trace(known.directory).tasks:
        assert int(unit.totals.sum()) == unit.end_ns - unit.start_ns, unit.name


def test_a_greenlet_tells_its_function_its_maker_and_how_it_ended(known: Traced) -> None:
    main, unit = role(known, "main"), greenlet(known, "event")
    lines = (PROGRAMS / "greenlets.py").read_text().splitlines()

    path, line, _ = unit["function"].rsplit(":", 2)
    assert path == str(PROGRAMS / "greenlets.py")
    assert lines[int(line) - 1] == "def event(one: Any) -> None:"
    path, line = unit["created_at"].rsplit(":", 1)
    assert lines[int(line) - 1] == "    greenlet = gevent.spawn(what, *args)"
    assert unit["parent"] == main["id"]
    assert known.name(main["parent"]) == "main"
    assert known.name(unit["carrier"]) == "main"
    assert (unit["role"], unit["outcome"], unit["seen_late"]) == (None, "done", False)
    assert greenlet(known, "fails")["outcome"] == "failed"
    assert greenlet(known, "forever")["outcome"] == "cancelled"
    assert main["outcome"] is None


def test_a_hub_waits_for_events_while_no_greenlet_runs(known: Traced) -> None:
    hub, main = role(known, "hub"), known.threads(known.processes()[0])[0]

    assert hub["states"]["waiting"]["io"] >= 0.4
    assert hub["states"]["waiting"]["io"] <= main["states"]["waiting"]["io"]
    assert hub["states"]["ready"]["loop"] >= 0.05


def test_a_long_wait_has_the_greenlet_s_frames_as_its_stack_and_who_ended_it(known: Traced) -> None:
    unit = greenlet(known, "queue")
    (wait,) = (wait for wait in known.report["waits"] if wait["unit"] == unit["id"])

    assert wait["reason"] == "queue"
    assert wait["stack"][-1].rsplit(":", 1)[1] == "queue"
    assert wait["end_s"] - wait["start_s"] == pytest.approx(unit["states"]["waiting"]["queue"], abs=1e-6)


def test_a_greenlet_that_waits_for_a_greenlet_names_it(known: Traced) -> None:
    unit = greenlet(known, "join")
    (wait,) = (wait for wait in known.report["waits"] if wait["unit"] == unit["id"])

    assert known.unit(wait["owner"])["function"].endswith(":sleep")


def test_functions_are_counted_with_their_ends(known: Traced) -> None:
    own = str(PROGRAMS / "greenlets.py")
    rows = [row for row in known.report["greenlets"] if (row["function"] or "").startswith(own)]
    table = {row["function"].rsplit(":", 1)[1]: row for row in rows}

    assert table["sleep"]["greenlets"] == 4
    assert table["fails"]["failed"] == 1
    assert table["forever"]["cancelled"] == 1
    assert all(row["alive"] == 0 for row in table.values())
    assert known.report["coroutines"] == []


def test_plain_greenlets_share_their_thread_and_tell_of_each_switch(tmp_path: Path) -> None:
    traced = run(
        """
import greenlet
def ping():
    for _ in range(3):
        time.sleep(0.02)
        two.switch()
def pong():
    while True:
        time.sleep(0.01)
        one.switch()
one, two = greenlet.greenlet(ping), greenlet.greenlet(pong)
one.switch()
os._exit(0)  # CPython 3.15, when it ends, still throws away greenlets that have not
""",
        tmp_path,
    )

    one, two, main = greenlet(traced, "ping"), greenlet(traced, "pong"), role(traced, "main")
    assert (one["steps"], two["steps"], main["steps"]) == (4, 3, 2)
    slept = [unit["states"]["waiting"]["sleep"] for unit in (one, two, traced.thread("main"))]
    assert slept[0] >= 0.06
    assert slept[1] >= 0.03
    assert slept[0] + slept[1] == pytest.approx(slept[2], abs=1e-8)
    assert one["states"]["waiting"]["other"] >= two["states"]["waiting"]["sleep"]
    assert (one["outcome"], two["outcome"]) == ("done", None)
    assert [frame.rsplit(":", 1)[1] for frame in two["stack"]] == ["pong"]
    assert traced.report["findings"] == []
    # One runs at a time, and one always does.
    assert one["loop_s"] + two["loop_s"] == pytest.approx(main["states"]["waiting"]["other"], abs=1e-8)


BEHAVES = """
import greenlet, json, inspect
said = []
class Noisy:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        said.append(f"{self.name} died")
def run():
    noisy = Noisy("local")
    try:
        greenlet.getcurrent().parent.switch("first")
    finally:
        said.append("left")
one = greenlet.greenlet(run)
gone = weakref.ref(one)
said.append(one.switch())
said.append([greenlet.gettrace(), one.gr_frame.f_code.co_name, sys.getrefcount(one)])
del one
said.append([gone() is None, "deleted"])
events = []
before = greenlet.settrace(lambda event, pair: events.append(event))
def fails():
    raise ValueError("from inside")
try:
    greenlet.greenlet(fails).switch()
except ValueError as error:
    names, at = [], error.__traceback__
    while at is not None:
        names.append(at.tb_frame.f_code.co_name)
        at = at.tb_next
    said.append([str(error), names])
said.append([before, events])
greenlet.settrace(None)
two = greenlet.greenlet(lambda: greenlet.getcurrent().parent.switch())
two.switch()
said.append([repr(two.throw(greenlet.GreenletExit)), two.dead, bool(two)])
try:
    greenlet.greenlet().switch()
except AttributeError as error:
    said.append(str(error))
said.append([repr(greenlet.greenlet.switch), type(two.switch).__name__, greenlet.greenlet.__name__])
def elsewhere():
    try:
        three.switch()
    except greenlet.error as error:
        said.append(str(error)[:40])
three = greenlet.greenlet(lambda: None)
thread = threading.Thread(target=elsewhere)
thread.start()
thread.join()
class Own(greenlet.greenlet):
    def run(self, *args):
        return args
said.append(Own().switch(1, 2))
def nested(depth):
    return greenlet.greenlet(nested).switch(depth - 1) + 1 if depth else 0
said.append(nested(50))
left = greenlet.greenlet(run)
left.switch()
print(json.dumps(said))
"""


def test_the_program_sees_greenlets_as_they_are(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "behaves.py"
    path.write_text("import os, sys, time, threading, weakref, gc\n" + BEHAVES)
    plain = subprocess.run([sys.executable, path], capture_output=True, text=True, check=True)
    traced = trace(path, tmp_path=tmp_path)

    assert traced.stdout == plain.stdout
    assert traced.status == 0
    assert traced.stderr.startswith(plain.stderr)
    outcomes = [unit["outcome"] for unit in greenlets(traced, "run")]
    assert sorted(outcomes, key=str) == [None, "dropped"] or outcomes == ["dropped", "dropped"]
    assert greenlet(traced, "fails")["outcome"] == "failed"
    assert len(greenlets(traced, "nested")) == 50
    assert all(unit["outcome"] == "done" for unit in greenlets(traced, "nested"))


def test_a_program_without_greenlets_does_not_get_them(tmp_path: Path) -> None:
    traced = run("print('greenlet' in sys.modules)\n", tmp_path)

    assert traced.stdout == "False\n"
    assert traced.report["greenlets"] == []


def test_hubs_in_two_threads_carry_their_own_greenlets(tmp_path: Path) -> None:
    traced = run(
        """
import gevent
def work():
    for _ in range(3):
        gevent.sleep(0.01)
def main():
    gevent.joinall([gevent.spawn(work) for _ in range(3)])
threads = [threading.Thread(target=main, name=name) for name in ("one", "two")]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
""",
        tmp_path,
    )

    for name in ("one", "two"):
        thread = traced.thread(name)
        mine = [unit for unit in greenlets(traced, "work") if unit["carrier"] == thread["id"]]
        assert len(mine) == 3
        assert all(unit["steps"] == 4 and unit["outcome"] == "done" for unit in mine)
        (main,) = {unit["parent"] for unit in mine}
        assert traced.unit(main)["role"] == "main"
        assert traced.unit(main)["end_s"] == thread["end_s"]


PATCHED = """
from gevent import monkey
monkey.patch_all()
import queue, socket
def serve(listener):
    stream, _ = listener.accept()
    stream.sendall(stream.recv(10))
    stream.close()
def waits(event):
    event.wait()
def takes(items):
    items.get()
def holds(lock):
    with lock:
        time.sleep(0.05)
event, items, lock = threading.Event(), queue.Queue(), threading.Lock()
listener = socket.create_server(("127.0.0.1", 0))
work = [(serve, listener), (waits, event), (takes, items), (holds, lock), (holds, lock)]
threads = [
    threading.Thread(target=target, args=args, name=f"{target.__name__}-{number}")
    for number, (target, *args) in enumerate(work, 1)
]
[thread.start() for thread in threads]
time.sleep(0.05)
event.set()
items.put(1)
with socket.create_connection(listener.getsockname()) as client:
    client.sendall(b"hello")
    assert client.recv(10) == b"hello"
[thread.join() for thread in threads]
listener.close()
"""


def test_threads_of_a_patched_program_are_greenlets_with_the_waits_of_threads(tmp_path: Path) -> None:
    traced = run(PATCHED, tmp_path)

    names = ["serve", "waits", "takes", "holds", "holds"]
    main_id = role(traced, "main")["id"]
    units = [unit for unit in greenlets(traced) if unit["parent"] == main_id and unit["role"] is None]
    seen = {kind for unit in units for kind, s in unit["states"]["waiting"].items() if s >= 0.03}
    assert traced.status == 0
    assert {unit["function"].rsplit(":", 1)[1] for unit in units} == {"serve", "waits", "takes", "holds"}
    assert {unit["name"] for unit in units} == {f"{name}-{number}" for number, name in enumerate(names, 1)}
    assert seen == {"event", "io", "lock", "queue", "sleep"}
    main = role(traced, "main")["states"]["waiting"]
    assert main["sleep"] >= 0.045
    assert "holds" not in {thread["name"] for thread in traced.threads()}


def test_a_greenlet_that_is_killed_or_left_ends_as_it_did(tmp_path: Path) -> None:
    traced = run(
        """
import gevent, gevent.event
def waits():
    try:
        gevent.event.Event().wait()
    finally:
        print("ended", flush=True)
def never():
    pass
gone = gevent.spawn(waits)
left = gevent.spawn(waits)
gevent.sleep(0.01)
gevent.killall([gone])
later = gevent.spawn(never)
later.kill()
os._exit(3)
""",
        tmp_path,
    )

    assert (traced.status, traced.stdout) == (3, "ended\n")
    outcomes = sorted((unit["outcome"] for unit in greenlets(traced, "waits")), key=str)
    assert outcomes == [None, "cancelled"]
    (left,) = (unit for unit in greenlets(traced, "waits") if unit["outcome"] is None)
    assert [frame.rsplit(":", 1)[1] for frame in left["stack"]] == ["waits"]
    (wait,) = (
        wait for wait in traced.report["waits"] if wait["unit"] == left["id"] and wait["end_s"] is None
    )
    assert wait["reason"] == "event"


def test_a_forked_child_has_its_own_greenlets(tmp_path: Path) -> None:
    traced = run(
        """
import gevent, gevent.os
def work():
    gevent.sleep(0.01)
def forks():
    pid = gevent.os.fork_and_watch()
    gevent.joinall([gevent.spawn(work)])
    if pid == 0:
        os._exit(0)
    gevent.os.waitpid(pid, 0)
gevent.spawn(forks).join()
""",
        tmp_path,
    )

    parent, child = traced.processes()
    for process in (parent, child):
        (unit,) = (unit for unit in greenlets(traced, "work") if unit["process"] == process["id"])
        assert unit["outcome"] == "done"
    assert traced.status == 0


def test_greenlets_and_tasks_on_one_thread_are_told_apart(tmp_path: Path) -> None:
    traced = run(
        """
import asyncio, greenlet
def inside(driver):
    time.sleep(0.02)
    driver.switch("more")
    time.sleep(0.02)
async def work():
    driver = greenlet.getcurrent()
    fiber = greenlet.greenlet(inside)
    while not fiber.dead:
        if fiber.switch(driver) == "more":
            await asyncio.sleep(0.02)
async def main():
    await asyncio.gather(work(), work())
asyncio.run(main())
""",
        tmp_path,
    )

    tasks = [u for u in traced.report["units"] if u["kind"] == "task" and "work" in (u["coroutine"] or "")]
    fibers = greenlets(traced, "inside")
    assert [unit["steps"] for unit in tasks] == [2, 2]
    assert [unit["steps"] for unit in fibers] == [2, 2]
    assert {unit["parent"] for unit in fibers} == {unit["id"] for unit in tasks}
    for unit in [*tasks, *fibers]:
        assert unit["states"]["waiting"]["sleep"] >= 0.039
        assert unit["loop_s"] >= 0.039


def test_more_greenlets_than_are_told_apart_are_counted_by_function(tmp_path: Path) -> None:
    traced = run(
        """
import gevent
def tiny():
    gevent.sleep(0)
for _ in range(20):
    gevent.joinall([gevent.spawn(tiny) for _ in range(1000)])
""",
        tmp_path,
    )

    (row,) = traced.report["greenlets"]
    assert (row["greenlets"], row["alive"], row["steps"]) == (20000, 0, 40000)
    assert row["states"]["ready"]["loop"] > 0
    assert sum(row["states"]["waiting"].values()) < 0.1 * row["states"]["ready"]["loop"]


@pytest.mark.skipif(find_spec("_cffi_backend") is None, reason="not for an installation without cffi")
def test_libuv_s_loop_is_seen_as_libev_s(tmp_path: Path) -> None:
    traced = run(
        """
os.environ["GEVENT_LOOP"] = "libuv"
import gevent, gevent.event
def sleeps():
    gevent.sleep(0.03)
def waits(event):
    event.wait()
event = gevent.event.Event()
waiter = gevent.spawn(waits, event)
gevent.spawn(sleeps).join()
event.set()
time.sleep(0.03)
waiter.join()
""",
        tmp_path,
    )

    assert greenlet(traced, "sleeps")["states"]["waiting"]["sleep"] >= 0.02
    unit = greenlet(traced, "waits")
    assert unit["states"]["waiting"]["event"] >= 0.02
    assert unit["states"]["ready"]["loop"] >= 0.025
    assert not unit["seen_late"]
