"""An input that is read by a thread of its own."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import pytest

from headway.run.feed import Feed
from headway.run.options import StageOptions
from headway.run.reading import Plan
from headway.run.results import Results


def results_of(items: Iterator[int], ahead: int = 1024) -> Results[int]:
    options = StageOptions(on="threads", workers=2)
    stage = [options.stage(abs, star=False, loop=None, inline=False)]
    return Results(Plan(Feed(items, ahead), None, lambda loop: stage))


def test_a_result_does_not_wait_for_the_next_item() -> None:
    lines: queue.SimpleQueue[int | None] = queue.SimpleQueue()
    with results_of(iter(lines.get, None)) as results:
        for number in range(5):
            lines.put(-number)
            assert next(results) == number
        lines.put(None)
        assert list(results) == []


def test_an_input_is_read_only_so_far_ahead() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10_000):
            taken.append(number)
            yield number

    with results_of(numbers(), ahead=10) as results:
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        assert len(taken) < 200
        assert list(results) == list(range(3, 10_000))


def test_an_input_that_raises_gives_its_results_first() -> None:
    def numbers() -> Iterator[int]:
        yield -1
        raise OSError("input ended badly")

    results = results_of(numbers())
    assert next(results) == 1
    with pytest.raises(OSError, match="ended badly"):
        next(results)
