"""Known lives in, their states out, to the nanosecond."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headway.trace.format import End, Flag, Kind, ThreadFlag
from headway.trace.interval import INFERRED, RUNNING, UNKNOWN
from headway.trace.model import Trace
from headway.trace.processes import ProcessStates
from headway.trace.report import as_dict
from scanning import timeline
from synthetic import GIL_PYTHON, MS, T0, FakeTrace


def kinds_and_ms(rows: Any) -> list[tuple[int, float]]:
    return [(int(row["kind"]), (int(row["end_ns"]) - int(row["start_ns"])) / MS) for row in rows]


def test_records_become_intervals_and_totals(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 10 * MS)
    fake.process(end_ns=T0 + 10 * MS).thread().then(Kind.PYTHON, 3 * MS).then(Kind.GIL, 2 * MS).then(
        Kind.SLEEP, 5 * MS
    ).ends()
    trace = Trace(fake.write())
    (thread,) = trace.threads
    assert kinds_and_ms(timeline(trace, thread)) == [(Kind.PYTHON, 3), (Kind.GIL, 2), (Kind.SLEEP, 5)]
    assert thread.totals[Kind.SLEEP] == 5 * MS
    assert thread.ended


def test_a_burst_is_unfolded_with_exact_sums_and_marked_inferred(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 10 * MS)
    thread = fake.process(end_ns=T0 + 10 * MS).thread()
    thread.then(Kind.BURST, 10 * MS, a=MS, b=2 * MS, c=3 * MS, d=40).ends()
    trace = Trace(fake.write())
    rows = timeline(trace, trace.threads[0])
    expected = [(Kind.PYTHON, 4), (Kind.NATIVE, 1), (Kind.IO, 2), (Kind.GIL, 3)]
    assert kinds_and_ms(rows) == expected
    assert (rows["certainty"] == INFERRED).all()


def test_what_is_not_yet_a_record_counts(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 20 * MS)
    thread = fake.process(end_ns=T0 + 20 * MS).thread()
    thread.then(Kind.PYTHON, 5 * MS).pending(4 * MS, native=MS).stays(Kind.JOIN)
    trace = Trace(fake.write())
    (unit,) = trace.threads
    expected = [(Kind.PYTHON, 5), (Kind.PYTHON, 3), (Kind.NATIVE, 1), (Kind.JOIN, 11)]
    assert kinds_and_ms(timeline(trace, unit)) == expected
    assert unit.totals[Kind.JOIN] == 11 * MS


def test_off_core_time_is_carved_out_of_running_time_in_its_window(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 20 * MS)
    thread = fake.process(end_ns=T0 + 20 * MS).thread()
    thread.then(Kind.PYTHON, 5 * MS).then(Kind.SLEEP, 5 * MS).then(Kind.PYTHON, 5 * MS)
    thread.off_core(T0, T0 + 15 * MS, ready=6 * MS, other=MS).then(Kind.PYTHON, 5 * MS).ends()
    trace = Trace(fake.write())
    (unit,) = trace.threads
    rows = timeline(trace, unit)
    assert kinds_and_ms(rows) == [
        (Kind.CPU, 5),
        (Kind.SLEEP, 5),
        (Kind.CPU, 1),
        (Kind.OTHER, 1),
        (Kind.PYTHON, 3),
        (Kind.PYTHON, 5),
    ]
    assert unit.totals[Kind.PYTHON] == 8 * MS
    assert unit.totals[Kind.CPU] == 6 * MS


def test_off_core_time_is_never_more_than_the_running_time(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 20 * MS)
    thread = fake.process(end_ns=T0 + 20 * MS).thread()
    thread.then(Kind.PYTHON, 5 * MS).then(Kind.SLEEP, 15 * MS)
    thread.off_core(T0, T0 + 20 * MS, ready=60 * MS, other=MS).ends()
    trace = Trace(fake.write())
    (unit,) = trace.threads
    assert kinds_and_ms(timeline(trace, unit)) == [(Kind.CPU, 5), (Kind.SLEEP, 15)]
    assert int(unit.totals.sum()) == 20 * MS
    assert unit.totals[Kind.SLEEP] == 15 * MS


def test_a_window_that_spans_blocks_is_carved_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headway.trace.image.CHUNKS_AT_ONCE", 1)
    fake = FakeTrace(tmp_path, end_ns=T0 + 4000 * MS)
    thread = fake.process(end_ns=T0 + 4000 * MS).thread()
    for _ in range(1000):
        thread.then(Kind.PYTHON, 2 * MS).then(Kind.SLEEP, 2 * MS)
    thread.off_core(T0 + 1000 * MS, T0 + 3000 * MS, ready=900 * MS, other=50 * MS).ends()
    trace = Trace(fake.write())
    (unit,) = trace.threads
    rows = timeline(trace, unit)
    lengths = rows["end_ns"] - rows["start_ns"]
    assert int(lengths[rows["kind"] == Kind.CPU].sum()) == 900 * MS
    assert int(lengths[rows["kind"] == Kind.OTHER].sum()) == 50 * MS
    assert (rows["start_ns"][1:] == rows["end_ns"][:-1]).all()


def test_the_clock_read_at_the_end_splits_what_was_running(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 100 * MS)
    process = fake.process(end_ns=T0 + 100 * MS)
    process.thread().then(Kind.PYTHON, 100 * MS).ends()
    thread = process.thread("busy", at_ns=T0, flags=ThreadFlag.PYTHON | ThreadFlag.CPU_AT_END)
    thread.slot = {"end_cpu_ns": 30 * MS, "end_run_delay_ns": 60 * MS}
    thread.stays(Kind.NATIVE)
    trace = Trace(fake.write())
    busy = trace.threads[1]
    assert (busy.totals[Kind.NATIVE], busy.totals[Kind.CPU], busy.totals[Kind.OTHER]) == (
        30 * MS,
        60 * MS,
        10 * MS,
    )
    assert kinds_and_ms(timeline(trace, busy)) == [(Kind.CPU, 60), (Kind.OTHER, 10), (Kind.NATIVE, 30)]


def test_where_records_were_overwritten_the_state_is_unknown_and_the_totals_are_exact(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 2000 * MS)
    process = fake.process(
        end_ns=T0 + 2000 * MS, header={"overwritten": 510, "overwritten_until_ns": T0 + 510 * MS}
    )
    thread = process.thread()
    for _ in range(1000):
        thread.then(Kind.PYTHON, MS).then(Kind.GIL, MS)
    thread.ends()
    process.drop_chunks[0] = 1
    trace = Trace(fake.write())
    (unit,) = trace.threads
    rows = timeline(trace, unit)
    assert kinds_and_ms(rows)[0] == (UNKNOWN, 510)
    assert unit.totals[Kind.PYTHON] == unit.totals[Kind.GIL] == 1000 * MS
    document = as_dict(fake.directory)
    assert document["timeline_from_s"] == 0.51
    assert document["dropped_events"] == 510
    assert any("complete from 510 ms on" in note for note in document["notes"])


def test_a_killed_process_ends_when_the_trace_does_and_its_state_stays_open(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 50 * MS, exit=-9)
    fake.process(end_ns=None).thread().then(Kind.PYTHON, 10 * MS).stays(Kind.PYTHON)
    trace = Trace(fake.write())
    (unit,) = trace.threads
    rows = timeline(trace, unit)
    assert kinds_and_ms(rows) == [(Kind.PYTHON, 10), (Kind.PYTHON, 40)]
    assert rows["certainty"][-1] == INFERRED
    assert unit.ended
    assert as_dict(fake.directory)["units"][0]["signal"] == 9


def test_a_killed_child_ends_when_its_parent_saw_it(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 100 * MS)
    parent = fake.process(pid=100, end_ns=T0 + 100 * MS)
    main = parent.thread()
    main.then(Kind.PYTHON, 10 * MS).child(200).then(Kind.PROCESS, 30 * MS, 200).reaped(200, 9)
    main.then(Kind.PYTHON, 60 * MS).ends()
    child = fake.process(pid=200, start_ns=T0 + 10 * MS, ppid=100, parent_start_ns=T0, flags=GIL_PYTHON)
    child.thread().then(Kind.PYTHON, MS).stays(Kind.SLEEP)
    document = as_dict(fake.write())
    process = next(unit for unit in document["units"] if unit["pid"] == 200 and unit["kind"] == "process")
    assert process["end_s"] == 0.04
    assert process["parent"] == 1
    assert process["started_by"] == 2
    assert process["signal"] == 9


def test_a_killed_child_ran_no_longer_than_the_kernel_says(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 1000 * MS)
    parent = fake.process()
    parent.thread().then(Kind.PROCESS, 800 * MS).reaped(200, status=15, cpu_ns=600 * MS).ends()
    child = fake.process(pid=200, ppid=100, parent_start_ns=T0)
    child.thread(at_ns=T0).then(Kind.NATIVE, 100 * MS).then(Kind.IO, 100 * MS, 5).stays(Kind.NATIVE)
    child.thread("spins", at_ns=T0).stays(Kind.NATIVE)
    model = Trace(fake.write())
    # They seem to have run for 1500 ms, 900 more than they did; of 600 and 800 ms of that nobody has read a clock.
    first, second = [unit for unit in model.threads if unit.pid == 200]
    assert first.totals[Kind.NATIVE] == pytest.approx(100 * MS + 600 * MS * 5 / 14, abs=10)
    assert second.totals[Kind.NATIVE] == pytest.approx(800 * MS * 5 / 14, abs=10)
    for thread in (first, second):
        assert thread.totals.sum() == thread.end_ns - thread.start_ns


def test_while_the_run_goes_on_ends_are_null(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=None, exit=None)
    fake.process(end_ns=None).thread().then(Kind.PYTHON, 10 * MS).stays(Kind.SLEEP)
    document = as_dict(fake.write())
    assert [unit["end_s"] for unit in document["units"]] == [None, None]
    assert document["exit"] is None


def test_a_pid_after_exec_is_one_process_with_the_last_command(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 30 * MS)
    first = fake.process(pid=100, end_ns=T0 + 10 * MS, end=End.EXEC, command=("python", "first.py"))
    first.thread().then(Kind.PYTHON, 10 * MS)
    second = fake.process(
        pid=100,
        start_ns=T0 + 12 * MS,
        end_ns=T0 + 30 * MS,
        flags=GIL_PYTHON,
        command=("python", "b.py"),
    )
    second.thread().then(Kind.PYTHON, 18 * MS)
    trace = Trace(fake.write())
    (process,) = trace.processes
    assert process.name == "b.py"
    assert [thread.end_ns - T0 for thread in trace.threads] == [10 * MS, 30 * MS]


def test_a_pid_used_again_is_another_process(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 50 * MS)
    fake.process(pid=100, end_ns=T0 + 50 * MS).thread().then(Kind.PYTHON, 50 * MS)
    for start in (10, 30):
        child = fake.process(
            pid=200, start_ns=T0 + start * MS, end_ns=T0 + (start + 5) * MS, parent_start_ns=T0
        )
        child.thread().then(Kind.PYTHON, 5 * MS)
    assert [process.pid for process in Trace(fake.write()).processes] == [100, 200, 200]


def test_a_child_without_a_file_is_a_process_that_was_not_traced(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 50 * MS)
    main = fake.process(end_ns=T0 + 50 * MS).thread()
    main.then(Kind.PYTHON, 10 * MS).child(300).then(Kind.PROCESS, 30 * MS, 300).reaped(300)
    main.then(Kind.PYTHON, 10 * MS).ends()
    document = as_dict(fake.write())
    child = document["units"][-1]
    assert (child["name"], child["traced"], child["parent"]) == ("pid 300 (not traced)", False, 1)
    assert (child["start_s"], child["end_s"]) == (0.01, 0.04)
    assert any("not traced: 300" in note for note in document["notes"])


def test_a_process_runs_if_any_thread_runs_else_is_ready_if_any_is_else_waits_as_its_main_thread(
    tmp_path: Path,
) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 40 * MS)
    process = fake.process(end_ns=T0 + 40 * MS)
    process.thread().then(Kind.PYTHON, 10 * MS).then(Kind.SLEEP, 30 * MS).ends()
    process.thread("b", at_ns=T0).then(Kind.GIL, 20 * MS).then(Kind.IO, 10 * MS).then(
        Kind.NATIVE, 10 * MS
    ).ends()
    trace = Trace(fake.write())
    states = ProcessStates()
    trace.scan(states)
    totals = states.totals(1, T0, T0 + 40 * MS)
    expected = {Kind.PYTHON: 10 * MS, Kind.GIL: 10 * MS, Kind.SLEEP: 10 * MS, Kind.NATIVE: 10 * MS}
    assert {int(kind): int(totals[kind]) for kind in np.flatnonzero(totals)} == expected


@pytest.mark.parametrize(
    ("flags", "gil"),
    [(Flag.PYTHON, None), (Flag.PYTHON | Flag.GIL_FOUND, None), (Flag.PYTHON | Flag.FREE_THREADED, False)],
)
def test_without_a_gil_that_was_found_running_is_unknown_and_never_zero(
    tmp_path: Path, flags: Flag, gil: bool | None
) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 40 * MS)
    fake.process(end_ns=T0 + 40 * MS, flags=flags).thread().then(Kind.NATIVE, 30 * MS).then(
        Kind.IO, 10 * MS
    ).ends()
    document = as_dict(fake.write())
    assert document["gil"] is gil
    for unit in document["units"]:
        assert unit["states"]["running"] == {"unknown": 0.03}
        assert "gil" not in unit["states"]["ready"]
    assert Trace(fake.directory).threads[0].totals[RUNNING] == 30 * MS


def test_a_process_that_is_not_python_runs_native_code(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 40 * MS)
    fake.process(end_ns=T0 + 40 * MS, flags=Flag(0)).thread().then(Kind.NATIVE, 40 * MS).ends()
    document = as_dict(fake.write())
    assert document["units"][0]["states"]["running"] == {"python": 0.0, "native": 0.04}
    assert document["gil"] is None
