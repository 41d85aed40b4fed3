"""However a program ends, it ends so under the tracer, and leaves a trace that can be read."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headway.trace.report import as_dict
from observed import program_of, wait_until_blocked
from tracing import Traced, check_invariants, python, same, unnoticed

pytestmark = pytest.mark.native

THREADS = """
import ctypes, faulthandler, os, signal, sys, threading, time
never = threading.Lock()
never.acquire()
threading.Thread(target=never.acquire, name="stuck", daemon=True).start()
threading.Thread(target=time.sleep, args=(60,), name="asleep", daemon=True).start()
def show_faults():
    # The C stack, from 3.14 on, is not the same: our functions are on it.
    without = {"c_stack": False} if sys.version_info >= (3, 14) else {}
    faulthandler.enable(all_threads=False, **without)
def asleep(thread):
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"
quiet = 0
while quiet < 20:
    time.sleep(0.001)
    quiet = quiet + 1 if all(map(asleep, threading.enumerate()[1:])) else 0
print("begun", flush=True)
"""


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("os._exit(77)", 77),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
        ("os.abort()", -signal.SIGABRT),
        ("ctypes.string_at(0)", -signal.SIGSEGV),
        ("show_faults(); ctypes.string_at(0)", -signal.SIGSEGV),
        ("show_faults(); os.abort()", -signal.SIGABRT),
        ("os.kill(os.getpid(), signal.SIGTERM)", -signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, signal.SIG_IGN); os.kill(os.getpid(), signal.SIGTERM)", 0),
        ("sys.exit('with a message')", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("raise SystemExit(300)", 300 % 256),
        ("ctypes.CDLL(None).exit(5)", 5),
        ("ctypes.CDLL(None)._exit(6)", 6),
        ("ctypes.CDLL(None).quick_exit(7)", 7),
    ],
)
def test_an_end_of_the_process(end: str, status: int, tmp_path: Path) -> None:
    traced = unnoticed(f"{THREADS}{end}\n", tmp_path=tmp_path)

    assert traced.status == status
    assert traced.thread("asleep")["states"]["waiting"]["sleep"] > 0
    assert traced.thread("stuck")["states"]["waiting"]["lock"] > 0


@pytest.fixture(autouse=True)
def _sigint_is_not_ignored() -> Iterator[None]:
    """Where the tests run in the background of a shell, SIGINT is ignored, and children inherit that."""
    was = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, was)


def interrupted(program: str, signals: Callable[[int], None], tmp_path: Path) -> Traced:
    """Run a program plain and traced; each time send signals to its process group when it says `ready`."""
    path = tmp_path / "prog.py"
    path.write_text(textwrap.dedent(program))
    directory = tmp_path / "trace"
    ended = []
    for command in (python(path), [sys.executable, "-m", "headway", "trace", "-o", directory, path]):
        process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first == "ready\n", process.communicate()
        wait_until_blocked(program_of(process.pid) if "headway" in command else process.pid)
        signals(process.pid)
        try:
            stdout, stderr = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        ended.append(subprocess.CompletedProcess([str(path)], process.returncode, first + stdout, stderr))
    plain, ran = ended
    traced = Traced(directory, ran.returncode, ran.stdout, ran.stderr, as_dict(directory))
    check_invariants(traced)
    same(plain, traced)
    return traced


@pytest.mark.parametrize(
    "block",
    [
        "time.sleep(60)",
        "threading.Event().wait()",
        "lock.acquire()",
        "queue.Queue().get()",
        "thread.join()",
        "select.select([r], [], [])",
        "os.read(r, 1)",
        "signal.pause()",
        "subprocess.run(['sleep', '60'])",
        "[x for x in iter(int, 1)]",
    ],
)
def test_ctrl_c_in_a_call_that_blocks(block: str, tmp_path: Path) -> None:
    program = f"""
        import os, queue, select, signal, subprocess, threading, time
        r, w = os.pipe()
        lock = threading.Lock()
        lock.acquire()
        thread = threading.Thread(target=lock.acquire, daemon=True)
        thread.start()
        try:
            print("ready", flush=True)
            {block}
        except KeyboardInterrupt:
            print("interrupted")
            raise SystemExit(9)
    """
    traced = interrupted(program, lambda group: os.killpg(group, signal.SIGINT), tmp_path)

    assert traced.status == 9


def test_ctrl_c_that_nobody_catches(tmp_path: Path) -> None:
    program = """
        import sys, time
        sys.tracebacklimit = 0  # where it struck is a matter of chance
        print("ready", flush=True)
        while True:
            time.sleep(0.001)
    """
    traced = interrupted(program, lambda group: os.killpg(group, signal.SIGINT), tmp_path)

    assert traced.status == -signal.SIGINT


def test_a_program_that_answers_sigterm(tmp_path: Path) -> None:
    program = """
        import signal, sys, threading
        def leave(number, frame):
            print("asked to stop", flush=True)
            sys.exit(12)
        signal.signal(signal.SIGTERM, leave)
        print("ready", flush=True)
        threading.Event().wait()
    """
    traced = interrupted(program, lambda leader: os.kill(leader, signal.SIGTERM), tmp_path)

    assert traced.status == 12
