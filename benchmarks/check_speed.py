"""Schedules per second of one tool on one of three programs in which nothing can go wrong. For `check.py`.

    python benchmarks/check_speed.py PROGRAM TOOL SCHEDULES

The programs are written for each tool as its documentation has it. What a tool does once in a process is done in a
first search of 20 schedules, which is not measured.
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import check_corpus  # noqa: F401 # finds headway

WARM = 20
GRANULARITIES = ("sync", "access", "line", "opcode")


class Counter:
    """Two threads increment it five times each, under its lock."""

    def __init__(self) -> None:
        self.value = 0
        self.lock = threading.Lock()

    def increment(self) -> None:
        for _ in range(5):
            with self.lock:
                self.value += 1

    def holds(self) -> bool:
        return self.value == 10

    def workers(self) -> list[Callable[[], None]]:
        return [self.increment, self.increment]


class Buffer:
    """One thread puts three items into a place for one, another takes them."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.taken: list[int] = []
        self.changed = threading.Condition()

    def put(self) -> None:
        for item in range(3):
            with self.changed:
                while self.items:
                    self.changed.wait()
                self.items.append(item)
                self.changed.notify_all()

    def take(self) -> None:
        for _ in range(3):
            with self.changed:
                while not self.items:
                    self.changed.wait()
                self.taken.append(self.items.pop())
                self.changed.notify_all()

    def holds(self) -> bool:
        return self.taken == [0, 1, 2]

    def workers(self) -> list[Callable[[], None]]:
        return [self.put, self.take]


class Tasks:
    """Two tasks read, give way, and write, five times each, under a lock."""

    def __init__(self) -> None:
        self.value = 0
        self.lock = asyncio.Lock()

    async def increment(self) -> None:
        for _ in range(5):
            async with self.lock:
                value = self.value
                await asyncio.sleep(0)
                self.value = value + 1

    def holds(self) -> bool:
        return self.value == 10


def scenario(state: Callable[[], Counter] | Callable[[], Buffer]) -> None:
    made = state()
    threads = [threading.Thread(target=worker) for worker in made.workers()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made.holds()


def counter() -> None:
    scenario(Counter)


def buffer() -> None:
    scenario(Buffer)


async def tasks() -> None:
    made = Tasks()
    await asyncio.gather(made.increment(), made.increment())
    assert made.holds()


SCENARIOS: dict[str, Callable[[], Any]] = {"counter": counter, "buffer": buffer, "tasks": tasks}


def headway(name: str, schedules: int, carrier: str, granularity: str) -> int:
    from headway import explore

    options: dict[str, Any] = {"carrier": carrier, "granularity": granularity}
    return explore(SCENARIOS[name], schedules=schedules, seconds=None, **options).schedules


def interleave(name: str, schedules: int, granularity: str) -> int:
    import interleave_test

    result = interleave_test.explore(SCENARIOS[name], iterations=schedules, seed=1, granularity=granularity)
    return int(result.schedules_run)


def frontrun(name: str, schedules: int, strategy: str) -> int:
    import frontrun as peer

    options: dict[str, Any] = {"max_attempts": schedules, "seed": 1}
    if strategy == "dpor":
        options = {"max_executions": schedules}
    if name == "tasks":

        async def run() -> Any:
            return await peer.explore(
                setup=Tasks,
                workers=Tasks.increment,
                count=2,
                invariant=Tasks.holds,
                strategy=strategy,
                **options,
            )

        return int(asyncio.run(run()).num_explored)
    state: Any = Counter if name == "counter" else Buffer
    workers = [Counter.increment, Counter.increment] if name == "counter" else [Buffer.put, Buffer.take]
    result = peer.explore(
        setup=state,
        workers=workers,
        invariant=state.holds,
        strategy=strategy,
        detect_io=False,
        reproduce_on_failure=0,
        clock="virtual",
        **options,
    )
    return int(result.num_explored)


def detangle(name: str, schedules: int) -> int:
    import detangle as peer

    return int(peer.explore(SCENARIOS[name], runs=schedules, seed=1, database=False).runs)


TOOLS: dict[str, Callable[[str, int], int]] = {
    **{
        f"headway {carrier} {granularity}": partial(headway, carrier=carrier, granularity=granularity)
        for carrier in ("threads", "greenlets")
        for granularity in GRANULARITIES
        if (carrier, granularity) != ("greenlets", "opcode")
    },
    "interleave-test line": partial(interleave, granularity="line"),
    "interleave-test opcode": partial(interleave, granularity="opcode"),
    "frontrun DPOR": partial(frontrun, strategy="dpor"),
    "frontrun random": partial(frontrun, strategy="random"),
    "detangle": detangle,
}

CANNOT = {
    ("detangle", "counter"): "asyncio only",
    ("detangle", "buffer"): "asyncio only",
    ("interleave-test line", "tasks"): "threads only",
    ("interleave-test opcode", "tasks"): "threads only",
}

GOALS = {
    ("headway greenlets access", "counter"): 10_000,
    ("headway threads access", "counter"): 1_500,
    ("headway threads access", "tasks"): 5_000,
}


def main() -> None:
    os.environ.setdefault("FRONTRUN_ACTIVE", "1")  # as its command line does; there is no I/O to watch here
    name, tool, schedules = sys.argv[1:]
    run = TOOLS[tool]
    run(name, min(WARM, int(schedules)))
    began = time.perf_counter()
    done = run(name, int(schedules))
    print(json.dumps({"schedules": done, "seconds": time.perf_counter() - began}), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
