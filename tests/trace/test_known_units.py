"""Threads, processes and interpreters: their names, who made them, and what the kernel says they used."""

import sys
from pathlib import Path

import pytest

from tracing import noise_s, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def test_cores_used_agrees_with_the_kernel(tmp_path: Path) -> None:
    traced = trace("workload", tmp_path=tmp_path)

    kernel_s = traced.said["cpu_s"]
    # The interpreter's own end comes after the program has asked.
    assert kernel_s <= traced.report["cpu_s"] <= 1.02 * kernel_s + 0.03
    report = traced.report
    assert report["cores_used"] == pytest.approx(report["cpu_s"] / report["wall_s"], rel=0.001)


def test_running_time_of_all_threads_agrees_with_the_kernel(tmp_path: Path) -> None:
    traced = trace("workload", tmp_path=tmp_path)

    running_s = sum(sum(thread["states"]["running"].values()) for thread in traced.threads())
    line_s = sum(noise_s(thread) for thread in traced.threads())
    before_s = traced.processes()[0]["start_s"]  # the loader and libc, not traced
    assert running_s + before_s == pytest.approx(traced.said["cpu_s"], rel=0.02, abs=0.02 + 0.05 * line_s)


def test_a_forked_child_shows_its_parent_and_the_thread_that_made_it(tmp_path: Path) -> None:
    traced = trace("workload", tmp_path=tmp_path)

    parent, child = traced.processes()
    assert child["parent"] == parent["id"]
    assert traced.name(child["started_by"]) == "main"
    assert child["traced"]
    (thread,) = traced.threads(child)
    assert thread["states"]["running"]["native"] > 0.1


def test_threads_have_their_names_and_show_who_started_them(tmp_path: Path) -> None:
    program = """
        import threading
        def inner():
            pass
        def outer():
            thread = threading.Thread(target=inner, name="größer 日本")
            thread.start()
            thread.join()
        threads = [threading.Thread(target=outer, name="starter"), threading.Thread(target=inner)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    """
    traced = trace(program, tmp_path=tmp_path)

    names = {thread["name"]: traced.name(thread["parent"]) for thread in traced.threads()}
    assert names == {
        "main": "prog.py",
        "starter": "main",
        "größer 日本": "starter",
        "Thread-1 (inner)": "main",
    }


@pytest.mark.skipif(sys.version_info < (3, 12), reason="not for Python 3.11: all interpreters share one GIL")
def test_interpreters_with_their_own_gil_are_told_apart(tmp_path: Path) -> None:
    traced = trace("interpreters", tmp_path=tmp_path)

    gils = traced.report["gils"]
    for name in ("one", "two"):
        thread = traced.thread(name)
        held = [one["s"] for gil in gils for one in gil["held"] if one["unit"] == thread["id"]]
        long = [s for s in held if s > 0.05]
        assert len(long) == 1, "the loop holds one GIL, the one of its interpreter"
        assert long[0] > 0.19
        # Neither waits for the other.
        assert thread["states"]["ready"]["gil"] < 0.05
        assert sum(thread["states"]["running"].values()) == pytest.approx(traced.said[name], rel=0.02)
    assert len(gils) == 3
