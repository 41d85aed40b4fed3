"""Who held the GIL, who waited for it and who ran without it, for known times."""

import os
from pathlib import Path

import pytest

from tracing import Report, Traced, close, noise_s, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def running_s(thread: Report) -> float:
    """Time on a core: what the CPU clock measures, waits for a core left out."""
    return float(sum(thread["states"]["running"].values()))


def gil_of(traced: Traced) -> Report:
    (gil,) = traced.report["gils"]
    assert isinstance(gil, dict)
    return gil


def cpu_ticks() -> list[int]:
    """What the cores did since the machine's start; the fourth is: nothing."""
    with open("/proc/stat") as stat:
        return [int(word) for word in stat.readline().split()[1:]]


def test_a_thread_that_sleeps_with_the_gil_shows_that_it_held_it(tmp_path: Path) -> None:
    traced = trace("gil", "hold_and_sleep", tmp_path=tmp_path)

    said, holder = traced.said, traced.thread("holder")
    held_s = (said["hold_to_ns"] - said["hold_from_ns"]) / 1e9
    assert close(holder["gil_held_s"], held_s, noise_s=noise_s(holder))
    assert holder["states"]["waiting"]["sleep"] > held_s


def test_a_thread_that_waits_for_the_gil_shows_how_long(tmp_path: Path) -> None:
    traced = trace("gil", "hold_and_sleep", tmp_path=tmp_path)

    said, sleeper = traced.said, traced.thread("sleeper")
    away_s = (said["sleep_to_ns"] - said["sleep_from_ns"]) / 1e9
    slept_s = sleeper["states"]["waiting"]["sleep"]
    assert slept_s == pytest.approx(0.1, abs=0.05)
    assert sleeper["states"]["ready"]["gil"] > 0.1
    assert close(sleeper["states"]["ready"]["gil"], away_s - slept_s, noise_s=noise_s(sleeper))
    assert gil_of(traced)["exact"] is True


def test_a_long_c_call_shows_as_python_for_as_long_as_its_cpu_clock_ran(tmp_path: Path) -> None:
    traced = trace("gil", "long_c_call", tmp_path=tmp_path)

    holder = traced.thread("holder")
    assert close(holder["states"]["running"]["python"], traced.said["holder_cpu_s"])
    assert holder["states"]["running"]["native"] < 0.001


def test_a_cpu_bound_thread_shows_its_cpu_time_as_python(tmp_path: Path) -> None:
    traced = trace("gil", "alone", tmp_path=tmp_path)

    holder = traced.thread("holder")
    assert close(holder["states"]["running"]["python"], traced.said["holder_cpu_s"])
    assert close(holder["gil_held_s"], traced.said["holder_s"], noise_s=noise_s(holder))


def test_the_holds_of_three_cpu_bound_threads_add_up_to_the_wall_time(tmp_path: Path) -> None:
    shares, excused = [], []
    for attempt in range(5):
        ticks_before = cpu_ticks()
        traced = trace("gil", "three", tmp_path=tmp_path / str(attempt))
        ticks = [now - before for now, before in zip(cpu_ticks(), ticks_before, strict=True)]
        said = traced.said
        held_s = sum(traced.thread(name)["gil_held_s"] for name in ("t0", "t1", "t2"))
        shares.append(held_s / said["wall_s"])
        assert shares[-1] < 1.002, "two threads held one GIL at once"
        if shares[-1] > 0.98:
            return
        # A thread that was given the GIL must first get a core. On a busy machine, nobody holds it meanwhile.
        busy = (sum(ticks) - ticks[3]) / sum(ticks) * (os.cpu_count() or 1) > 1.3
        excused.append(busy and said["wall_s"] - held_s < sum(said[f"t{i}_line_s"] for i in range(3)))
    assert all(excused), f"shares of the wall time: {shares}"


def test_a_cpu_bound_thread_that_does_not_hold_the_gil_wants_it(tmp_path: Path) -> None:
    traced = trace("gil", "three", tmp_path=tmp_path)

    for name in ("t0", "t1", "t2"):
        thread = traced.thread(name)
        wanted_s = traced.said[f"{name}_s"] - thread["gil_held_s"]
        assert close(thread["states"]["ready"]["gil"], wanted_s, noise_s=noise_s(thread))
        # A little of its CPU time goes into waiting: it wakes up every 20 ms to ask for the GIL.
        assert 0.93 * traced.said[f"{name}_cpu_s"] < running_s(thread) < 1.02 * traced.said[f"{name}_cpu_s"]
        assert thread["states"]["running"]["native"] < 0.05 * running_s(thread)
    gil = gil_of(traced)
    assert sum(one["s"] for one in gil["held"]) == pytest.approx(gil["held_s"])


@pytest.mark.parametrize("name", ["zlib", "hashlib", "numpy0", "numpy1"])
def test_a_thread_that_works_without_the_gil_shows_native_time(name: str, native: Traced) -> None:
    thread = native.thread(name)

    assert native.said[f"{name}_cpu_s"] > 0.01
    assert close(running_s(thread), native.said[f"{name}_cpu_s"])
    assert thread["states"]["running"]["native"] > 0.9 * native.said[f"{name}_cpu_s"]
    assert thread["states"]["running"]["python"] < 0.2 * running_s(thread)


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace("gil", "native", tmp_path=tmp_path_factory.mktemp("native"))


def test_a_sleeping_thread_does_not_hold_the_gil(tmp_path: Path) -> None:
    traced = trace("gil", "waiting_for_io_holds_no_gil", tmp_path=tmp_path)

    assert traced.thread("sleeper")["gil_held_s"] < 0.01
    assert traced.thread("worker")["gil_held_s"] > 0.15
