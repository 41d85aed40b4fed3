"""Tasks of asyncio: their states against what the program measured, who made them, and how they end."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from headway.trace.model import Trace
from tracing import Report, Traced, close, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]

NEW = sys.version_info >= (3, 12)


def tasks(traced: Traced) -> list[Report]:
    return [unit for unit in traced.report["units"] if unit["kind"] == "task"]


def task(traced: Traced, name: str) -> Report:
    (found,) = (unit for unit in tasks(traced) if unit["name"] == name)
    return found


def late_s(unit: Report) -> float:
    return float(sum(unit["states"]["ready"].values()))


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("tasks", tmp_path=tmp_path_factory.mktemp("tasks"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("sleep", "sleep"),
        ("lock", "lock"),
        ("event", "event"),
        ("queue", "queue"),
        ("io", "io"),
        ("future", "future"),
        ("join", "join"),
        ("thread", "future"),
        ("iterates", "sleep"),
    ],
)
def test_a_task_that_waits_shows_for_what_and_how_long(known: Traced, name: str, reason: str) -> None:
    unit = task(known, name)

    waiting = unit["states"]["waiting"]
    assert max(waiting, key=lambda kind: waiting[kind]) == reason
    assert waiting[reason] >= 0.049
    measured_s = known.said[name]
    # The program's clock includes what comes before the first step and after the last one.
    assert waiting[reason] + late_s(unit) <= measured_s
    assert close(waiting[reason], measured_s, noise_s=late_s(unit) + unit["loop_s"] + 0.005)


def test_a_call_that_blocks_counts_as_the_task_s_own_wait_and_as_time_with_its_loop(known: Traced) -> None:
    unit = task(known, "blocks")

    assert close(
        unit["states"]["waiting"]["sleep"],
        known.said["blocks"],
        noise_s=late_s(unit) + unit["loop_s"] + 0.005,
    )
    assert unit["loop_s"] >= unit["states"]["waiting"]["sleep"] >= 0.05
    assert unit["longest_step_s"] >= 0.05


def test_the_states_of_each_task_add_up_to_its_life_to_the_nanosecond(known: Traced) -> None:
    for unit in Trace(known.directory).tasks:
        assert int(unit.totals.sum()) == unit.end_ns - unit.start_ns, unit.name


def test_a_task_tells_its_coroutine_its_maker_and_how_it_ended(known: Traced) -> None:
    main = task(known, "Task-1")
    unit = task(known, "sleep")
    source = Path(__file__).parents[1] / "programs" / "tasks.py"
    lines = source.read_text().splitlines()

    path, line, function = unit["coroutine"].rsplit(":", 2)
    assert (path, function) == (str(source), "sleeps")
    assert lines[int(line) - 1] == "async def sleeps() -> None:"
    path, line = unit["created_at"].rsplit(":", 1)
    assert lines[int(line) - 1] == "    task = asyncio.create_task(coroutine, name=name)"
    assert unit["parent"] == main["id"]
    assert known.name(main["parent"]) == "main"
    assert known.name(unit["carrier"]) == "main"
    assert unit["outcome"] == "done"
    assert task(known, "fails")["outcome"] == "failed"
    assert task(known, "endless")["outcome"] == "cancelled"


def test_a_long_wait_has_the_coroutines_as_its_stack_and_who_ended_it(known: Traced) -> None:
    unit = task(known, "queue")
    (wait,) = (wait for wait in known.report["waits"] if wait["unit"] == unit["id"])

    assert wait["reason"] == "queue"
    assert [frame.rsplit(":", 1)[1] for frame in wait["stack"]] == ["Queue.get", "takes"]
    assert known.name(wait["woken_by"]) == "Task-1"
    assert wait["end_s"] - wait["start_s"] == pytest.approx(unit["states"]["waiting"]["queue"], abs=1e-6)


def test_an_asynchronous_generator_is_in_the_stack(known: Traced) -> None:
    unit = task(known, "iterates")
    stacks = [wait["stack"] for wait in known.report["waits"] if wait["unit"] == unit["id"]]

    assert [[frame.rsplit(":", 1)[1] for frame in stack] for stack in stacks] == [
        ["sleep", "each", "iterates"]
    ]


def test_a_task_that_waits_for_a_task_names_it(known: Traced) -> None:
    unit = task(known, "join")
    (wait,) = (wait for wait in known.report["waits"] if wait["unit"] == unit["id"])

    assert known.name(wait["owner"]) == "joined"
    assert wait["on"] == "task `joined`"


def test_coroutines_are_counted_with_their_ends(known: Traced) -> None:
    table = {row["name"]: row for row in known.report["coroutines"]}

    assert table["sleeps"]["tasks"] == 2
    assert table["fails"]["failed"] == 1
    assert table["forever"]["cancelled"] == 1
    assert all(row["alive"] == 0 for row in table.values())


def run(source: str, tmp_path: Path, **how: Any) -> Traced:
    return trace("import asyncio, os, sys, time, threading\n" + source, tmp_path=tmp_path, **how)


def test_loops_in_two_threads_carry_their_own_tasks(tmp_path: Path) -> None:
    traced = run(
        """
async def work():
    for _ in range(3):
        await asyncio.sleep(0.01)
async def main():
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(work(), name=threading.current_thread().name)
threads = [threading.Thread(target=lambda: asyncio.run(main()), name=name) for name in ("one", "two")]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
""",
        tmp_path,
    )

    for name in ("one", "two"):
        mine = [unit for unit in tasks(traced) if unit["name"] == name]
        assert len(mine) == 3
        assert {traced.name(unit["carrier"]) for unit in mine} == {name}
        assert {traced.unit(unit["parent"])["coroutine"].rsplit(":", 1)[1] for unit in mine} == {"main"}


@pytest.mark.skipif(not NEW, reason="not for Python 3.11: it has no eager tasks")
def test_an_eager_task_is_seen_from_its_first_step_on(tmp_path: Path) -> None:
    traced = run(
        """
async def at_once():
    time.sleep(0.02)
async def later():
    time.sleep(0.02)
    await asyncio.sleep(0.02)
async def gives_way():
    await asyncio.sleep(0)
async def main():
    asyncio.get_running_loop().set_task_factory(asyncio.eager_task_factory)
    for coroutine in (at_once, later, gives_way):
        await asyncio.create_task(coroutine(), name=coroutine.__name__)
asyncio.run(main())
""",
        tmp_path,
    )

    at_once, later, gives_way = (task_of(traced, name) for name in ("at_once", "later", "gives_way"))
    assert at_once["steps"] == 1
    assert at_once["states"]["waiting"]["sleep"] >= 0.02
    assert later["states"]["waiting"]["sleep"] >= 0.04
    assert later["longest_step_s"] >= 0.02
    assert gives_way["steps"] == 2
    assert not any(unit["seen_late"] for unit in (at_once, later, gives_way))


def task_of(traced: Traced, coroutine: str) -> Report:
    (found,) = (u for u in tasks(traced) if u["coroutine"] and u["coroutine"].endswith(f":{coroutine}"))
    return found


def test_a_task_that_was_thrown_away_gives_its_place_to_the_next(tmp_path: Path) -> None:
    traced = run(
        """
async def waits():
    await asyncio.get_running_loop().create_future()
async def main():
    import gc
    for _ in range(20):
        asyncio.create_task(waits())
        await asyncio.sleep(0)
        gc.collect()
sys.stderr = open(os.devnull, "w")
asyncio.run(main())
""",
        tmp_path,
    )

    outcomes = [unit["outcome"] for unit in tasks(traced) if (unit["coroutine"] or "").endswith(":waits")]
    assert outcomes == 20 * ["dropped"]


def test_tasks_that_the_program_leaves_behind_have_not_ended(tmp_path: Path) -> None:
    traced = run(
        """
async def waits():
    await asyncio.Event().wait()
async def main():
    left = asyncio.create_task(waits(), name="left")
    await asyncio.sleep(0.02)
    os._exit(3)
asyncio.run(main())
""",
        tmp_path,
    )

    left, main = task(traced, "left"), task(traced, "Task-1")
    assert traced.status == 3
    assert left["outcome"] is None
    assert left["states"]["waiting"]["event"] >= 0.02
    assert [frame.rsplit(":", 1)[1] for frame in left["stack"]] == ["Event.wait", "waits"]
    (wait,) = (wait for wait in traced.report["waits"] if wait["unit"] == left["id"])
    assert (wait["reason"], wait["end_s"], wait["stack"]) == ("event", None, left["stack"])
    assert main["outcome"] is None


def test_a_program_that_is_killed_leaves_its_tasks_as_they_were(tmp_path: Path) -> None:
    traced = run(
        """
async def main():
    waits = asyncio.create_task(asyncio.Event().wait(), name="waits")
    await asyncio.sleep(0.02)
    os.kill(os.getpid(), 9)
asyncio.run(main())
""",
        tmp_path,
    )

    assert traced.status == -9
    assert task(traced, "waits")["states"]["waiting"]["event"] >= 0.02


def test_a_forked_child_has_its_own_tasks(tmp_path: Path) -> None:
    traced = run(
        """
async def work():
    await asyncio.sleep(0.01)
asyncio.run(work())
pid = os.fork()
asyncio.run(work())
if pid:
    os.waitpid(pid, 0)
""",
        tmp_path,
    )

    parent, child = traced.processes()
    mine = [
        [u for u in tasks(traced) if u["process"] == p["id"] and "work" in u["coroutine"]]
        for p in (parent, child)
    ]
    assert [len(units) for units in mine] == [2, 1]
    assert all(unit["outcome"] == "done" for units in mine for unit in units)


def test_a_keyboard_interrupt_goes_through_a_step(tmp_path: Path) -> None:
    traced = run(
        """
async def main():
    raise KeyboardInterrupt
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("went through")
""",
        tmp_path,
    )

    assert traced.stdout == "went through\n"
    assert task(traced, "Task-1")["outcome"] == "failed" if tasks(traced)[0]["name"] == "Task-1" else True


def test_more_tasks_than_are_told_apart_are_counted_by_coroutine(tmp_path: Path) -> None:
    traced = run(
        """
async def tiny():
    await asyncio.sleep(0)
async def main():
    for _ in range(20):
        await asyncio.gather(*(tiny() for _ in range(1000)))
asyncio.run(main())
""",
        tmp_path,
    )

    (row,) = (row for row in traced.report["coroutines"] if row["name"] == "tiny")
    assert (row["tasks"], row["alive"], row["steps"]) == (20000, 0, 40000)
    assert len(tasks(traced)) == 16384


def test_the_program_sees_asyncio_as_it_is(tmp_path: Path) -> None:
    source = """
import inspect, json
from asyncio import base_events, events, tasks
print(json.dumps([
    type(base_events.BaseEventLoop.call_soon).__name__,
    inspect.getsource(base_events.BaseEventLoop.call_soon)[:19],
    type(events.Handle._run).__name__,
    [type(finder).__name__ for finder in sys.meta_path],
    repr(asyncio.Task.done),
]))
"""
    import subprocess

    plain = subprocess.run(
        [sys.executable, "-c", "import asyncio, sys\n" + source], capture_output=True, text=True, check=True
    )
    traced = run(source, tmp_path)

    assert traced.stdout == plain.stdout
    assert asyncio.Task.done is not None


def test_a_program_without_asyncio_does_not_get_it(tmp_path: Path) -> None:
    traced = run("print('asyncio' in sys.modules)".replace("asyncio,", ""), tmp_path)

    assert traced.status == 0
    plain = trace("import sys, json\nprint('asyncio' in sys.modules)\n", tmp_path=tmp_path / "plain")
    assert plain.stdout == "False\n"
    assert "coroutines" in plain.report
    assert plain.report["coroutines"] == []


@pytest.mark.skipif(find_spec("uvloop") is None, reason="not for an installation without uvloop")
def test_tasks_of_uvloop_are_seen_as_those_of_asyncio_s_own_loop(tmp_path: Path) -> None:
    source = """
import uvloop
async def child():
    await asyncio.sleep(0.02)
    time.sleep(0.02)
async def main():
    await asyncio.gather(child(), child())
uvloop.run(main())
"""
    traced = run(source, tmp_path)

    children = [unit for unit in tasks(traced) if (unit["coroutine"] or "").endswith(":child")]
    assert len(children) == 2
    for unit in children:
        assert unit["steps"] == 2
        assert unit["states"]["waiting"]["sleep"] >= 0.039
        assert not unit["seen_late"]
    assert max(unit["states"]["ready"]["loop"] for unit in children) >= 0.02
