"""What a page is made of: the lanes of all units, and a file that is its owner's alone."""

import contextlib
import random
import re
from pathlib import Path

import numpy as np
import pytest

from headway.errors import HeadwayError, TraceTooNew, TraceUnreadable, UsageError
from headway.trace.format import InnerKind, Kind
from headway.trace.interval import EXACT, INFERRED
from headway.trace.model import Job, Task, Trace
from headway.view import write
from headway.view.batons import batons
from headway.view.places import Places
from headway.view.rows import HELD, Numbers, Rows, thread_rows
from headway.view.sheet import sheet
from headway.view.turns import Turns
from synthetic import MS, T0, FakeTrace
from tracing import trace as trace_program


@pytest.fixture
def fake(tmp_path: Path) -> FakeTrace:
    return FakeTrace(tmp_path / "trace", end_ns=T0 + 100 * MS)


def lanes(directory: Path) -> tuple[Trace, dict[int, Rows]]:
    trace = Trace(directory)
    places = Places(trace)
    numbers = {index: Numbers(trace, index, []) for index in range(len(trace.images))}
    found = {
        thread.id: thread_rows(trace, thread, numbers[thread.image_index], places) for thread in trace.threads
    }
    turns = Turns(trace, places, dict(found))
    for unit in trace.units:
        if isinstance(unit, Task):
            found[unit.id] = turns.task(unit)
        elif isinstance(unit, Job):
            found[unit.id] = turns.job(unit)
    return trace, found


@pytest.mark.native
@pytest.mark.parametrize("program", ["tasks", "jobs"])
def test_a_lane_touches_and_covers_the_life_of_its_unit(program: str, tmp_path: Path) -> None:
    source = {
        "tasks": """
            import asyncio, time

            async def child(n, lock):
                for _ in range(20):
                    async with lock:
                        await asyncio.sleep(0.001)
                    sum(range(1000 * n))

            async def main():
                lock = asyncio.Lock()
                await asyncio.gather(*(child(n, lock) for n in range(9)))

            asyncio.run(main())
        """,
        "jobs": """
            import time
            from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

            with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2) as processes:
                list(threads.map(time.sleep, [0.002] * 20))
                list(processes.map(sum, [range(100000)] * 20))
        """,
    }[program]
    trace, found = lanes(trace_program(source, tmp_path=tmp_path).directory)
    told = [unit for unit in trace.units if unit.id in found and len(found[unit.id])]
    assert len([unit for unit in told if isinstance(unit, Task | Job)]) >= 9
    for unit in told:
        rows = found[unit.id]
        assert (rows["start_ns"][1:] == rows["end_ns"][:-1]).all(), unit.name
        assert (rows["start_ns"][0], rows["end_ns"][-1]) == (unit.start_ns, unit.end_ns), unit.name


def test_a_lane_of_a_thread_adds_up_to_its_exact_totals(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 100 * MS)
    thread = process.thread()
    thread.then(Kind.PYTHON, 40 * MS).then(Kind.SLEEP, 20 * MS).then(Kind.PYTHON, 40 * MS)
    thread.off_core(T0, T0 + 100 * MS, 10 * MS, 5 * MS).ends()
    trace, found = lanes(fake.write())
    (only,) = trace.threads
    rows = found[only.id]
    sums = np.bincount(rows["kind"], rows["end_ns"] - rows["start_ns"], len(only.totals))
    assert sums.tolist() == only.totals.tolist()


def test_the_gil_is_held_by_one_at_a_time_and_its_holder_need_not_be_on_a_core(fake: FakeTrace) -> None:
    process = fake.process(end_ns=T0 + 100 * MS)
    one, two = process.thread("one"), process.thread("two")
    one.then(Kind.PYTHON, 30 * MS).then(Kind.GIL, 40 * MS).then(Kind.PYTHON, 30 * MS)
    one.off_core(T0, T0 + 100 * MS, 20 * MS, 0).ends()
    # a burst: 10 ms of Python somewhere in the first 50, of which 30 are the other's
    two.then(Kind.BURST, 50 * MS, 0, 0, 40 * MS, 3).then(Kind.PYTHON, 20 * MS).then(
        Kind.SLEEP, 30 * MS
    ).ends()
    trace = Trace(fake.write())
    rows = batons(trace, trace.processes[0])[0]
    ids = {thread.name: thread.id for thread in trace.threads}
    assert set(rows["kind"].tolist()) == {HELD}
    assert (rows["start_ns"][1:] >= rows["end_ns"][:-1]).all()
    exact = rows[rows["certainty"] == EXACT]
    told = [((row["start_ns"] - T0) // MS, (row["end_ns"] - T0) // MS, int(row["by"])) for row in exact]
    assert told == [(0, 30, ids["one"]), (50, 70, ids["two"]), (70, 100, ids["one"])]
    assert all(row["certainty"] == INFERRED for row in rows if 30 * MS <= row["start_ns"] - T0 < 50 * MS)


def test_a_page_is_its_owners_alone_also_where_one_was_before(fake: FakeTrace, tmp_path: Path) -> None:
    fake.process(end_ns=T0 + 100 * MS).thread().then(Kind.PYTHON, 100 * MS).ends()
    file = tmp_path / "page.html"
    file.write_text("before")
    file.chmod(0o644)
    write(fake.write(), file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert [path.name for path in tmp_path.iterdir() if "page" in path.name] == ["page.html"]


def test_a_page_names_nothing_outside_of_itself(fake: FakeTrace, tmp_path: Path) -> None:
    fake.process(end_ns=T0 + 100 * MS).thread().then(Kind.PYTHON, 100 * MS).ends()
    text = write(fake.write(), tmp_path / "page.html").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"'<]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.findall(r"<(?:link|img|iframe|script[^>]* src)", text)
    assert not re.findall(r"\s(?:style|on[a-z]+)=\"", text)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; ")
    assert "unsafe" not in policy[1]


def test_texts_of_a_trace_cannot_end_the_data() -> None:
    text = "</script><!--<script>\u2028\u2029&amp;\udc80"
    page = sheet({"text": text})
    assert page.count("<script") == page.count("</script>") == 2
    assert "\u2028" not in page
    assert "<!--" not in page
    page.encode()


def test_a_damaged_trace_gives_the_readers_error_and_no_page(fake: FakeTrace, tmp_path: Path) -> None:
    process = fake.process(end_ns=T0 + 100 * MS)
    process.thread().then(Kind.PYTHON, 100 * MS).ends()
    directory = fake.write()
    (file,) = directory.glob("*.hw")
    whole = file.read_bytes()
    for damage, error in (
        (b"NOTATRACE" + whole[9:], TraceUnreadable),
        (whole[:8] + b"\xff" + whole[9:], TraceTooNew),
    ):
        file.write_bytes(damage)
        with pytest.raises(error):
            write(directory, tmp_path / "page.html")
        assert not (tmp_path / "page.html").exists()


def test_a_trace_that_is_cut_off_anywhere_gives_a_page_or_a_clear_error(
    fake: FakeTrace, tmp_path: Path
) -> None:
    process = fake.process(end_ns=T0 + 100 * MS)
    stack = process.stack(("/a.py", 1, "f"))
    lock = process.lock(made=stack)
    process.thread().then(Kind.PYTHON, 40 * MS, 0, stack).wait(Kind.LOCK, 60 * MS, lock, stack=stack).ends()
    process.task("task", T0, T0 + 50 * MS, totals={Kind.SLEEP: 50 * MS})
    directory = fake.write()
    (file,) = directory.glob("*.hw")
    whole = file.read_bytes()
    for cut in range(0, len(whole), 4096 + 512):
        file.write_bytes(whole[:cut])
        assert write(directory, tmp_path / "page.html").stat().st_size > 10_000


@pytest.mark.parametrize("seed", range(40))
def test_damage_anywhere_gives_a_page_or_a_clear_error(seed: int, fake: FakeTrace, tmp_path: Path) -> None:
    chance = random.Random(seed)
    process = fake.process(end_ns=T0 + 100 * MS)
    stack = process.stack(("/a.py", 1, "f"), ("/b.py", 2, "g"))
    lock = process.lock(made=stack)
    thread = process.thread().then(Kind.PYTHON, 40 * MS, 0, stack)
    thread.releases(lock, 10 * MS, stack).wait(Kind.LOCK, 60 * MS, lock, stack=stack).ends()
    pool = process.pool(jobs=1, begun=1, ended=1, first_ns=T0)
    process.task("task", T0, T0 + 50 * MS, totals={Kind.SLEEP: 50 * MS}, carrier=0, parent=1, on=1)
    process.task("other", T0, None, state=Kind.FUTURE, on=0, since_ns=T0, carrier=0)
    process.task("job", T0, T0 + 50 * MS, kind=InnerKind.JOB, on=pool, carrier=0)
    directory = fake.write()
    (file,) = directory.glob("*.hw")
    data = bytearray(file.read_bytes())
    used = [at for at, byte in enumerate(data) if byte]
    for _ in range(chance.randrange(1, 30)):
        data[chance.choice(used)] = chance.choice([0, 255, chance.randrange(256)])
    file.write_bytes(data)
    with contextlib.suppress(HeadwayError):
        write(directory, tmp_path / "page.html")
        assert (tmp_path / "page.html").stat().st_size > 10_000


def test_a_page_that_cannot_be_written_leaves_what_was_there(fake: FakeTrace, tmp_path: Path) -> None:
    fake.process(end_ns=T0 + 100 * MS).thread().then(Kind.PYTHON, 100 * MS).ends()
    with pytest.raises(UsageError, match="cannot write the page") as caught:
        write(fake.write(), tmp_path / "no" / "page.html")
    assert caught.value.hint is not None
