"""The report of a failing schedule: what it says, and that it fits."""

import json
import pickle
import threading
from collections.abc import Callable
from queue import Queue
from typing import Any

import pytest

import headway
from headway.check import page, report
from headway.check.rows import rows


class Account:
    def __init__(self, balance: int) -> None:
        self.balance = balance

    def withdraw(self, amount: int) -> None:
        if self.balance >= amount:
            self.balance -= amount


def together(*functions: Callable[[], object]) -> None:
    threads = [
        threading.Thread(target=function, name=f"unit-{number}")
        for number, function in enumerate(functions, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def overdraw() -> None:
    account = Account(100)
    together(lambda: account.withdraw(60), lambda: account.withdraw(60))
    assert account.balance >= 0, "overdrawn"


def two_locks() -> None:
    left, right = threading.Lock(), threading.Lock()

    def one() -> None:
        with left, right:
            pass

    def two() -> None:
        with right, left:
            pass

    together(one, two)


def fails(scenario: Callable[[], Any], **options: Any) -> headway.ScheduleFailure:
    # In order, so that what is found does not depend on the mix of `auto`.
    options = {"strategy": "bounded", **options}
    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.explore(scenario, **options)
    return caught.value


def line_with(text: str, *parts: str) -> str:
    """The one line that has all the parts, in their order."""
    found = []
    for line in text.splitlines():
        rest = line
        for part in parts:
            _, there, rest = rest.partition(part)
            if not there:
                break
        else:
            found.append(line)
    assert len(found) == 1, (parts, text)
    return found[0]


def test_the_first_line_says_what_failed_under_which_schedule_of_how_many() -> None:
    failure = fails(overdraw, schedules=500, seed=7)
    first = str(failure).splitlines()[0]
    assert first.startswith("AssertionError in scenario: overdrawn ")
    assert first.endswith(f"(schedule {failure.details['schedule']} of 500, seed 7)")
    assert str(failure).splitlines()[-1] == f"replay: headway.replay(scenario, {failure.token!r})"


def test_an_assertion_without_a_message_is_told_by_its_source() -> None:
    def scenario() -> None:
        wrong = False
        if not wrong:
            raise AssertionError

    failure = fails(scenario)
    assert str(failure).splitlines()[0].startswith("AssertionError in scenario: raise AssertionError")


def test_each_line_stands_in_the_column_of_its_unit_with_what_it_read_and_wrote() -> None:
    text = str(fails(overdraw))
    header = line_with(text, "scenario", "unit-1", "unit-2")
    columns = {name: header.index(name) for name in ("scenario", "unit-1", "unit-2")}
    starts = sorted(
        line.index("self.balance -= amount") for line in text.splitlines() if "self.balance -= amount" in line
    )
    assert sorted(set(starts)) == [columns["unit-1"], columns["unit-2"]]
    assert "reads balance: 100, writes 40" in text
    assert "reads balance: 40, writes -20" in text


def test_switches_and_the_failing_line_are_marked() -> None:
    text = str(fails(overdraw))
    marked = [line for line in text.splitlines() if line.startswith("> ")]
    assert marked
    assert all("if self.balance >= amount" in line or "self.balance -= amount" in line for line in marked)
    assert line_with(text, "! ", "assert account.balance >= 0")


def test_what_nobody_changes_while_there_are_several_is_left_out() -> None:
    class Shop:
        def __init__(self) -> None:
            self.price = 3
            self.sold = 0

        def sell(self) -> None:
            self.sold += 1 if self.price else 0

    def scenario() -> None:
        shop = Shop()
        together(shop.sell, shop.sell)
        assert shop.sold == 2

    text = str(fails(scenario))
    assert "price" not in text.replace("if self.price else 0", "")
    assert "writes sold: 1" in text


def test_what_a_constructor_writes_is_left_out_but_where_another_comes_in_between() -> None:
    assert "self.balance = balance" not in fails(overdraw).report

    class Box:
        def __init__(self) -> None:
            shown.append(self)
            self.first = 1
            self.second = 2

    shown: list[Box] = []

    def scenario() -> None:
        shown.clear()
        together(Box, lambda: shown and vars(shown[0]).get("first") and shown[0].second)

    assert line_with(fails(scenario).report, "self.first = 1", "# writes first: 1")


def test_the_default_that_a_class_has_is_shown_as_the_value_that_is_read() -> None:
    class Counter:
        value = 7

        def add(self) -> None:
            self.value += 1

    def scenario() -> None:
        counter = Counter()
        together(counter.add, counter.add)
        assert counter.value == 9

    assert "# reads value: 7" in fails(scenario).report


def test_lines_of_a_loop_are_shown_once_between_two_switches() -> None:
    class Counter:
        value = 0

        def count(self) -> None:
            for _ in range(5):
                self.value += 1

    def scenario() -> None:
        counter = Counter()
        together(counter.count, counter.count)
        assert counter.value == 10

    failure = fails(scenario)
    turns = 1 + sum(row.mark == ">" for row in rows(failure.details))
    shown = [line for line in failure.report.splitlines() if "self.value += 1" in line]
    assert len(shown) <= 2 * turns + 2
    assert "5 times" in failure.report


def test_a_deadlock_says_who_holds_what_and_waits_for_what_and_where() -> None:
    failure = fails(two_locks)
    assert failure.kind == "deadlock"
    assert failure.report.splitlines()[0].startswith("deadlock: 2 threads wait for each other ")
    for unit, held, wanted in (("unit-1", "left", "right"), ("unit-2", "right", "left")):
        (one,) = [
            one
            for one in failure.details["blocked"]  # type: ignore[attr-defined]
            if one["holds"] and one["holds"][0]["name"] == held
        ]
        assert one["waits_for"]["name"] == wanted
        assert f"  {unit}  " in failure.report
        assert f"holds lock {held} (test_report.py:" in failure.report
        assert f"waits for lock {wanted} (test_report.py:" in failure.report
    assert line_with(failure.report, "! ", "with left, right", "# waits for right")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        ("lock = threading.Lock()", "lock"),
        ("box.inner = lock = threading.Lock()", "inner"),
        ("lock: object = threading.Lock()", "lock"),
        ("other, lock = 1, threading.Lock()", "lock"),
        ("lock = {'a': threading.Lock()}['a']", "L1"),
        ("lock = make()", "L1"),
        ("lock = [threading.RLock() for _ in range(2)][0]", "L1"),
        ("locks = [threading.RLock() for _ in range(2)]; lock = locks[0]", "locks"),
    ],
)
def test_a_lock_is_called_by_the_name_that_it_is_given(make: str, name: str, tmp_path: Any) -> None:
    path = tmp_path / "named_locks.py"
    path.write_text(
        "import threading, types\nbox = types.SimpleNamespace()\n"
        "def make():\n    return threading.Lock()\n"
        f"def scenario():\n    {make}\n    lock.acquire()\n"
        "    thread = threading.Thread(target=lock.acquire)\n    thread.start()\n    thread.join()\n"
    )
    names: dict[str, Any] = {"__name__": "named_locks"}
    exec(compile(path.read_text(), str(path), "exec"), names)
    failure = fails(names["scenario"], granularity="sync")
    assert f"waits for lock {name} (named_locks.py:" in failure.report


def test_locks_that_are_made_at_one_place_are_told_apart() -> None:
    def scenario() -> None:
        forks = [threading.Lock() for _ in range(2)]

        def dine(left: threading.Lock, right: threading.Lock) -> None:
            with left, right:
                pass

        together(lambda: dine(*forks), lambda: dine(*reversed(forks)))

    text = fails(scenario).report
    assert "lock forks#1" in text
    assert "lock forks#2" in text


def test_the_inside_of_a_queue_is_shown_only_where_somebody_waits() -> None:
    def scenario() -> None:
        jobs: Queue[int] = Queue()
        together(lambda: jobs.put(1), jobs.get, jobs.get)

    text = fails(scenario).report
    assert "waits for condition jobs.not_empty (test_report.py:" in text
    assert "mutex" not in text


def test_an_exception_in_a_thread_is_the_cause_and_its_traceback_begins_in_the_program() -> None:
    def scenario() -> None:
        done: list[int] = []
        together(lambda: done.append(1), lambda: print(1 // (1 - len(done))))

    failure = fails(scenario)
    assert isinstance(failure.__cause__, ZeroDivisionError)
    assert failure.__cause__.__traceback__ is not None
    frames = []
    at: Any = failure.__cause__.__traceback__
    while at is not None:
        frames.append(at.tb_frame.f_code.co_filename)
        at = at.tb_next
    assert frames[0] == __file__


@pytest.mark.parametrize("scenario", [overdraw, two_locks])
def test_the_report_fits_into_eighty_columns(scenario: Callable[[], None]) -> None:
    failure = fails(scenario)
    assert max(map(len, failure.report.splitlines())) <= 80 - len("E   ")
    for width in (76, 80, 120):
        assert max(map(len, report.text(failure.details, width).splitlines())) <= width


def test_a_long_schedule_shows_its_end_and_says_what_is_left_out() -> None:
    def scenario() -> None:
        lock = threading.Lock()
        order: list[int] = []

        def append(number: int) -> None:
            for _ in range(40):
                with lock:
                    order.append(number)
                threading.Event().wait(1)

        together(lambda: append(1), lambda: append(2))
        assert not order

    failure = fails(scenario)
    table = [line for line in failure.report.splitlines() if line[:2] in ("  ", "> ", "! ")]
    assert len(table) <= 2 * report.MOST_ROWS + 10
    assert line_with(failure.report, "... ", " rows before")
    assert line_with(failure.report, "! ", "assert not order")


def test_a_livelock_shows_its_last_turns() -> None:
    def scenario() -> None:
        flags = [True, True]

        def polite(me: int) -> None:
            import time

            while flags[1 - me]:
                time.sleep(0)

        together(lambda: polite(0), lambda: polite(1))

    failure = fails(scenario, carrier="greenlets")
    assert failure.kind == "livelock"
    assert len(failure.report.splitlines()) < 40


@pytest.mark.parametrize("scenario", [overdraw, two_locks])
def test_the_details_are_json_and_travel_with_the_failure(scenario: Callable[[], None]) -> None:
    failure = fails(scenario)
    assert json.loads(json.dumps(failure.details)) == failure.details
    copied = pickle.loads(pickle.dumps(failure))
    assert (copied.token, copied.kind, copied.report) == (failure.token, failure.kind, failure.report)
    assert copied.details == failure.details
    assert report.text(copied.details) == failure.report


def test_a_replay_tells_the_same() -> None:
    failure = fails(overdraw)
    with pytest.raises(headway.ScheduleFailure) as caught:
        headway.replay(overdraw, failure.token)
    again = caught.value
    assert again.details["steps"] == failure.details["steps"]
    assert again.token == failure.token
    assert "(replayed)" in str(again).splitlines()[0]


@pytest.mark.parametrize("scenario", [overdraw, two_locks])
def test_the_page_says_what_the_table_says_and_loads_nothing(scenario: Callable[[], None]) -> None:
    failure = fails(scenario)
    text = page.page(
        [{"scenario": "a<b", "outcome": "failure", **failure.details, "replay": "headway check"}]
    )
    assert "a&lt;b" in text
    assert "<b" not in text.replace("<body>", "")
    for attribute in ("src=", "href=", "url(", "@import", "<script"):
        assert attribute not in text
    for row in rows(failure.details):
        assert f'<td class="place">{row.place}</td>' in text


def test_recording_runs_no_code_of_the_program() -> None:
    class Loud:
        def __init__(self) -> None:
            self.value = 1

        def __getattr__(self, name: str) -> int:
            raise RuntimeError(f"asked for {name}")

        def __repr__(self) -> str:
            raise RuntimeError("shown")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("compared")

        __hash__ = object.__hash__

    def scenario() -> None:
        box = {"loud": Loud()}

        def change() -> None:
            box["loud"].value += 1
            box["loud"] = Loud()

        together(change, change)
        raise KeyError("end")

    assert isinstance(fails(scenario).__cause__, KeyError)
