"""headway's own scope, Channel, Limit and map are explored as they are; at each access of their own code, too."""

import threading
from collections.abc import Callable

import pytest

import headway
from headway import ScheduleFailure, explore

INSIDE = [
    "headway.run.channel",
    "headway.run.limit",
    "headway.run.line",
    "headway.run.parking",
    "headway.run.flow",
]


def together(*parts: Callable[[], object]) -> None:
    threads = [threading.Thread(target=part) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def channel_hands_over() -> None:
    channel: headway.Channel[int] = headway.Channel(1)
    got: list[int] = []

    def produce() -> None:
        for number in range(2):
            channel.send(number)
        channel.close()

    together(produce, lambda: got.extend(channel))
    assert got == [0, 1]


def channel_with_two_receivers() -> None:
    channel: headway.Channel[int] = headway.Channel(0)
    got: list[int] = []

    def produce() -> None:
        with channel:
            channel.send(1)
            channel.send(2)

    together(produce, lambda: got.extend(channel), lambda: got.extend(channel))
    assert sorted(got) == [1, 2]


def limit_lets_one_in() -> None:
    limit = headway.Limit(1)
    inside: list[int] = []

    def enter() -> None:
        with limit:
            inside.append(1)
            assert len(inside) == 1
            inside.pop()

    together(enter, enter, enter)


def scope_waits_for_all() -> None:
    done: list[int] = []
    with headway.scope(on="threads") as scope:
        for number in range(2):
            scope.start(done.append, number)
    assert sorted(done) == [0, 1]


def map_gives_all_in_order() -> None:
    assert list(headway.map(abs, [-1, -2, -3], on="threads", workers=2)) == [1, 2, 3]


SCENARIOS = [
    channel_hands_over,
    channel_with_two_receivers,
    limit_lets_one_in,
    scope_waits_for_all,
    map_gives_all_in_order,
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_our_own_primitives_hold_at_sync(scenario: Callable[[], None]) -> None:
    assert explore(scenario, granularity="sync", schedules=200).schedules


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_our_own_primitives_hold_at_each_access_of_theirs(scenario: Callable[[], None]) -> None:
    assert explore(scenario, schedules=150, also=INSIDE).schedules


def test_a_deadlock_of_two_channels_is_found() -> None:
    def scenario() -> None:
        first: headway.Channel[int] = headway.Channel(0)
        second: headway.Channel[int] = headway.Channel(0)

        def one() -> None:
            first.send(1)
            second.receive()

        def other() -> None:
            second.send(1)
            first.receive()

        together(one, other)

    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario, granularity="sync")
    assert caught.value.kind in {"deadlock", "lost-wakeup"}
