"""The rules of the contract about ends: of a backend, of a call, and of the program."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Generator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from backend_bench import ALL, CONCURRENT, STOPPABLE, Bench, endless, over, square
from headway.errors import TimedOut
from headway.run.backends.contract import Backend
from headway.run.backends.threads import Threads
from headway.run.batch import Batch, Portion


@over(ALL)
def test_a_closed_backend_takes_nothing(bench: Bench) -> None:
    backend = bench.open()
    backend.close()
    with pytest.raises(RuntimeError):
        backend.submit(bench.batch(square, [1]))
    backend.close()
    assert not bench.outcomes.portions


@over(ALL)
def test_closing_waits_until_all_is_delivered(bench: Bench) -> None:
    backend = bench.open()
    batches = [bench.batch(square, [x, x + 1]) for x in range(5)]
    for batch in batches:
        backend.submit(batch)
    backend.close()
    assert [bench.outcomes.of(batch) for batch in batches] == [[x * x, (x + 1) ** 2] for x in range(5)]


@over(CONCURRENT)
def test_aborting_delivers_what_was_not_begun_as_cancelled(bench: Bench, tmp_path: Path) -> None:
    def call(x: int) -> Generator[None, None, int]:
        (tmp_path / f"began {x}").touch()
        while not (tmp_path / "go").exists():
            yield
        return x

    backend = bench.open(workers=1)
    batches = [bench.batch(call, [x]) for x in range(4)]
    for batch in batches:
        backend.submit(batch)
    while not (tmp_path / "began 0").exists():
        time.sleep(0.002)
    backend.close(abort=True, wait=False)
    (tmp_path / "go").touch()
    bench.outcomes.wait(4)
    first, *others = [bench.outcomes.of(batch)[0] for batch in batches]
    assert isinstance(first, CancelledError) if backend.stops else first == 0
    assert all(isinstance(other, CancelledError) for other in others)
    assert {path.name for path in tmp_path.iterdir()} == {"began 0", "go"}


def begin(bench: Bench, backend: Backend, path: Path, **options: Any) -> Batch:
    batch = bench.batch(endless, [path], **options)
    backend.submit(batch)
    while not path.exists():
        time.sleep(0.002)
    return batch


@over(STOPPABLE)
def test_aborting_stops_what_runs(bench: Bench, tmp_path: Path) -> None:
    backend = bench.open()
    batch = begin(bench, backend, tmp_path / "began")
    backend.close(abort=True)
    assert isinstance(bench.outcomes.of(batch)[0], CancelledError)


@over(STOPPABLE)
def test_a_call_over_time_is_stopped_and_others_are_not(bench: Bench, tmp_path: Path) -> None:
    backend = bench.open()
    late = bench.batch(endless, [tmp_path / "began"], timeout_s=0.2)
    backend.submit(late)
    bench.outcomes.wait(1)
    in_time = bench.batch(square, [1, 2, 3], timeout_s=30)
    backend.submit(in_time)
    bench.outcomes.wait(4)
    assert isinstance(bench.outcomes.of(late)[0], TimedOut)
    assert bench.outcomes.of(in_time) == [1, 4, 9]


@over(STOPPABLE)
def test_a_stopped_batch_gets_the_error_and_its_worker_serves_others(bench: Bench, tmp_path: Path) -> None:
    assert bench.open().stops
    backend = bench.open(workers=1)
    runs = begin(bench, backend, tmp_path / "began")
    waits, after = bench.batch(square, [1, 2]), bench.batch(square, [3])
    backend.submit(waits)
    backend.submit(after)
    assert backend.stop(waits, KeyError("not wanted"))
    assert backend.stop(runs, KeyError("not wanted"))
    bench.outcomes.wait(4)
    assert all(isinstance(error, KeyError) for error in bench.outcomes.of(runs) + bench.outcomes.of(waits))
    assert bench.outcomes.of(after) == [9]


@over([name for name in ALL if name not in STOPPABLE])
def test_a_backend_that_cannot_stop_calls_says_so_and_goes_on(bench: Bench) -> None:
    backend = bench.open()
    batch = bench.batch(square, [1, 2, 3])
    backend.submit(batch)
    assert not backend.stops
    assert not backend.stop(batch, KeyError("not wanted"))
    bench.outcomes.wait(3)
    assert bench.outcomes.of(batch) == [1, 4, 9]


LEAVES = """
import asyncio, sys, time
from headway.run.backends.open import open_backend
from headway.run.batch import Batch

def call(x):
    time.sleep(0.01)
    return x

async def task(x):
    await asyncio.sleep(0.01)
    return x

if __name__ == "__main__":
    backend = open_backend(sys.argv[1], 2)
    fn = task if sys.argv[1] == "asyncio" else call
    for x in range(4):
        backend.submit(Batch(fn, [x], lambda portion: print(f"came {portion.values[0]}\\n", end="", flush=True)))
"""


# Not executors: they are closed by whose they are.
@over([name for name in ALL if not name.startswith("executor")])
def test_a_program_that_ends_does_first_what_it_submitted(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(LEAVES)
    run = subprocess.run(
        [sys.executable, program, bench.name], capture_output=True, text=True, check=False, timeout=55
    )
    came = [line for line in run.stdout.splitlines() if line.startswith("came")]
    assert sorted(came) == [f"came {x}" for x in range(4)], run.stderr
    assert run.returncode == 0


def test_threads_that_begin_while_the_backend_is_closed_do_all_and_leave() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for number in range(300):
            backend, portions = Threads(1 + number % 9), list[Portion]()
            for call in range(number % 13):
                backend.submit(Batch(square, [(call,)], portions.append, star=True))
            if number % 3 == 0:
                backend.resize(1 + number % 11)
            backend.close()
            assert len(portions) == number % 13
    finally:
        sys.setswitchinterval(before)


@pytest.mark.parametrize("together", [True, False], ids=["one batch", "single calls"])
def test_calls_that_wait_for_one_another_meet_though_the_backend_is_closed(together: bool) -> None:
    for workers in range(2, 6):
        barrier = threading.Barrier(workers)
        backend, portions = Threads(workers), list[Portion]()
        calls = list(range(workers))
        for items in [calls] if together else [[call] for call in calls]:
            backend.submit(Batch(lambda _, meet=barrier.wait: meet(), items, portions.append))
        backend.close()
        assert sum(len(portion.values) for portion in portions) == workers
        assert not any(portion.errors for portion in portions)
