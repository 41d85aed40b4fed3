"""The detector finds exactly the variables that race in the whole order of an execution, and tells their classes."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from headway.check.races.classes import CAN_GO_WRONG, CHECK_THEN_ACT, CONTAINER, LOST_UPDATE, PUBLICATION
from headway.check.races.detector import Detector
from headway.check.site import STRUCTURE, Site
from headway.check.unit import Unit


class Thing:
    """An object with attributes."""


class Flag:
    passes = "last"


class Line:
    passes = "each"

    def __init__(self, free: int) -> None:
        self.free = free


def unit(number: int) -> Unit:
    return Unit(number, f"unit {number}", lambda: None)


def place(
    name: str = "x", *, line: int = 1, write: bool = False, augmented: bool = False, kind: str = "attribute"
) -> Site:
    text = f"if line {line}:"
    return Site("bank.py", line, "add", kind, name, text=text, write=write, augmented=augmented, index=line)


class Drive:
    """Plays an execution to a detector, each step done as soon as it is told."""

    def __init__(self) -> None:
        self.detector = Detector()
        self.units = [unit(number) for number in range(4)]

    def access(self, who: int, site: Site, owner: object, name: Any = "x", *, write: bool = False) -> None:
        self.detector.accessed(self.units[who], site, owner, name, write)
        self.detector.announced(self.units[who])

    def start_all(self) -> None:
        for each in self.units[1:]:
            self.detector.started(self.units[0], each)

    @property
    def kinds(self) -> set[str]:
        return {race.kind for race in self.detector.races.values()}


# The slow look.

SYNC = ("acquire", "release", "set", "clear", "wait", "put", "get", "start", "join", "elapse")
WHAT = ("read", "read", "write", "write", *SYNC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(WHAT),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from(["a", "b", STRUCTURE]),
    ),
    max_size=60,
)


@given(STEPS)
@settings(max_examples=400, deadline=None)
def test_the_same_variables_race_as_in_the_whole_order_of_the_execution(
    steps: list[tuple[str, int, int, str]],
) -> None:
    drive = Drive()
    detector, units = drive.detector, drive.units
    things = [Thing() for _ in range(3)]
    sites = {
        (thing, name): place(f"{thing}.{name}", kind="attribute")
        for thing in range(3)
        for name in ("a", "b", "*")
    }
    locks, flags, lines = (
        [object() for _ in range(3)],
        [Flag() for _ in range(3)],
        [Line(1) for _ in range(3)],
    )
    before: list[int] = []  # of each event, those before it, as bits
    last = [0] * 4  # of each unit
    done: list[tuple[int, int, str, bool]] = []  # unit, thing, name, write, by event
    started, ended = {0}, set[int]()
    holder: dict[int, int] = {}
    passed: dict[tuple[str, int], int] = {}
    is_set: set[int] = set()
    queues: list[list[int]] = [[0], [0], [0]]

    def event(who: int, also: int = 0) -> int:
        known = last[who] | also
        last[who] = known | 1 << len(before)
        before.append(known)
        done.append((-1, 0, "", False))
        return last[who]

    for what, who, which, name in steps:
        me = units[who]
        if who not in started or who in ended:
            continue
        if what in ("read", "write"):
            event(who)
            done[-1] = (who, which, name, what == "write")
            drive.access(who, sites[which, name], things[which], name, write=what == "write")
        elif what == "acquire" and which not in holder:
            holder[which] = who
            event(who, passed.get(("lock", which), 0))
            detector.acquired(me, locks[which])
        elif what == "release" and holder.get(which) == who:
            del holder[which]
            passed["lock", which] = passed.get(("lock", which), 0) | event(who)
            detector.released(me, locks[which])
        elif what == "set" and which not in is_set:
            is_set.add(which)
            passed["flag", which] = event(who)
            detector.released(me, flags[which])
        elif what == "clear":
            is_set.discard(which)
        elif what == "wait" and which in is_set:
            event(who, passed["flag", which])
            detector.acquired(me, flags[which])
        elif what == "put":
            detector.released(me, lines[which])
            queues[which].append(event(who))
            lines[which].free += 1
        elif what == "get" and queues[which]:
            detector.acquired(me, lines[which])
            event(who, queues[which].pop(0))
            lines[which].free -= 1
        elif what == "start" and which + 1 not in started:
            started.add(which + 1)
            last[which + 1] = event(who)
            detector.started(me, units[which + 1])
        elif what == "join" and which + 1 in started and which + 1 != who:
            if which + 1 not in ended:
                ended.add(which + 1)
                detector.ended(units[which + 1])
            event(who, last[which + 1])
            detector.joined(me, units[which + 1])
        elif what == "elapse":
            everything = last[0] | last[1] | last[2] | last[3]
            last[who] |= everything
            detector.elapsed([me])

    detector.finish()
    expected = set()
    for two, (who, thing, name, write) in enumerate(done):
        for one, (other, same, named, wrote) in enumerate(done[:two]):
            if -1 in (who, other) or who == other or thing != same or not (write or wrote):
                continue
            if (name == named or STRUCTURE in (name, named)) and not before[two] >> one & 1:
                expected.add(frozenset({sites[thing, name].name, sites[thing, named].name}))
    found = {
        frozenset({race.first.site.name, race.second.site.name})
        for race in detector.races.values()
        if race.kind not in CAN_GO_WRONG
    }
    assert found == expected


# What passes from whom to whom.


def test_a_lock_orders_what_it_protects() -> None:
    drive, thing, lock = Drive(), Thing(), object()
    drive.start_all()
    for who in (1, 2):
        drive.detector.acquired(drive.units[who], lock)
        drive.access(who, place(), thing)
        drive.access(who, place(write=True), thing, write=True)
        drive.detector.released(drive.units[who], lock)
    assert drive.kinds == set()


def test_one_who_waits_for_an_event_learns_nothing_from_a_unit_that_set_it_before_it_was_cleared() -> None:
    drive, thing, flag = Drive(), Thing(), Flag()
    drive.start_all()
    drive.access(1, place(write=True), thing, write=True)
    drive.detector.released(drive.units[1], flag)
    drive.detector.released(drive.units[2], flag)
    drive.detector.acquired(drive.units[3], flag)
    drive.access(3, place(), thing)
    assert drive.kinds == {PUBLICATION}


def test_a_permit_that_was_there_from_the_beginning_orders_nothing() -> None:
    drive, thing, permits = Drive(), Thing(), Line(2)
    drive.start_all()
    for who in (1, 2):
        drive.detector.acquired(drive.units[who], permits)
        drive.access(who, place(write=True), thing, write=True)
        drive.detector.released(drive.units[who], permits)
    assert drive.kinds == {PUBLICATION}


def test_a_single_permit_is_a_lock() -> None:
    drive, thing, permits = Drive(), Thing(), Line(1)
    drive.start_all()
    for who in (1, 2):
        drive.detector.acquired(drive.units[who], permits)
        drive.access(who, place(write=True), thing, write=True)
        drive.detector.released(drive.units[who], permits)
    assert drive.kinds == set()


def test_what_a_unit_has_announced_happens_when_it_goes_on() -> None:
    drive, thing = Drive(), Thing()
    drive.start_all()
    read, write = place(augmented=True), place(write=True, augmented=True)
    one, two = drive.units[1], drive.units[2]
    drive.access(1, read, thing)
    drive.detector.accessed(one, write, thing, "x", True)  # stays at its write
    drive.access(2, read, thing)
    drive.access(2, write, thing, write=True)
    drive.detector.announced(one)
    drive.detector.finish(two)
    (race,) = [race for race in drive.detector.races.values() if race.can_go_wrong]
    assert (race.kind, race.first.unit, race.second.unit) == (LOST_UPDATE, "unit 1", "unit 2")


# Classes.


def test_a_read_and_a_write_that_meet_are_harmless() -> None:
    drive, thing = Drive(), Thing()
    drive.start_all()
    drive.access(1, place(write=True), thing, write=True)
    drive.access(2, place(), thing)
    assert drive.kinds == {PUBLICATION}


def test_two_appends_are_harmless() -> None:
    drive, items = Drive(), [0]
    drive.start_all()
    for who in (1, 2):
        drive.access(who, place("append", kind="method", write=True), items, STRUCTURE, write=True)
    assert drive.kinds == {CONTAINER}


def test_sections_one_after_the_other_are_not_said_to_be_parted() -> None:
    drive, thing = Drive(), Thing()
    drive.start_all()
    for who in (1, 2):
        drive.access(who, place(augmented=True), thing)
        drive.access(who, place(write=True, augmented=True), thing, write=True)
    assert drive.kinds == {PUBLICATION}


def test_a_write_in_between_under_the_same_lock_is_no_race() -> None:
    drive, thing, lock = Drive(), Thing(), object()
    drive.start_all()
    for who, write, line in ((1, False, 1), (2, True, 2), (1, True, 3)):
        drive.detector.acquired(drive.units[who], lock)
        drive.access(who, place(line=line, write=write), thing, write=write)
        drive.detector.released(drive.units[who], lock)
    assert drive.kinds == set()


def test_a_new_item_under_another_key_parts_nothing() -> None:
    kinds = []
    for other in ("b", "a"):
        drive, items = Drive(), dict[str, int]()
        drive.start_all()
        test, add = place("", kind="membership"), place("", line=2, kind="item", write=True)
        one, two = drive.units[1], drive.units[2]
        drive.access(1, test, items, STRUCTURE)
        drive.access(2, test, items, STRUCTURE)
        drive.detector.accessed(two, add, items, STRUCTURE, True)
        items[other] = 2
        drive.detector.announced(two)
        drive.detector.accessed(one, add, items, STRUCTURE if other == "b" else "a", True)
        items["a"] = 1
        drive.detector.announced(one)
        kinds.append(CHECK_THEN_ACT in drive.kinds)
    assert kinds == [False, True]


def test_a_write_above_the_read_belongs_to_the_next_round() -> None:
    drive, thing = Drive(), Thing()
    drive.start_all()
    drive.access(1, place(line=5), thing)
    drive.access(2, place(line=2, write=True), thing, write=True)
    drive.access(1, place(line=2, write=True), thing, write=True)
    assert drive.kinds == {PUBLICATION}


# Identity.


def test_an_object_that_is_gone_does_not_race_with_one_in_its_place() -> None:
    drive = Drive()
    drive.start_all()
    identities = set()
    for turn in range(50):
        thing = Thing()
        identities.add(id(thing))
        drive.access(1 + turn % 2, place(write=True), thing, write=True)
        del thing
    assert len(identities) < 50
    assert drive.kinds == set()
    for turn in range(50):
        drive.access(1 + turn % 2, place("", kind="item", write=True), [turn], 0, write=True)
    assert drive.kinds == set()


def test_nothing_of_the_program_is_kept_when_the_execution_is_over() -> None:
    drive, thing = Drive(), Thing()
    drive.start_all()
    held = [thing]
    drive.access(1, place("", kind="item", write=True), held, 0, write=True)
    drive.access(2, place("", kind="item", write=True), held, 0, write=True)
    drive.detector.accessed(drive.units[3], place(), thing, "x", False)
    drive.detector.finish()
    gone = weakref.ref(thing)
    del thing, held
    gc.collect()
    assert gone() is None
    assert "item 0 of a list" in str(*drive.detector.races.values())
