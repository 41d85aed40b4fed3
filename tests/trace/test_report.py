"""What people and programs read: the contract, the verdict, and a text that fits its terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headway.cli.report import newest_trace, report
from headway.errors import TraceNotFound
from headway.trace.figures import duration, percent
from headway.trace.format import NOBODY, Flag, Kind
from headway.trace.report import as_dict, write
from headway.trace.report.lanes import LETTERS, STYLES, WORDS
from synthetic import GIL_PYTHON, MS, T0, FakeTrace

KEYS = {
    "": "headway command exit wall_s cpu_s cores cores_used python gil dropped_events units locks waits "
    "findings",
    "units": "id kind name parent process carrier pid tid start_s end_s states",
    "locks": "id name kind made_at waits wait_s longest_s held_s edges",
    "waits": "unit reason on start_s end_s woken_by stack",
    "findings": "kind severity sentence units locks where start_s end_s advice",
}


@pytest.fixture
def fake(tmp_path: Path) -> FakeTrace:
    """A program with everything: threads, a child, the GIL, a lock, waits that had not ended."""
    fake = FakeTrace(tmp_path / "trace-1", end_ns=T0 + 1000 * MS, cpu_s=1.02)
    process = fake.process(end_ns=T0 + 1000 * MS, command=("/usr/bin/python3.11", "prog.py", "--n", "3"))
    hold = process.stack(("/home/me/app/crunch.py", 42, "parse"), hold_ns=800 * MS, hold_count=100)
    made = process.stack(
        ("/usr/lib/python3.11/threading.py", 90, "RLock"), ("/home/me/app/db.py", 12, "Db.__init__")
    )
    waits = process.stack(("/home/me/app/db.py", 40, "Db.write"), ("/home/me/app/prog.py", 9, "work"))
    sleeps = process.stack(("/home/me/app/db.py", 55, "Db.flush"))
    gets = process.stack(("/usr/lib/python3.11/queue.py", 171, "get"), ("/home/me/app/prog.py", 77, "drain"))
    lock = process.lock(made=made, release_stack=sleeps, longest_hold_ns=40 * MS, longest_hold_slot=2)
    queue = process.lock(Kind.QUEUE)
    process.thread().then(Kind.PYTHON, 100 * MS).then(Kind.JOIN, 900 * MS, NOBODY).ends()
    for number in range(2):
        thread = process.thread(f"worker-{number}", at_ns=T0 + 100 * MS)
        for _ in range(20):
            thread.then(Kind.GIL, 20 * MS).then(Kind.PYTHON, 15 * MS, 0, hold)
            thread.wait(Kind.LOCK, 5 * MS, lock, owner=2 - number, waker=2 - number, stack=waits)
            thread.then(Kind.SLEEP, 5 * MS, 0, sleeps)
        thread.ends()
    process.thread("drain", at_ns=T0 + 100 * MS).then(Kind.GIL, MS).stays(Kind.QUEUE, queue, gets)
    child = fake.process(
        start_ns=T0 + 200 * MS,
        end_ns=T0 + 600 * MS,
        parent_start_ns=T0,
        parent_slot=0,
        ppid=100,
        flags=GIL_PYTHON | Flag.FORKED,
    )
    child.thread().then(Kind.PYTHON, 300 * MS).then(Kind.IO, 100 * MS, 7, 0, 1).ends()
    return fake


def text_of(directory: Path, width: int | None = None) -> str:
    stream = io.StringIO()
    write(directory, stream, width=width)
    return stream.getvalue()


def test_the_json_has_every_key_of_the_contract(fake: FakeTrace) -> None:
    document = as_dict(fake.write())
    assert set(KEYS[""].split()) <= set(document)
    for part, keys in KEYS.items():
        for entry in document[part] if part else []:
            assert set(keys.split()) <= set(entry)
    assert document["locks"], document["findings"]
    assert set(document["locks"][0]["edges"][0]) == {"waiter", "owner", "waits", "wait_s"}
    assert document["headway"] == 1
    assert document["gil"] is True
    assert document["python"] == "3.11.7"
    stream = io.StringIO()
    write(fake.directory, stream, json=True)
    assert json.loads(stream.getvalue()) == document


def test_ids_are_integers_the_root_first_and_every_reference_is_an_id(fake: FakeTrace) -> None:
    document = as_dict(fake.write())
    ids = [unit["id"] for unit in document["units"]]
    assert ids == list(range(1, len(ids) + 1))
    assert (document["units"][0]["kind"], document["units"][0]["pid"]) == ("process", 100)
    for unit in document["units"]:
        assert unit["parent"] in (None, *ids)
        assert unit["process"] in ids
    for wait in document["waits"]:
        assert wait["unit"] in ids
        assert wait["woken_by"] in (None, *ids)
    child = next(unit for unit in document["units"] if unit["kind"] == "process" and unit["pid"] == 200)
    assert (child["parent"], child["started_by"]) == (1, 2)


def test_states_add_up_to_the_life_of_every_unit(fake: FakeTrace) -> None:
    for unit in as_dict(fake.write())["units"]:
        states = unit["states"]
        whole = states["start"] + states.get("unknown", 0)
        whole += sum(sum(states[state].values()) for state in ("ready", "running", "waiting"))
        assert whole == pytest.approx(unit["end_s"] - unit["start_s"], abs=1e-9)


def test_a_lock_has_its_name_owner_and_waiters(fake: FakeTrace) -> None:
    lock = as_dict(fake.write())["locks"][0]
    assert (lock["name"], lock["made_at"]) == ("lock made at db.py:12", "/home/me/app/db.py:12")
    assert (lock["waits"], lock["wait_s"], lock["longest_s"]) == (40, 0.2, 0.005)
    assert {(edge["waiter"], edge["owner"], edge["waits"]) for edge in lock["edges"]} == {
        (3, 4, 20),
        (4, 3, 20),
    }


def test_waits_that_had_not_ended_come_first(fake: FakeTrace) -> None:
    first, second, *_ = as_dict(fake.write())["waits"]
    assert (first["reason"], first["end_s"], first["start_s"]) == ("queue", None, 0.101)
    assert first["stack"] == ["/usr/lib/python3.11/queue.py:171:get", "/home/me/app/prog.py:77:drain"]
    assert second["reason"] == "join"


def test_a_deadlock_that_was_killed_shows_both_waits_and_their_locks(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 5000 * MS, exit=-2)
    process = fake.process(end_ns=None)
    for number in range(2):
        process.lock(made=process.stack(("/home/me/app/bank.py", 10 + number, "<module>")))
    at = process.stack(("/home/me/app/bank.py", 20, "transfer"))
    process.thread().then(Kind.PYTHON, 100 * MS).stays(Kind.JOIN, NOBODY)
    for number in range(2):
        thread = process.thread(f"t{number}", at_ns=T0 + 100 * MS).then(Kind.PYTHON, 5 * MS)
        thread.stays(Kind.LOCK, 1 - number, at, 2 - number)
    document = as_dict(fake.write())
    assert document["verdict"] == "killed by SIGINT after 5.00 s, while 2 threads waited for a lock"
    stuck = [wait for wait in document["waits"] if wait["reason"] == "lock"]
    assert [wait["end_s"] for wait in stuck] == [None, None]
    assert {wait["on"] for wait in stuck} == {"lock made at bank.py:10", "lock made at bank.py:11"}
    assert {(w["unit"], w["owner"]) for w in stuck} == {(3, 4), (4, 3)}
    assert [(lock["waits"], lock["open_waits"]) for lock in document["locks"]] == [(1, 1), (1, 1)]
    assert "1 wait, 1 of them to the end" in text_of(tmp_path)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal(fake: FakeTrace, width: int) -> None:
    text = text_of(fake.write(), width)
    assert max(len(line) for line in text.splitlines()[:-1]) <= width
    for title in (
        "What each thread did",
        "Over time",
        "The GIL",
        "Locks that cost most",
        "Longest waits",
        "Findings",
    ):
        assert title in text


def test_the_first_line_is_the_verdict_and_the_last_the_next_command(fake: FakeTrace) -> None:
    lines = text_of(fake.write()).splitlines()
    assert lines[0].startswith("gil-bound: 2 threads of process 100 waited ")
    assert lines[-1] == f"next: headway report {fake.directory} --json"


def test_a_pipe_gets_no_colour_and_no_escape(fake: FakeTrace) -> None:
    assert "\x1b" not in text_of(fake.write())


def test_no_color_is_honoured_on_a_terminal(fake: FakeTrace, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    colour, plain = Terminal(), Terminal()
    write(fake.write(), colour)
    monkeypatch.setenv("NO_COLOR", "1")
    write(fake.directory, plain)
    assert "\x1b[" in colour.getvalue()
    assert all(code not in plain.getvalue() for code in ("\x1b[3", "\x1b[4", ";3", ";4"))


def test_every_colour_has_a_letter_of_its_own_and_a_word() -> None:
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert set(STYLES) <= set(LETTERS)
    assert set(WORDS) == set(LETTERS)


def test_hundreds_of_threads_are_cut_to_those_that_matter(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 1000 * MS)
    process = fake.process(end_ns=T0 + 1000 * MS)
    process.thread().then(Kind.PYTHON, 900 * MS).then(Kind.SLEEP, 100 * MS).ends()
    for number in range(300):
        process.thread(f"idle-{number}", at_ns=T0).then(Kind.QUEUE, 1000 * MS, NOBODY).ends()
    process.thread("busy", at_ns=T0).then(Kind.NATIVE, 1000 * MS).ends()
    text = text_of(fake.write())
    assert "busy" in text
    assert "and 286 threads more that ran less" in text
    assert len(text.splitlines()) < 80


def test_lanes_show_each_kind_in_its_true_share(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 3000 * MS)
    thread = fake.process(end_ns=T0 + 3000 * MS).thread()
    for _ in range(1000):
        thread.then(Kind.PYTHON, MS).then(Kind.GIL, 2 * MS)
    thread.ends()
    lane = next(line for line in text_of(fake.write()).splitlines() if "│" in line).split("│")[1]
    assert set(lane) == {"P", "G"}
    assert lane.count("P") == pytest.approx(len(lane) / 3, abs=1)


def test_the_verdict_without_a_finding_says_where_the_time_went(tmp_path: Path) -> None:
    fake = FakeTrace(tmp_path, end_ns=T0 + 1000 * MS, cpu_s=0.25)
    fake.process(end_ns=T0 + 1000 * MS).thread().then(Kind.PYTHON, 250 * MS).then(
        Kind.IO, 750 * MS, 5, 0, 1
    ).ends()
    verdict = as_dict(fake.write())["verdict"]
    assert verdict == (
        "no finding in 1.00 s; 0.25 of 2 cores used; main thread 75 % waiting for I/O, 25 % running Python"
    )


def test_an_empty_trace_is_told_plainly(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text(
        json.dumps({"headway_trace": 1, "start_ns": T0, "end_ns": T0 + MS, "exit": 0})
    )
    text = text_of(tmp_path)
    assert text.startswith("nothing to tell: no thread of the program was traced in 1.00 ms")
    assert "Over time" not in text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (12, "12 ns"),
        (1_234, "1.23 µs"),
        (45_600_000, "45.6 ms"),
        (999_499_999, "999 ms"),
        (999_600_000, "1.00 s"),
        (123_456_000_000, "123 s"),
        (1_200_000_000_000, "20 min"),
    ],
)
def test_a_duration_has_a_unit_and_three_digits(ns: int, text: str) -> None:
    assert duration(ns) == text


def test_a_share_is_never_rounded_to_nothing() -> None:
    assert [percent(p, 1000) for p in (0, 0.5, 34, 620)] == ["0 %", "<0.1 %", "3.4 %", "62 %"]


def test_the_command_reads_the_newest_trace(
    fake: FakeTrace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (9, 10):
        fake.directory = tmp_path / ".headway" / f"trace-{number}"
        fake.write()
    monkeypatch.chdir(tmp_path)
    assert newest_trace(tmp_path).name == "trace-10"
    result = CliRunner().invoke(report, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output)["headway"] == 1


def test_without_any_trace_the_command_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TraceNotFound, match="record one"):
        newest_trace(tmp_path)


def run(*arguments: str) -> dict[str, Any]:
    bench = Path(__file__).parents[1] / "support" / "bench_scale.py"
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    done = subprocess.run(
        [sys.executable, str(bench), *arguments], check=True, capture_output=True, text=True, env=environment
    )
    found: dict[str, Any] = json.loads(done.stdout or "{}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_million_records_are_read_in_bounded_memory(tmp_path: Path) -> None:
    run(str(tmp_path / "small"), "80000", "8")
    small = run(str(tmp_path / "small"))
    run(str(tmp_path / "large"), "10000000", "8")
    large = run(str(tmp_path / "large"))
    # as columns the intervals alone would take 400 MiB, as Python objects some GiB
    assert large["peak_mib"] - small["peak_mib"] < 200
