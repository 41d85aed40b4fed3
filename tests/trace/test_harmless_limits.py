"""Where room is short or taken away, the program goes on; the trace says what is missing."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headway.trace.report import as_dict
from tracing import Traced, check_invariants, needs_root, python, run, same, source_file, trace, unnoticed

pytestmark = pytest.mark.native

WORK = """
import os, sys, threading, time, warnings
warnings.simplefilter("ignore")  # fork warns of a joined thread that has not quite gone
lock = threading.Lock()
def work():
    for _ in range(10):
        with lock:
            time.sleep(0)
def threads(n):
    made = [threading.Thread(target=work) for _ in range(n)]
    [thread.start() for thread in made]
    [thread.join() for thread in made]
def child():
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        threads(3)
        os._exit(4)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""


@pytest.mark.parametrize(
    "first",
    [
        "ulimit -f 0",
        "ulimit -f 100",
        "ulimit -f 20000",
        "ulimit -n 16",
        "ulimit -v 2000000",
        "ulimit -d 400000",
        "ulimit -s 256",
        "ulimit -c 0",
        "umask 777",
    ],
)
def test_limits_from_outside(first: str, tmp_path: Path) -> None:
    traced = unnoticed(f"{WORK}\nthreads(10)\nprint(child())\n", tmp_path=tmp_path, first=first)

    assert traced.stdout == "4\n"


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("FSIZE", 0),
        ("FSIZE", 300_000),
        ("NOFILE", 3),
        ("AS", 4000 << 20),
        ("DATA", 400 << 20),
        ("MEMLOCK", 0),
    ],
)
def test_limits_that_the_program_sets_itself(limit: str, value: int, tmp_path: Path) -> None:
    program = f"""{WORK}
import resource
threads(3)
if {limit == "NOFILE"}:
    os.listdir("/")  # what it needs to know is imported
resource.setrlimit(resource.RLIMIT_{limit}, ({value}, {value}))
threads(30)
print(child())
"""
    unnoticed(program, tmp_path=tmp_path)


def test_a_program_that_has_hardly_any_address_space_left_over(tmp_path: Path) -> None:
    program = """
        import resource
        status = dict(line.split(":") for line in open("/proc/self/status"))
        used = int(status["VmSize"].split()[0]) << 10
        resource.setrlimit(resource.RLIMIT_AS, (used + (50 << 20),) * 2)
        blocks = []
        try:
            while len(blocks) < 1000:
                blocks.append(bytearray(1 << 20))
        except MemoryError:
            pass
        print(40 < len(blocks) <= 52)
    """
    unnoticed(program, tmp_path=tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a file system of so many KiB, for this test."""
    at = tmp_path / "disk"
    at.mkdir()

    def mount(kib: int) -> Path:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "headway-test", at], check=True)
        return at

    yield mount
    subprocess.run(["umount", "-l", at], check=False)


@needs_root
@pytest.mark.parametrize("kib", [160, 320, 800])
def test_a_disk_that_becomes_full(kib: int, tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    program = f"{WORK}\nthreads(200)\nprint(child(), child())\n"

    traced = unnoticed(program, tmp_path=tmp_path, directory=small_disk(kib) / "trace")

    assert traced.stdout == "4 4\n"
    if kib < 800:
        # Nothing is dropped in silence.
        assert traced.report["notes"] or traced.report["dropped_events"]
        assert "disk" in str(traced.report["notes"]) or traced.report["dropped_events"]


@needs_root
def test_a_disk_that_the_program_fills_itself(tmp_path: Path, small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(1000)
    program = f"""{WORK}
threads(3)
with open({str(disk / "rest")!r}, "wb", buffering=0) as rest:
    try:
        while True:
            rest.write(bytes(4096))
    except OSError as error:
        print(error.strerror)
threads(100)
print(child())
os.remove({str(disk / "rest")!r})
threads(10)
"""
    traced = unnoticed(program, tmp_path=tmp_path, directory=disk / "trace")

    assert traced.report["notes"]


def test_a_trace_directory_that_is_removed_meanwhile(tmp_path: Path) -> None:
    directory = tmp_path / "trace"
    program = f"""{WORK}
import shutil
shutil.rmtree({str(directory)!r}, ignore_errors=True)
threads(300)
print(child())
"""
    path = source_file(program, tmp_path)
    plain = run(python(path))
    ended = run([sys.executable, "-m", "headway", "trace", "-o", directory, path], cwd=tmp_path)

    assert (ended.stdout, ended.returncode) == (plain.stdout, plain.returncode)
    assert "Traceback" not in ended.stderr
    assert str(directory) in ended.stderr


def test_a_trace_directory_that_is_moved_meanwhile(tmp_path: Path) -> None:
    before, after = tmp_path / "trace", tmp_path / "moved"
    program = f"{WORK}\nos.rename({str(before)!r}, {str(after)!r})\nthreads(300)\n"
    path = source_file(program, tmp_path)

    ended = run([sys.executable, "-m", "headway", "trace", "-o", before, path], cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert len(as_dict(after)["units"]) > 2


def test_a_directory_that_cannot_be_written_is_said_before_anything_runs(tmp_path: Path) -> None:
    for where in ("/proc/nothing", "/dev/null/trace"):
        ended = run([sys.executable, "-m", "headway", "trace", "-o", where, "-c", "print(1)"], cwd=tmp_path)
        assert ended.returncode in (2, 3)
        assert ended.stderr.startswith("error: ")
        assert ended.stdout == ""


@pytest.mark.parametrize("where", ["/nowhere", "/proc", "/dev/null", "", "relative", "/" + "x" * 600])
def test_the_library_with_a_directory_that_is_none(where: str, tmp_path: Path) -> None:
    from headway import _native

    path = source_file(f"{WORK}\nthreads(5)\nprint(child())\n", tmp_path)
    plain = run(python(path))
    environment = os.environ | {"LD_PRELOAD": str(_native.library()), "HEADWAY_TRACE_DIR": where}

    traced = run(python(path), env=environment)

    assert (traced.stdout, traced.stderr, traced.returncode) == (plain.stdout, plain.stderr, plain.returncode)


@needs_root
def test_a_program_that_changes_its_root(tmp_path: Path) -> None:
    program = f"""{WORK}
import tempfile
threads(3)
root = tempfile.mkdtemp()
os.chroot(root)
os.chdir("/")
threads(300)
print(child(), os.listdir("/"))
"""
    unnoticed(program, tmp_path=tmp_path)


@needs_root
def test_a_program_that_gives_up_its_rights(tmp_path: Path) -> None:
    program = f"""{WORK}
threads(3)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
threads(300)
print(child(), os.getuid())
"""
    traced = unnoticed(program, tmp_path=tmp_path)

    assert traced.report["units"]


def test_the_timeline_that_did_not_fit_is_said_and_totals_are_whole(tmp_path: Path) -> None:
    program = """
        import json, threading, time
        a, b = threading.Semaphore(0), threading.Semaphore(0)
        def ping(mine, other):
            for _ in range(20_000):
                mine.acquire()
                other.release()
        threads = [threading.Thread(target=ping, args=pair) for pair in ((a, b), (b, a))]
        [thread.start() for thread in threads]
        a.release()
        [thread.join() for thread in threads]
    """
    path = source_file(program, tmp_path)
    directory = tmp_path / "trace"
    command = [sys.executable, "-m", "headway", "trace", "--buffer", "1", "-o", directory, path]

    ended = run(command, cwd=tmp_path)

    traced = Traced(directory, ended.returncode, ended.stdout, ended.stderr, as_dict(directory))
    check_invariants(traced)
    assert traced.report["dropped_events"] > 10_000
    assert traced.report["timeline_from_s"] > 0
    assert sum(f.stat().st_blocks * 512 for f in directory.iterdir()) < 3 << 20


def test_a_plain_and_a_traced_run_are_really_compared(tmp_path: Path) -> None:
    traced = trace("print(1)\n", tmp_path=tmp_path)
    with pytest.raises(AssertionError):
        same(subprocess.CompletedProcess([], 0, "2\n", ""), traced)
