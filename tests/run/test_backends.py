"""The rules of the contract (headway/run/backends/contract.py), kept over all backends.

A call is written once, as a generator that yields where it waits; each backend runs it in its own way. All calls
are closures, so they go by value to where this module cannot be imported, and they meet in files.
"""

from __future__ import annotations

import contextvars
import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from headway.errors import CannotSend, InitializerFailed, TimedOut, WorkerDied
from headway.run.backends.contract import Backend, Setup
from headway.run.backends.open import open_backend
from headway.run.batch import Batch, Portion

cloudpickle.register_pickle_by_value(sys.modules[__name__])

Steps = Callable[..., Generator[None, None, Any]]

LOCAL = ["serial", "threads", "asyncio", "greenlets", "executor of threads"]
CLUSTERS = ["dask", "ray"]
ALL = [*LOCAL, "processes", "interpreters", "executor of processes", *CLUSTERS]
STOPPABLE = ["asyncio", "greenlets", "processes", "ray"]
APART = [name for name in ALL if name not in LOCAL]
CONCURRENT = [name for name in ALL if name != "serial"]


def in_turn(steps: Steps) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        walk = steps(*args, **kwargs)
        while True:
            try:
                next(walk)
            except StopIteration as stop:
                return stop.value
            time.sleep(0.002)

    return call


def in_task(steps: Steps) -> Callable[..., Any]:
    async def call(*args: Any, **kwargs: Any) -> Any:
        import asyncio

        walk = steps(*args, **kwargs)
        while True:
            try:
                next(walk)
            except StopIteration as stop:
                return stop.value
            await asyncio.sleep(0.002)

    return call


def in_greenlet(steps: Steps) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        sleep = importlib.import_module("gevent").sleep
        walk = steps(*args, **kwargs)
        while True:
            try:
                next(walk)
            except StopIteration as stop:
                return stop.value
            sleep(0.002)

    return call


class Outcomes:
    """What came back, of any number of batches, by the batch and the place in it."""

    def __init__(self) -> None:
        self.values: dict[tuple[Batch, int], Any] = {}
        self.errors: dict[tuple[Batch, int], BaseException] = {}
        self.portions: list[Portion] = []
        self.twice = 0
        self._changed = threading.Condition()

    def sink(self, portion: Portion) -> None:
        with self._changed:
            self.portions.append(portion)
            for place, value in enumerate(portion.values):
                key = (portion.batch, portion.first + place)
                self.twice += key in self.values or key in self.errors
                if place in portion.errors:
                    self.errors[key] = portion.errors[place]
                else:
                    self.values[key] = value
            self._changed.notify_all()

    def wait(self, count: int) -> None:
        with self._changed:
            # Below pytest's limit, which would end the run.
            came = self._changed.wait_for(lambda: len(self.values) + len(self.errors) >= count, timeout=40)
        assert came, f"{len(self.values)} values and {len(self.errors)} errors came, not {count} in all"

    def of(self, batch: Batch) -> list[Any]:
        """The values of a batch in order; what failed is there as its error."""
        keys = [(batch, place) for place in range(len(batch))]
        return [self.errors[key] if key in self.errors else self.values[key] for key in keys]


class Bench:
    """A way to open backends of one kind, and to submit to them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.outcomes = Outcomes()
        self._open: list[Backend] = []
        self._executors: list[Any] = []

    def open(self, workers: int = 2, setup: Setup = Setup()) -> Backend:
        on: Any = self.name
        if self.name == "executor of threads":
            on = ThreadPoolExecutor(8)
        elif self.name == "executor of processes":
            on = ProcessPoolExecutor(max(workers, 2), mp_context=get_context("spawn"))
        if not isinstance(on, str):
            self._executors.append(on)
        backend = open_backend(on, workers, setup)
        self._open.append(backend)
        return backend

    def batch(self, steps: Steps, items: list[Any], **options: Any) -> Batch:
        way = {"asyncio": in_task, "greenlets": in_greenlet}.get(self.name, in_turn)
        return Batch(way(steps), items, self.outcomes.sink, **options)

    def close(self) -> None:
        for backend in self._open:
            backend.close(abort=True)
        for executor in self._executors:
            executor.shutdown()


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    name = request.param
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if name == "interpreters" and sys.version_info < (3, 14):
        pytest.skip(f"not for Python {version}: it has no concurrent.interpreters")
    if name in CLUSTERS and version != "3.11":
        pytest.skip(f"not for Python {version}: clusters are slow to start, and are tested on 3.11")
    for kind, package in (("greenlets", "gevent"), ("dask", "distributed"), ("ray", "ray")):
        if name == kind:
            pytest.importorskip(package)
    made = Bench(name)
    yield made
    made.close()
    assert not made.outcomes.twice


def over(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bench", names, indirect=True, ids=lambda name: name.replace(" ", "_"))


def square(x: int) -> Generator[None, None, int]:
    yield
    return x * x


@over(ALL)
def test_every_call_is_made_once_and_delivered_once(bench: Bench, tmp_path: Path) -> None:
    def call(x: int) -> Generator[None, None, int]:
        with open(tmp_path / "made", "a") as file:
            file.write(f"{x}\n")
        yield
        return x * x

    backend = bench.open()
    batches = [
        bench.batch(call, list(range(first, first + size))) for first, size in ((0, 1), (10, 7), (20, 2))
    ]
    for batch in batches:
        backend.submit(batch)
    bench.outcomes.wait(10)
    assert [bench.outcomes.of(batch) for batch in batches] == [
        [x * x for x in batch.items] for batch in batches
    ]
    assert sorted(map(int, (tmp_path / "made").read_text().split())) == [0, *range(10, 17), 20, 21]


@over(ALL)
def test_a_batch_is_claimed_once_and_dropped_if_nobody_wants_it(bench: Bench, tmp_path: Path) -> None:
    def call(name: str) -> Generator[None, None, str]:
        (tmp_path / name).touch()
        yield
        return name

    claims: list[str] = []
    backend = bench.open()
    unwanted = bench.batch(call, ["a", "b"], claim=lambda: bool(claims.append("unwanted")))  # type: ignore[func-returns-value]
    wanted = bench.batch(call, ["c", "d"], claim=lambda: not claims.append("wanted"))  # type: ignore[func-returns-value]
    backend.submit(unwanted)
    backend.submit(wanted)
    backend.close()
    assert claims == ["unwanted", "wanted"]
    assert {path.name for path in tmp_path.iterdir()} == {"c", "d"}
    assert {portion.batch for portion in bench.outcomes.portions} == {wanted}


@over(ALL)
def test_arguments_come_starred_and_by_keyword(bench: Bench) -> None:
    def call(a: int, b: int, c: int = 0) -> Generator[None, None, tuple[int, int, int]]:
        yield
        return a, b, c

    backend = bench.open()
    batch = bench.batch(call, [(1, 2), (3, 4)], star=True, kwargs={"c": 5})
    backend.submit(batch)
    bench.outcomes.wait(2)
    assert bench.outcomes.of(batch) == [(1, 2, 5), (3, 4, 5)]


@over(ALL)
def test_what_a_call_raises_keeps_its_type_and_is_its_own(bench: Bench) -> None:
    class Own(Exception):
        def __init__(self, left: int, right: int) -> None:
            super().__init__(f"{left}/{right}")

    def call(x: int) -> Generator[None, None, int]:
        yield
        if x == 1:
            raise KeyError("one")
        if x == 2:
            raise SystemExit(3)
        if x == 3:
            raise Own(1, 2)
        return x

    backend = bench.open()
    batch = bench.batch(call, [0, 1, 2, 3, 4])
    backend.submit(batch)
    bench.outcomes.wait(5)
    first, key, leave, own, last = bench.outcomes.of(batch)
    assert (first, last) == (0, 4)
    assert isinstance(key, KeyError)
    assert key.args == ("one",)
    assert isinstance(leave, SystemExit)
    assert leave.code == 3
    assert isinstance(own, Exception)
    assert "1/2" in str(own)


@over(ALL)
def test_a_portion_says_when_its_calls_ran_and_where(bench: Bench) -> None:
    backend = bench.open()
    before = time.monotonic_ns()
    backend.submit(bench.batch(square, [1, 2]))
    bench.outcomes.wait(2)
    for portion in bench.outcomes.portions:
        spent = portion.spent
        assert before <= spent.sent_ns <= spent.started_ns <= spent.ended_ns <= time.monotonic_ns()
        assert spent.worker


@over(ALL)
def test_no_more_calls_run_than_there_are_workers(bench: Bench, tmp_path: Path) -> None:
    def call(name: int) -> Generator[None, None, int]:
        (tmp_path / str(name)).touch()
        seen = 0
        for _ in range(10):
            seen = max(seen, len(os.listdir(tmp_path)))
            yield
        (tmp_path / str(name)).unlink()
        return seen

    backend = bench.open(workers=2)
    batches = [bench.batch(call, [2 * number, 2 * number + 1]) for number in range(4)]
    for batch in batches:
        backend.submit(batch)
    bench.outcomes.wait(8)
    assert max(seen for batch in batches for seen in bench.outcomes.of(batch)) <= backend.workers


@over(ALL)
def test_batches_start_in_the_order_they_came(bench: Bench, tmp_path: Path) -> None:
    def call(x: int) -> Generator[None, None, None]:
        with open(tmp_path / "began", "a") as file:
            file.write(f"{x}\n")
        yield

    backend = bench.open(workers=1)
    for x in range(0, 10, 2):
        backend.submit(bench.batch(call, [x, x + 1]))
    bench.outcomes.wait(10)
    assert list(map(int, (tmp_path / "began").read_text().split())) == list(range(10))


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


def endless(path: Path) -> Generator[None, None, None]:
    path.touch()
    while True:
        yield


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


@over(ALL)
def test_batches_may_come_from_many_threads(bench: Bench) -> None:
    backend = bench.open(workers=3)
    batches = [bench.batch(square, [number, number + 1]) for number in range(24)]
    together = threading.Barrier(6)

    def submit(some: list[Batch]) -> None:
        together.wait()
        for batch in some:
            backend.submit(batch)

    threads = [threading.Thread(target=submit, args=(batches[number::6],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bench.outcomes.wait(48)
    assert [bench.outcomes.of(batch) for batch in batches] == [[x * x, (x + 1) ** 2] for x in range(24)]


@over(CONCURRENT)
@pytest.mark.parametrize("sizes", [[1, 1, 1], [3], [1, 2]], ids=["apart", "together", "both"])
def test_calls_may_wait_for_one_another(bench: Bench, sizes: list[int], tmp_path: Path) -> None:
    def meet(name: int) -> Generator[None, None, int]:
        (tmp_path / str(name)).touch()
        while len(os.listdir(tmp_path)) < 3:
            yield
        return name

    backend = bench.open(workers=3)
    names = iter(range(3))
    for size in sizes:
        backend.submit(bench.batch(meet, [next(names) for _ in range(size)]))
    bench.outcomes.wait(3)
    assert sorted(bench.outcomes.values.values()) == [0, 1, 2]


@over(CONCURRENT)
def test_more_workers_are_used_from_now_on(bench: Bench, tmp_path: Path) -> None:
    def meet(name: int) -> Generator[None, None, int]:
        (tmp_path / str(name)).touch()
        while len(os.listdir(tmp_path)) < 2:
            yield
        return name

    backend = bench.open(workers=1)
    for name in range(2):
        backend.submit(bench.batch(meet, [name]))
    backend.resize(2)
    bench.outcomes.wait(2)
    assert sorted(bench.outcomes.values.values()) == [0, 1]


@over(CONCURRENT)
def test_the_initializer_runs_before_the_first_call(bench: Bench, tmp_path: Path) -> None:
    def initialize(name: str) -> None:
        (tmp_path / name).touch()

    def call(_: int) -> Generator[None, None, bool]:
        yield
        return (tmp_path / "initialized").exists()

    backend = bench.open(setup=Setup(initializer=initialize, initargs=("initialized",)))
    batch = bench.batch(call, [1, 2, 3])
    backend.submit(batch)
    bench.outcomes.wait(3)
    assert bench.outcomes.of(batch) == [True, True, True]


@over(CONCURRENT)
def test_where_the_initializer_raises_no_call_runs(bench: Bench, tmp_path: Path) -> None:
    def initialize() -> None:
        raise LookupError("no licence")

    backend = bench.open(setup=Setup(initializer=initialize))
    batch = bench.batch(endless, [tmp_path / "began"] * 2)
    backend.submit(batch)
    bench.outcomes.wait(2)
    for error in bench.outcomes.of(batch):
        assert isinstance(error, InitializerFailed)
        assert "no licence" in str(error)
    assert not (tmp_path / "began").exists()


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


@over([name for name in LOCAL if name != "serial"])
def test_calls_see_the_context_of_who_submitted_them_and_leave_it_alone(bench: Bench) -> None:
    def call(_: int) -> Generator[None, None, str]:
        yield
        return VARIABLE.get()

    def change(_: int) -> Generator[None, None, None]:
        VARIABLE.set("changed")
        yield

    backend = bench.open(workers=1)
    token = VARIABLE.set("mine")
    try:
        changes, batch = bench.batch(change, [1]), bench.batch(call, [1])
        backend.submit(changes)
        backend.submit(batch)
    finally:
        VARIABLE.reset(token)
    bench.outcomes.wait(2)
    assert bench.outcomes.of(batch) == ["mine"]


@over(APART)
def test_what_cannot_be_sent_fails_its_own_call_only(bench: Bench) -> None:
    def call(x: Any) -> Generator[None, None, Any]:
        yield
        return threading.Lock() if x == 2 else x

    backend = bench.open()
    batch = bench.batch(call, [1, threading.Lock(), 2, 3])
    backend.submit(batch)
    bench.outcomes.wait(4)
    first, argument, result, last = bench.outcomes.of(batch)
    assert (first, last) == (1, 3)
    assert isinstance(argument, CannotSend)
    assert isinstance(result, CannotSend)


@over(APART)
def test_a_function_that_cannot_be_sent_is_an_outcome(bench: Bench) -> None:
    lock = threading.Lock()

    def call(x: int) -> Generator[None, None, int]:
        yield
        with lock:
            return x

    backend = bench.open()
    batch = bench.batch(call, [1, 2])
    backend.submit(batch)
    bench.outcomes.wait(2)
    assert all(isinstance(error, CannotSend) for error in bench.outcomes.of(batch))


@over([name for name in APART if name != "interpreters"])
def test_a_worker_that_dies_is_the_outcome_of_its_call(bench: Bench) -> None:
    def call(x: int) -> Generator[None, None, int]:
        yield
        if x == 1:
            os._exit(7)
        return x

    backend = bench.open()
    deadly = bench.batch(call, [1])
    backend.submit(deadly)
    bench.outcomes.wait(1)
    assert isinstance(bench.outcomes.of(deadly)[0], WorkerDied)
    if bench.name == "executor of processes":  # which is broken, and says so for all that follows
        return
    after = bench.batch(call, [2, 3])
    backend.submit(after)
    bench.outcomes.wait(3)
    assert bench.outcomes.of(after) == [2, 3]


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
        backend.submit(Batch(fn, [x], lambda portion: print("came", portion.values[0], flush=True)))
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
