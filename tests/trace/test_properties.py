"""Random legal event streams: the states partition each life, and totals and intervals agree."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headway.errors import HeadwayError
from headway.trace.format import Flag, Kind
from headway.trace.interval import KINDS, LOOP, RUNNING, UNKNOWN
from headway.trace.model import Trace
from headway.trace.processes import ProcessStates
from headway.trace.report import as_dict
from scanning import timeline
from synthetic import GIL_PYTHON, T0, FakeThread, FakeTrace

STATES = [kind for kind in Kind if Kind.PYTHON <= kind <= Kind.OTHER and kind is not Kind.CPU]
LOCKS = range(Kind.LOCK, Kind.FUTURE + 1)
RUNS = (Kind.PYTHON, Kind.NATIVE)
FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

durations = st.one_of(st.integers(0, 2000), st.integers(0, 50_000_000))
steps = st.lists(
    st.tuples(st.sampled_from([*STATES, Kind.BURST, Kind.OFFCPU]), durations, st.randoms()), max_size=60
)
lives = st.tuples(
    steps,
    st.integers(0, 5_000_000),
    st.sampled_from(["ends", "stays", "killed"]),
    st.sampled_from(STATES),
    durations,
    st.booleans(),
)


def live(thread: FakeThread, story: Any) -> None:
    """Append a random story to a thread's life, as the tracer would write it."""
    moves, started, end, last, rest, burst = story
    thread.then(Kind.START, started)
    window, ran = thread.at_ns, 0
    for kind, ns, random in moves:
        if kind is Kind.BURST:
            ns = ns % 4_000_000
            cuts = sorted(random.randint(0, ns) for _ in range(3))
            native, io, gil = cuts[0], cuts[1] - cuts[0], cuts[2] - cuts[1]
            thread.then(kind, ns, native, io, gil, 4)
            ran += ns - io - gil
        elif kind is Kind.OFFCPU:
            off = random.randint(0, ran)
            ready = random.randint(0, off)
            thread.off_core(window, thread.at_ns, ready, off - ready)
            window, ran = thread.at_ns, 0
        else:
            stack = 1 if random.random() < 0.5 else 0
            thread.then(kind, ns, 0, stack, 0, 0)
            ran += ns if kind in RUNS else 0
    if burst:
        thread.pending(3000, native=500, io=700, gil=100)
    if end == "ends":
        thread.ends()
    else:
        thread.stays(last, 0, 1, 0, 0)
        if end == "stays":
            thread.slot = {"since_ns": thread.at_ns}
        thread.process.header["rest"] = max(rest, thread.process.header.get("rest", 0))


def build(directory: Path, stories: list[Any], flags: Flag = GIL_PYTHON) -> Path:
    fake = FakeTrace(directory)
    process = fake.process(flags=flags)
    process.stack(("a.py", 1, "f"))
    process.lock()
    for story in stories:
        live(process.thread(at_ns=T0), story)
    rest = process.header.pop("rest", 0)
    end = max(thread.at_ns for thread in process.threads) + rest
    fake.end_ns = process.end_ns = end
    if any(story[2] == "killed" for story in stories):
        process.end_ns, fake.exit = None, -9
    return fake.write()


@FEW
@given(st.lists(lives, min_size=1, max_size=4), st.sampled_from([GIL_PYTHON, Flag.PYTHON, Flag(0)]))
def test_intervals_touch_cover_the_life_and_agree_with_the_totals(stories: list[Any], flags: Flag) -> None:
    with tempfile.TemporaryDirectory() as directory:
        trace = Trace(build(Path(directory), stories, flags))
        states = ProcessStates()
        trace.scan(states)
        for thread in trace.threads:
            totals = np.zeros(KINDS, np.int64)
            assert int(thread.totals.sum()) == thread.end_ns - thread.start_ns
            assert (thread.totals >= 0).all()
            if thread.end_ns > thread.start_ns:
                rows = timeline(trace, thread)
                assert rows["start_ns"][0] == thread.start_ns
                assert rows["end_ns"][-1] == thread.end_ns
                assert (rows["start_ns"][1:] == rows["end_ns"][:-1]).all()
                assert (rows["end_ns"] > rows["start_ns"]).all()
                np.add.at(totals, rows["kind"], rows["end_ns"] - rows["start_ns"])
            assert totals[UNKNOWN] == 0
            # Off-core time is known by window. Which of the two kinds of running it was is an estimate on
            # both sides; the sum of the two is exact, and so is everything else.
            runs = [Kind.PYTHON, Kind.NATIVE, RUNNING, Kind.CPU, Kind.OTHER]
            others = [kind for kind in range(KINDS) if kind not in runs]
            assert (totals[others] == thread.totals[others]).all()
            assert int(totals[runs].sum()) == int(thread.totals[runs].sum())
            assert abs(int(totals[Kind.CPU]) - int(thread.totals[Kind.CPU])) <= _spill(thread)
        process = trace.processes[0]
        whole = states.totals(process.id, process.start_ns, process.end_ns)
        assert int(whole.sum()) == process.end_ns - process.start_ns


inner_lives = st.tuples(
    st.lists(st.tuples(st.sampled_from([Kind.NONE, *STATES]), durations), max_size=12),
    st.sampled_from(["ends", "stays"]),
    st.sampled_from([Kind.NONE, Kind.PYTHON, Kind.SLEEP, Kind.LOCK]),
    durations,
)


@FEW
@given(st.lists(inner_lives, min_size=1, max_size=6), st.sampled_from([GIL_PYTHON, Flag.PYTHON]))
def test_the_states_of_a_task_add_up_to_its_life_to_the_nanosecond(stories: list[Any], flags: Flag) -> None:
    with tempfile.TemporaryDirectory() as directory:
        fake = FakeTrace(Path(directory))
        process = fake.process(flags=flags)
        latest, expected = T0, list[tuple[dict[Kind, int], int | None, Kind]]()
        for moves, end, last, rest in stories:
            totals = {kind: 0 for kind, _ in moves}
            for kind, ns in moves:
                totals[kind] += ns
            at = T0 + sum(totals.values())
            latest = max(latest, at + rest)
            how = {"end_ns": at} if end == "ends" else {"state": last, "since_ns": at}
            process.task("some", at_ns=T0, totals=totals, **how)
            expected.append((totals, at if end == "ends" else None, last))
        process.thread().then(Kind.IO, latest - T0).ends()
        fake.end_ns = process.end_ns = latest
        trace = Trace(fake.write())
        for task, (totals, end_ns, last) in zip(trace.tasks, expected, strict=True):
            assert task.end_ns == (latest if end_ns is None else end_ns)
            assert int(task.totals.sum()) == task.end_ns - task.start_ns
            assert int(task.totals[UNKNOWN]) == 0
            for kind in (Kind.NONE, Kind.LOCK, Kind.IO, Kind.GIL):
                found = int(task.totals[LOOP if kind == Kind.NONE else kind])
                open_ns = latest - T0 - sum(totals.values()) if end_ns is None and last == kind else 0
                assert found == totals.get(kind, 0) + open_ns


def _spill(thread: Any) -> int:
    """How far off-core time may exceed the running time of PYTHON, to which the fake counts all of it."""
    slot = thread.slot
    off = int(slot["ready_cpu_ns"].sum() + slot["off_other_ns"].sum())
    return max(0, off - int(slot["total_ns"][Kind.PYTHON]))


@FEW
@given(st.lists(lives, min_size=1, max_size=3), st.floats(0, 1))
def test_a_trace_cut_at_any_byte_is_readable_or_a_clean_error(stories: list[Any], share: float) -> None:
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory), stories)
        (path,) = Path(directory).glob("process-*.hw")
        raw = path.read_bytes()
        path.write_bytes(raw[: int(len(raw) * share)])
        try:
            document = as_dict(Path(directory))
        except HeadwayError:
            return
        for unit in document["units"]:
            if unit["kind"] == "thread" and unit["end_s"] is not None:
                parts = unit["states"]
                seconds = (
                    parts["start"]
                    + parts.get("unknown", 0)
                    + sum(sum(parts[state].values()) for state in ("ready", "running", "waiting"))
                )
                assert abs(seconds - (unit["end_s"] - unit["start_s"])) < 1e-6


@FEW
@given(st.lists(lives, min_size=1, max_size=2), st.binary(min_size=1, max_size=64), st.floats(0, 1))
def test_a_trace_with_bytes_changed_is_readable_or_a_clean_error(
    stories: list[Any], noise: bytes, share: float
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory), stories)
        (path,) = Path(directory).glob("process-*.hw")
        raw = bytearray(path.read_bytes())
        at = int((len(raw) - len(noise)) * share)
        raw[at : at + len(noise)] = noise
        path.write_bytes(raw)
        with suppress(HeadwayError):
            as_dict(Path(directory))
