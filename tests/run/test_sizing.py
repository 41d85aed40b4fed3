"""Batches are as large as makes sending cheap, and no larger."""

from __future__ import annotations

from headway.run.batch import Batch, Portion, Spent
from headway.run.sizing import Sizer

MS = 1_000_000
BATCH = Batch(abs, [], lambda _: None)


def ran(count: int, call_ns: int) -> Portion:
    return Portion(BATCH, 0, [None] * count, {}, Spent(1, 1, 1 + count * call_ns, 0, "w"))


def settled(call_ns: int, rounds: int = 20) -> Sizer:
    sizer = Sizer(4 * MS)
    for _ in range(rounds):
        sizer.learn(ran(sizer.size(None, 2), call_ns))
    return sizer


def test_the_first_calls_go_alone() -> None:
    assert Sizer(4 * MS).size(None, 2) == 1


def test_slow_calls_stay_alone() -> None:
    assert settled(10 * MS).size(None, 2) == 1


def test_a_batch_of_short_calls_runs_as_long_as_it_should() -> None:
    assert 3500 <= settled(1000).size(None, 2) <= 4000


def test_a_batch_grows_only_eightfold_over_what_was_measured() -> None:
    sizer = Sizer(4 * MS)
    sizer.learn(ran(1, 100))
    assert sizer.size(None, 2) == 8


def test_one_slow_call_among_short_ones_shrinks_the_next_batch_at_once() -> None:
    sizer = settled(1000)
    sizer.learn(ran(1, 1000 * MS))
    assert sizer.size(None, 2) <= 16


def test_arguments_that_take_long_to_send_make_batches_small() -> None:
    sizer = settled(1000)
    for _ in range(10):
        sizer.sent(10, 10 * MS)
    assert sizer.size(None, 2) == 4


def test_towards_the_end_batches_get_smaller_but_not_tiny() -> None:
    sizer = settled(1000)
    assert sizer.size(4000, 2) == 1000
    assert 400 <= sizer.size(10, 2) <= 500


def test_a_backend_for_single_calls_gets_single_calls() -> None:
    sizer = Sizer(0)
    sizer.learn(ran(1, 10))
    assert sizer.size(None, 2) == 1
