"""Signals and errno reach a traced program as they reach a plain one."""

from pathlib import Path

import pytest

from tracing import unnoticed

pytestmark = pytest.mark.native


def test_errno_after_every_kind_of_call(tmp_path: Path) -> None:
    traced = unnoticed("errnos", tmp_path=tmp_path)

    assert len(traced.stdout.splitlines()) > 40


def test_alarms_during_calls_that_block_and_go_on(tmp_path: Path) -> None:
    program = """
        import os, select, signal, threading, time
        count = 0
        def tick(number, frame):
            global count
            count += 1
        signal.signal(signal.SIGALRM, tick)
        signal.setitimer(signal.ITIMER_REAL, 0.002, 0.002)
        r, w = os.pipe()
        lock = threading.Lock()
        lock.acquire()
        def at_least(block):
            start = time.monotonic()
            result = block()
            return result, time.monotonic() - start >= 0.05
        print(at_least(lambda: time.sleep(0.05)))
        print(at_least(lambda: select.select([r], [], [], 0.05)))
        print(at_least(lambda: lock.acquire(timeout=0.05)))
        print(at_least(lambda: threading.Event().wait(0.05)))
        poll = select.poll()
        poll.register(r)
        print(at_least(lambda: poll.poll(51)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(count > 10)
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert traced.thread("main")["states"]["waiting"]["sleep"] > 0.04


@pytest.mark.parametrize(
    "block",
    [
        "time.sleep(60)",
        "lock.acquire()",
        "os.read(r, 1)",
        "select.select([r], [], [])",
        "signal.pause()",
        "thread.join()",
    ],
)
def test_a_handler_that_raises_out_of_a_call_that_blocks(block: str, tmp_path: Path) -> None:
    program = f"""
        import os, select, signal, threading, time
        class Alarm(Exception):
            pass
        def ring(number, frame):
            raise Alarm
        signal.signal(signal.SIGALRM, ring)
        r, w = os.pipe()
        lock = threading.Lock()
        lock.acquire()
        thread = threading.Thread(target=lock.acquire, daemon=True)
        thread.start()
        for _ in range(3):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.01)
                {block}
                signal.setitimer(signal.ITIMER_REAL, 0)  # a join() on 3.11 that was interrupted once returns at once
            except Alarm:
                print("alarm")
    """
    unnoticed(program, tmp_path=tmp_path)


def test_a_handler_that_forks(tmp_path: Path) -> None:
    program = """
        import os, signal, time
        def fork(number, frame):
            pid = os.fork()
            if pid == 0:
                os._exit(5)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        signal.signal(signal.SIGALRM, fork)
        signal.setitimer(signal.ITIMER_REAL, 0.005)
        time.sleep(0.05)
        for _ in range(5):
            signal.raise_signal(signal.SIGALRM)
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert len(traced.processes()) == 7


def test_a_handler_in_c_that_interrupts_the_tracer_itself(tmp_path: Path) -> None:
    program = """
        import ctypes, signal, threading, time
        libc = ctypes.CDLL(None)
        count = ctypes.c_long(0)
        # raise() of another signal, whose handler is Python's own, in the middle of anything.
        signal.signal(signal.SIGUSR1, lambda number, frame: None)
        handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(lambda number: None)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)
        signal.signal(signal.SIGPROF, lambda number, frame: signal.raise_signal(signal.SIGUSR1))
        lock = threading.Lock()
        def work():
            until = time.thread_time() + 0.05
            while time.thread_time() < until:
                with lock:
                    time.sleep(0)
        threads = [threading.Thread(target=work) for _ in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        signal.setitimer(signal.ITIMER_PROF, 0)
        print("done")
    """
    unnoticed(program, tmp_path=tmp_path)


def test_masks_and_dispositions_are_the_callers_own(tmp_path: Path) -> None:
    program = """
        import signal
        print(signal.pthread_sigmask(signal.SIG_BLOCK, []))
        print({name: str(signal.getsignal(name)) for name in sorted(signal.valid_signals())})
        status = dict(line.split(":") for line in open("/proc/self/status"))
        own = ~(3 << 31)  # 32 and 33 belong to glibc
        print([hex(int(status[name], 16) & own) for name in ("SigPnd", "SigBlk", "SigIgn", "SigCgt")])
    """
    unnoticed(program, tmp_path=tmp_path)
