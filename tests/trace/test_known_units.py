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


STARTS = """
import multiprocessing, os, subprocess, sys

def fork():
    pid = os.fork()  # fork
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def popen():
    subprocess.run(["true"], close_fds=True)  # popen

def spawn():
    pid = os.posix_spawn("/bin/true", ["true"], os.environ)  # posix_spawn
    os.waitpid(pid, 0)

def process():
    child = multiprocessing.get_context("fork").Process(target=int)
    child.start()  # multiprocessing
    child.join()

for start in (fork, popen, spawn, process):
    start()
"""


def test_a_process_shows_the_line_that_started_it(tmp_path: Path) -> None:
    traced = trace(STARTS, tmp_path=tmp_path)

    lines = (tmp_path / "prog.py").read_text().splitlines()
    root, *children = traced.processes()
    assert root["created_at"] is None
    places = [child["created_at"].rpartition(":") for child in children]
    assert {file for file, _, _ in places} == {str(tmp_path / "prog.py")}
    starts = [lines[int(line) - 1].rpartition("# ")[2] for _, _, line in places]
    assert starts == ["fork", "popen", "posix_spawn", "multiprocessing"]


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


def test_threads_of_a_child_that_is_killed_ran_no_longer_than_the_kernel_says(tmp_path: Path) -> None:
    program = """
        import hashlib, multiprocessing, os, threading, time
        def work(started):
            for _ in range(6):
                threading.Thread(target=hashlib.pbkdf2_hmac, args=("sha256", b"a", b"b", 10**9), daemon=True).start()
            started.set()
            time.sleep(600)
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            started = context.Event()
            child = context.Process(target=work, args=(started,))
            child.start()
            started.wait()
            time.sleep(1)
            child.kill()
            child.join()
            used = os.times()
            print(used.children_user + used.children_system)
    """
    traced = trace(program, tmp_path=tmp_path)

    (child,) = [one for one in traced.processes() if one["signal"] == 9]
    threads = traced.threads(child)
    assert len(threads) == 7
    running_s = sum(sum(thread["states"]["running"].values()) for thread in threads)
    assert 0.5 * traced.said < running_s <= 1.02 * traced.said + 0.03


def test_many_processes_that_compute_at_once_are_oversubscribed_and_few_are_not(tmp_path: Path) -> None:
    program = """
        import multiprocessing, os, sys, time
        def work(barrier, used):
            barrier.wait()
            end, before = time.monotonic() + 1, time.process_time()
            while time.monotonic() < end:
                sum(range(10_000))
            with used.get_lock():
                used.value += time.process_time() - before
        if __name__ == "__main__":
            context = multiprocessing.get_context("spawn")
            many = int(sys.argv[1]) * len(os.sched_getaffinity(0))
            barrier, used = context.Barrier(many), context.Value("d", 0)
            workers = [context.Process(target=work, args=(barrier, used)) for _ in range(many)]
            [worker.start() for worker in workers]
            [worker.join() for worker in workers]
            print(used.value)
    """
    few, many = (trace(program, number, tmp_path=tmp_path / number) for number in ("1", "10"))

    assert [one["kind"] for one in few.report["findings"]] == []
    # Where something else has cores meanwhile, it is not the program's doing alone.
    if many.said > 0.9 * many.report["cores"]:
        assert [one["kind"] for one in many.report["findings"]] == ["oversubscribed"]
