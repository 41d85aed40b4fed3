"""Workers that die: one call is to blame, and all others are answered."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headway.errors import CannotSend, InitializerFailed, TimedOut, WorkerDied

from .conftest import Client, MakeClient


def segfault() -> None:
    import faulthandler

    faulthandler._sigsegv()  # type: ignore[attr-defined]


def leave() -> None:
    os._exit(7)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort() -> None:
    os.abort()


def close_everything() -> None:
    os.closerange(3, 100)
    time.sleep(100)


ENDS: list[tuple[Callable[[], None], int | None, int | None]] = [
    (segfault, None, signal.SIGSEGV),
    (leave, 7, None),
    (kill, None, signal.SIGKILL),
    (abort, None, signal.SIGABRT),
]


@pytest.mark.parametrize("whole", [True, False], ids=["one batch", "single calls"])
@pytest.mark.parametrize(("end", "code", "killed"), ENDS, ids=[end[0].__name__ for end in ENDS])
def test_one_of_twenty_calls_kills_its_worker_and_nineteen_are_kept(
    client: Client, end: Callable[[], None], code: int | None, killed: int | None, whole: bool
) -> None:
    def call(x: int) -> int:
        if x == 7:
            end()
        return x

    if whole:
        outcome = client.start(call, range(20)).wait()
        values, errors = outcome.values, outcome.errors
    else:
        outcomes = [outcome.wait() for outcome in client.each(call, range(20))]
        values = {n: outcome.values[0] for n, outcome in enumerate(outcomes) if outcome.values}
        errors = {n: outcome.errors[0] for n, outcome in enumerate(outcomes) if outcome.errors}
    assert values == {n: n for n in range(20) if n != 7}
    error = errors[7]
    assert isinstance(error, WorkerDied)
    assert (error.exit_code, error.signal) == (code, killed)
    assert "call(7)" in error.message
    if killed in (signal.SIGSEGV, signal.SIGABRT):
        assert "Fatal Python error" in error.fault
        assert f"in {end.__name__}" in error.message


def test_a_worker_whose_socket_is_closed_is_replaced(client: Client) -> None:
    outcome = client.start(lambda x: close_everything() if x == 1 else x, [0, 1, 2]).wait()
    assert outcome.values == {0: 0, 2: 2}
    assert isinstance(outcome.errors[1], WorkerDied)


def test_the_argument_in_the_message_is_short(client: Client) -> None:
    outcome = client.start(lambda x: os._exit(1), ["x" * 100_000]).wait()
    assert len(str(outcome.errors[0])) < 1000


def _sleep_at_one(x: int) -> int:
    time.sleep(100 if x == 1 else 0)
    return x


def _sleep_a_little(x: int) -> int:
    time.sleep(0.02)
    return x


def test_a_call_that_runs_too_long_is_stopped_and_the_others_run(client: Client) -> None:
    outcome = client.start(_sleep_at_one, [0, 1, 2], timeout_s=0.3).wait()
    assert outcome.values == {0: 0, 2: 2}
    assert isinstance(outcome.errors[1], TimedOut)
    assert "0.3 s" in str(outcome.errors[1])


def test_the_limit_is_of_each_call_and_not_of_the_batch(client: Client) -> None:
    assert client.run(_sleep_a_little, range(50), timeout_s=0.9) == list(range(50))


def test_a_call_that_holds_the_gil_is_stopped(make_client: MakeClient) -> None:
    # PyDLL keeps the GIL while usleep runs.
    outcome = (
        make_client(1).start(lambda x: ctypes.PyDLL(None).usleep(10**9) and x, [1], timeout_s=0.3).wait()
    )
    assert isinstance(outcome.errors[0], TimedOut)


def test_stop_ends_what_runs_and_drops_what_does_not(client: Client, tmp_path: Path) -> None:
    def wait(x: int) -> None:
        (tmp_path / str(x)).touch()
        time.sleep(1000)

    outcome = client.start(wait, range(10))
    while not list(tmp_path.iterdir()):
        pass
    assert outcome.batch is not None
    assert client.backend.stop(outcome.batch, TimedOut("enough"))
    outcome.wait()
    assert {type(error) for error in outcome.errors.values()} == {TimedOut}
    assert len(outcome.errors) == 10
    assert client.run(abs, [-1, -2]) == [1, 2]


def test_stop_leaves_other_batches_alone(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def wait(x: int) -> int:
        while not gate.exists():
            pass
        return x

    kept = [client.start(wait, [n]) for n in range(4)]
    stopped = client.start(wait, [9])
    assert stopped.batch is not None
    client.backend.stop(stopped.batch, TimedOut("enough"))
    gate.touch()
    assert [outcome.list() for outcome in kept] == [[n] for n in range(4)]
    assert isinstance(stopped.wait().errors[0], TimedOut)


def test_abort_stops_what_runs_and_cancels_the_rest(client: Client, tmp_path: Path) -> None:
    from concurrent.futures import CancelledError

    def wait(x: int) -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(1000)

    outcomes = client.each(wait, range(6))
    while len(list(tmp_path.iterdir())) < 2:
        pass
    client.backend.close(abort=True)
    assert all(isinstance(outcome.wait().errors[0], CancelledError) for outcome in outcomes)
    for path in tmp_path.iterdir():
        while Path(f"/proc/{path.name}").exists():
            pass


def test_an_initializer_that_raises_fails_all_calls(make_client: MakeClient) -> None:
    def initialize() -> None:
        raise ValueError("no licence")

    client = make_client(2, initializer=initialize)
    outcomes = [outcome.wait() for outcome in client.each(abs, range(5))]
    assert all(isinstance(outcome.errors[0], InitializerFailed) for outcome in outcomes)
    assert "no licence" in str(outcomes[0].errors[0])
    assert isinstance(outcomes[0].errors[0].__cause__, ValueError)


def test_workers_that_die_as_they_start_are_not_started_for_ever(make_client: MakeClient) -> None:
    client = make_client(2, initializer=os._exit, initargs=(3,))
    outcomes = [outcome.wait() for outcome in client.each(abs, range(5))]
    assert all(isinstance(outcome.errors[0], WorkerDied) for outcome in outcomes)


def test_an_initializer_that_cannot_be_sent_fails_all_calls(make_client: MakeClient) -> None:
    import threading

    client = make_client(2, initializer=print, initargs=(threading.Lock(),))
    error = client.start(abs, [1]).wait().errors[0]
    assert isinstance(error, CannotSend)
    assert error.path == "initializer[1][0]"


def _initialize(value: str) -> None:
    os.environ["HEADWAY_TEST"] = value


def test_an_initializer_runs_in_each_worker_before_its_first_call(make_client: MakeClient) -> None:
    client = make_client(2, initializer=_initialize, initargs=("set",))
    assert {o.list()[0] for o in client.each(lambda _: os.environ.get("HEADWAY_TEST"), range(8))} == {"set"}


class Bomb:
    """Kills the process that unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (5,)


class SlowBomb:
    """Takes longer to do so than a call may before what waits behind it is given to others."""

    def __reduce__(self) -> tuple[object, ...]:
        return exec, ("import os, time; time.sleep(0.05); os._exit(5)",)


@pytest.mark.parametrize("bomb", [Bomb(), SlowBomb()], ids=["at once", "slowly"])
def test_an_argument_that_kills_whoever_unpickles_it_fails_alone(client: Client, bomb: object) -> None:
    outcome = client.start(lambda x: 1, [0, bomb, 2]).wait()
    assert outcome.values == {0: 1, 2: 1}
    assert isinstance(outcome.errors[1], WorkerDied)


def test_a_worker_that_dies_while_it_is_idle_is_replaced(make_client: MakeClient) -> None:
    client = make_client(1)
    for _ in range(3):
        pid = client.run(lambda _: os.getpid(), [0])[0]
        os.kill(pid, signal.SIGKILL)
    assert client.run(abs, [-1]) == [1]


def test_a_limit_on_memory_fails_the_greedy_call_and_keeps_the_worker(make_client: MakeClient) -> None:
    client = make_client(1, memory_bytes=200_000_000)
    pid = client.run(lambda _: os.getpid(), [0])
    outcome = client.start(lambda n: len(bytearray(n)), [1000, 10**9, 2000]).wait()
    assert outcome.values == {0: 1000, 2: 2000}
    assert isinstance(outcome.errors[1], MemoryError)
    assert client.run(lambda _: os.getpid(), [0]) == pid
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] in (resource.RLIM_INFINITY, -1)


@pytest.mark.parametrize("initializer", [None, lambda: __import__("asyncio")])
def test_a_worker_that_cannot_work_within_its_memory_limit_says_so_and_prints_nothing(
    initializer: Callable[[], object] | None, make_client: MakeClient, capfd: pytest.CaptureFixture[str]
) -> None:
    client = make_client(1, memory_bytes=1, initializer=initializer)
    error = client.start(lambda x: x, [1]).wait().errors[0]
    assert isinstance(error, WorkerDied)
    assert "it has a memory limit of 1 bytes" in error.message
    assert "more memory_bytes" in (error.hint or "")
    assert capfd.readouterr().err == ""


class NeedsMemory:
    def __reduce__(self) -> tuple[type[bytearray], tuple[int]]:
        return bytearray, (10**9,)


def test_an_argument_that_needs_more_than_the_memory_limit_says_so(make_client: MakeClient) -> None:
    error = make_client(1, memory_bytes=50_000_000).start(len, [NeedsMemory()]).wait().errors[0]
    assert isinstance(error, CannotSend)
    assert error.message.endswith("MemoryError; it has a memory limit of 50000000 bytes")


def test_no_call_of_a_batch_runs_twice_when_its_worker_dies_later(client: Client, tmp_path: Path) -> None:
    def note(x: int) -> int:
        with open(tmp_path / str(x), "a") as file:
            file.write("x")
        time.sleep(0.001)  # longer than calls whose outcomes are sent together
        if x == 30:
            os._exit(1)
        return x

    outcome = client.start(note, range(60)).wait()
    assert len(outcome.values) == 59
    assert {path.read_text() for path in tmp_path.iterdir()} == {"x"}


@pytest.fixture
def memory_group() -> Iterator[Path]:
    """A control group whose processes have 300 MB together, after which the kernel kills one."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            parent, limit = Path(f"/sys/fs/cgroup/memory{path}"), "memory.limit_in_bytes"
        elif not controllers:
            parent, limit = Path(f"/sys/fs/cgroup{path}"), "memory.max"
        else:
            continue
        group = parent / f"headway-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            (group / limit).write_text(str(300 << 20))
        except OSError:
            group.rmdir()
            continue
        yield group
        while (group / "cgroup.procs").read_text():  # workers that are just being killed with their program
            time.sleep(0.01)
        group.rmdir()
        return
    pytest.skip("not for a machine on which this user can make no control group for memory")


def test_a_worker_that_the_kernel_kills_for_want_of_memory_loses_one_call(memory_group: Path) -> None:
    program = f"""
import os
open({str(memory_group / "cgroup.procs")!r}, "w").write(str(os.getpid()))
import headway

def call(x):
    blocks = []
    while x == 7:
        blocks.append(bytearray(1 << 24))
    return x

found = list(headway.map(call, range(20), on="processes", workers=2, on_error="return"))
print(sum(outcome == number for number, outcome in enumerate(found)), found[7])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("19 process ")
    assert "was killed by SIGKILL, likely out of memory, while it ran call(7)" in done.stdout
    assert "memory_bytes" in done.stdout
