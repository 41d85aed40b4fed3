"""The rules of the contract (headway/run/backends/contract.py), kept over all backends: calls and what they give.

How backends end and stop calls is in test_backends_ends.py, what workers are in test_backends_workers.py.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest

from backend_bench import ALL, CONCURRENT, Bench, meeting, over, square
from headway.run.batch import Batch


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
    backend = bench.open(workers=3)
    meet, names = meeting(tmp_path, 3), iter(range(3))
    for size in sizes:
        backend.submit(bench.batch(meet, [next(names) for _ in range(size)]))
    bench.outcomes.wait(3)
    assert sorted(bench.outcomes.values.values()) == [0, 1, 2]


@over(CONCURRENT)
def test_more_workers_are_used_from_now_on(bench: Bench, tmp_path: Path) -> None:
    backend, meet = bench.open(workers=1), meeting(tmp_path, 2)
    for name in range(2):
        backend.submit(bench.batch(meet, [name]))
    backend.resize(2)
    bench.outcomes.wait(2)
    assert sorted(bench.outcomes.values.values()) == [0, 1]
