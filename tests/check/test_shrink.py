"""Shrinking: which deviations are left."""

from headway.check.shrink import beginning, shrink

Deviations = dict[tuple[int, int], int]


def test_the_beginning_of_a_schedule_is_four_times_as_long_as_needed_at_most() -> None:
    deviations = {(0, step): 1 for step in range(100, 0, -1)}
    tried = []

    def fails(some: Deviations) -> Deviations | None:
        tried.append(len(some))
        return some if (0, 93) in some else None  # the eighth

    assert beginning(deviations, fails) == dict(list(deviations.items())[:16])
    assert tried == [1, 4, 16]


def test_a_schedule_that_fails_by_its_last_deviation_stays_whole() -> None:
    deviations = {(0, step): 1 for step in range(10)}
    assert beginning(deviations, lambda some: some if (0, 9) in some else None) == deviations
    assert beginning({}, lambda some: some) == {}


def test_what_makes_no_difference_is_left_out() -> None:
    deviations = {(unit, step): 1 for unit in range(3) for step in range(20)}
    needed = {(0, 3), (1, 17), (2, 0)}
    assert shrink(deviations, lambda some: some if needed <= some.keys() else None).keys() == needed
