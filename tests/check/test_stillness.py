"""What waits for a real thing for ever is told as soon as the kernel says so, and nothing else is."""

import platform
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from headway.check.stillness import _waits_for_ever, stillness

KNOWN = platform.machine() in ("x86_64", "aarch64")
FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine(), 0)


def told(program: str) -> str:
    """What a program prints, which runs alone: the threads of other tests wait in other ways."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.skipif(not KNOWN, reason="the number of futex is known for x86-64 and arm64")
@pytest.mark.parametrize("carrier", ["threads", "greenlets"])
def test_a_real_lock_that_another_unit_has_is_told_as_a_wait_for_ever(carrier: str) -> None:
    printed = told(f"""
        import _thread, threading
        from headway import CannotControl, explore

        real = _thread.allocate_lock()
        real.acquire()  # as it is held now, it stays what it is

        def scenario():
            thread = threading.Thread(target=real.acquire)
            thread.start()
            thread.join()

        try:
            explore(scenario, carrier={carrier!r}, granularity="sync")
        except CannotControl as error:
            print(error, flush=True)
        import os
        os._exit(0)
    """)
    assert "waits for ever at" in printed


@pytest.mark.skipif(not KNOWN, reason="the number of futex is known for x86-64 and arm64")
def test_threads_that_wait_until_some_time_or_for_the_gil_are_not_still() -> None:
    printed = told("""
        import os, threading, time
        from headway.check.stillness import stillness

        def works():
            while True:
                pass

        print(stillness())
        lock, event = threading.Lock(), threading.Event()
        lock.acquire()
        threading.Thread(target=lock.acquire).start()
        while not (first := stillness()) or first != stillness():  # it may wait shortly for others when it starts
            time.sleep(0.01)
        for work in (lambda: event.wait(100), works):
            thread = threading.Thread(target=work)
            thread.start()
            seen = set()
            for _ in range(20):
                time.sleep(0.01)
                seen.add(stillness())
            print(seen)
            event.set()
            if work is not works:
                thread.join()
        print(flush=True)
        os._exit(0)
    """)
    assert printed.split() == ["()", "{None}", "{None}"]


def test_a_thread_that_has_gone_on_and_waits_again_is_not_as_it_was() -> None:
    go, done = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        while True:
            go.acquire()
            done.release()

    threading.Thread(target=work, daemon=True).start()
    for _ in range(5):
        before = stillness()
        go.release()
        done.acquire()
        time.sleep(0.01)
        after = stillness()
        assert before is None or after is None or before != after


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (f"{FUTEX} 0x55faabb1bc10 0x189 0x0 0x0 0x0 0xffffffff 0x7fcf9737c950 0x7fcf976a3f16", True),
        (f"{FUTEX} 0x55faabb1bc10 0x80 0x2 0x0 0x0 0x0 0x7fcf9737c950 0x7fcf976a3f16", True),
        (f"{FUTEX} 0x55faabb1bc10 0x89 0x0 0x7fcf96b7b9f0 0x0 0xffffffff 0x7fcf96b7b940 0x7fcf976a3f16", False),
        (f"{FUTEX} 0x55faabb1bc10 0x109 0x0 0x0 0x0 0xffffffff 0x7fcf9737c950 0x7fcf976a3f16", False),
        ("45 0x3 0x7fcf9747b2f0 0x1 0x0 0x0 0x0 0x7fcf95b79a10 0x7fcf97728974", False),
        ("running", False),
    ],
)  # fmt: skip
@pytest.mark.skipif(not KNOWN, reason="the number of futex is known for x86-64 and arm64")
def test_only_a_wait_for_memory_of_this_process_without_a_time_limit_is_for_ever(
    call: str, expected: bool
) -> None:
    assert _waits_for_ever(call) is expected
