"""`headway trace` leaves the program as it is: streams, arguments, environment, signals, exit status."""

import contextlib
import errno
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from headway.trace.watch import EVERY_S
from observed import program_of, wait_until_blocked

pytestmark = pytest.mark.native

Headway = Callable[..., "subprocess.CompletedProcess[str]"]


def manifest(directory: Path) -> dict[str, Any]:
    found = json.loads((directory / "trace.json").read_text())
    assert isinstance(found, dict)
    return found


def write(directory: Path, source: str) -> str:
    (directory / "prog.py").write_text(source)
    return "prog.py"


def start(directory: Path, *args: str, **options: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "headway", "trace", *args],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@contextlib.contextmanager
def running(directory: Path, *args: str, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Start headway in a group of its own, and go on when the program has printed a line."""
    process = start(directory, *args, start_new_session=True, **options)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.communicate(timeout=30)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_streams_and_exit_status_are_the_programs_own(tmp_path: Path) -> None:
    source = "import sys; print(sys.stdin.read()[::-1]); print('oops', file=sys.stderr); sys.exit(7)"
    result = subprocess.run(
        [sys.executable, "-m", "headway", "trace", write(tmp_path, source)],
        cwd=tmp_path,
        input="abc",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (7, "cba\n")
    assert result.stderr.startswith("oops\n")


@pytest.mark.parametrize(
    ("args", "argv"),
    [
        (["prog.py", "-o", "x", "--help"], ["prog.py", "-o", "x", "--help"]),
        (["./prog.py", "--", "-m"], ["./prog.py", "--", "-m"]),
        (["--", sys.executable, "prog.py", "a b", ""], ["prog.py", "a b", ""]),
    ],
)
def test_arguments_after_the_program_are_the_programs(
    headway: Headway, tmp_path: Path, args: list[str], argv: list[str]
) -> None:
    write(tmp_path, "import sys, json; print(json.dumps([sys.argv, sys.path[0], sys.executable]))")
    result = headway("trace", *args)
    assert json.loads(result.stdout) == [argv, str(tmp_path), sys.executable]


def test_a_module_runs_as_python_runs_it(headway: Headway, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").touch()
    (tmp_path / "pack" / "inner.py").write_text("import sys; print(__name__, sys.argv[1:], __package__)")
    assert headway("trace", "-m", "pack.inner", "-m", "x").stdout == "__main__ ['-m', 'x'] pack\n"


def test_the_environment_gains_four_variables_and_loses_none(headway: Headway, tmp_path: Path) -> None:
    write(tmp_path, "import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))")
    environment, cwd = json.loads(
        headway("trace", "--buffer", "5", "--stack-threshold", "9", "prog.py").stdout
    )
    added = {key: value for key, value in environment.items() if key not in os.environ}
    assert cwd == str(tmp_path)
    assert {key: environment.get(key) for key in os.environ} == dict(os.environ)
    assert set(added) == {"LD_PRELOAD", "HEADWAY_TRACE_DIR", "HEADWAY_BUFFER_MB", "HEADWAY_STACK_US"}
    assert added["HEADWAY_TRACE_DIR"] == str(tmp_path / ".headway" / "trace-1")
    assert (added["HEADWAY_BUFFER_MB"], added["HEADWAY_STACK_US"]) == ("5", "9")
    assert os.path.isabs(added["LD_PRELOAD"])


def test_a_library_that_was_preloaded_stays_so(headway: Headway, tmp_path: Path) -> None:
    write(tmp_path, "import os; print(os.environ['LD_PRELOAD'])")
    first, second = headway("trace", "prog.py", env={"LD_PRELOAD": "libdl.so.2"}).stdout.strip().split(":")
    assert (os.path.isabs(first), second) == (True, "libdl.so.2")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGINT", "SIGSEGV", "SIGABRT", "SIGUSR1"])
def test_headway_dies_of_the_signal_that_the_program_died_of(
    headway: Headway, tmp_path: Path, name: str
) -> None:
    source = f"""
import os, signal
signal.signal(signal.{name}, signal.SIG_DFL) if {name != "SIGKILL"} else None
os.kill(os.getpid(), signal.{name})
"""
    result = headway("trace", write(tmp_path, source))
    assert result.returncode == -signal.Signals[name]
    assert manifest(tmp_path / ".headway" / "trace-1")["exit"] == -signal.Signals[name]
    assert not list(tmp_path.glob("core*"))


def test_a_dying_program_leaves_no_core_of_headway(tmp_path: Path) -> None:
    limit = resource.getrlimit(resource.RLIMIT_CORE)
    source = "import resource; print(resource.getrlimit(resource.RLIMIT_CORE))"
    process = start(tmp_path, write(tmp_path, source))
    assert process.communicate()[0] == f"{limit}\n"


def test_the_manifest_says_what_ran(headway: Headway, tmp_path: Path) -> None:
    before_ns = time.monotonic_ns()
    write(
        tmp_path,
        "import sys, time\nwhile time.process_time() < 0.1: pass\nsys.exit(3)",
    )
    headway("trace", "-o", "t", "prog.py", "x")
    found = manifest(tmp_path / "t")
    assert before_ns < found["start_ns"] < found["end_ns"] < time.monotonic_ns()
    assert found["command"] == [sys.executable, "prog.py", "x"]
    assert (found["headway_trace"], found["exit"], found["cwd"]) == (1, 3, str(tmp_path))
    assert found["cores"] == len(os.sched_getaffinity(0))
    assert 0.1 <= found["cpu_s"] < 5
    assert found["options"] == {"buffer_mb": 64, "stack_threshold_us": 100}
    assert abs(found["start_unix_s"] - time.time()) < 60
    assert isinstance(found["pid"], int)


def test_traces_are_numbered_and_kept_out_of_git(headway: Headway, tmp_path: Path) -> None:
    write(tmp_path, "")
    (tmp_path / ".headway").mkdir()
    (tmp_path / ".headway" / "trace-8").mkdir()
    headway("trace", "prog.py")
    headway("trace", "prog.py")
    assert sorted(os.listdir(tmp_path / ".headway")) == [".gitignore", "trace-10", "trace-8", "trace-9"]
    assert (tmp_path / ".headway" / ".gitignore").read_text().splitlines()[-1] == "*"


def test_where_nothing_can_be_written_the_trace_goes_to_a_temporary_directory(
    headway: Headway, tmp_path: Path
) -> None:
    write(tmp_path, "print('ran')")
    result = headway("trace", tmp_path / "prog.py", cwd=Path("/proc"), env={"TMPDIR": str(tmp_path)})
    (trace,) = tmp_path.glob("headway-trace-*")
    assert result.stdout == "ran\n"
    assert "the current directory cannot be written" in " ".join(result.stderr.split())
    assert manifest(trace)["exit"] == 0


def test_a_library_at_a_path_with_a_space_is_preloaded_by_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway import _native
    from headway.trace import launch

    place = tmp_path / "my programs"
    place.mkdir()
    library = place / _native.NAME
    library.write_bytes(_native.library().read_bytes())
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(_native, "library", lambda: library)
    for number in (1, 2):
        run = launch.launch([sys.executable, "-c", "pass"], directory=tmp_path / f"t{number}")
        assert (run.status, list(run.directory.glob("*.hw")) != []) == (0, True)
    assert len(list((tmp_path / f"headway-{os.getuid()}").iterdir())) == 1


def test_a_syntax_error_is_the_programs_own_error(headway: Headway, tmp_path: Path) -> None:
    result = headway("trace", write(tmp_path, "def ("))
    assert result.returncode == 1
    assert "SyntaxError" in result.stderr


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_for_headway_is_passed_on(tmp_path: Path, signum: signal.Signals) -> None:
    source = f"""
import signal, sys, time
signal.signal({int(signum)}, lambda *_: sys.exit(42))
print("ready", flush=True)
while True: time.sleep(0.05)
"""
    with running(tmp_path, write(tmp_path, source)) as process:
        process.send_signal(signum)
    assert process.returncode == 42


def test_where_the_end_of_children_is_ignored_the_exit_status_is_known(tmp_path: Path) -> None:
    program = write(tmp_path, "import time\ntime.sleep(0.2)\nraise SystemExit(7)")
    shell = f'trap "" CHLD; exec {sys.executable} -m headway trace {program}'
    result = subprocess.run(["sh", "-c", shell], cwd=tmp_path, capture_output=True, check=False)
    assert result.returncode == 7, result.stderr


def test_ctrl_c_is_answered_by_the_program_and_headway_still_reports(tmp_path: Path) -> None:
    source = """
import time
try:
    print("ready", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    raise SystemExit(5)
"""
    with running(tmp_path, write(tmp_path, source)) as process:
        wait_until_blocked(program_of(process.pid))
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == 5
    assert manifest(tmp_path / ".headway" / "trace-1")["exit"] == 5


def test_a_program_that_ctrl_c_kills_takes_headway_with_it(tmp_path: Path) -> None:
    source = "import time\nprint('ready', flush=True)\ntime.sleep(60)"
    with running(tmp_path, write(tmp_path, source)) as process:
        wait_until_blocked(program_of(process.pid))
        os.killpg(process.pid, signal.SIGINT)
    assert process.returncode == -signal.SIGINT


def dispositions(status: str) -> list[int]:
    """The ignored and blocked signals in a /proc/PID/status, without glibc's own two, 32 and 33.

    A child of posix_spawn has these ignored until a thread of it needs them; no program can see that
    otherwise.
    """
    masks = [line.split()[1] for line in status.splitlines() if line.startswith(("SigIgn", "SigBlk"))]
    return [int(mask, 16) & ~(3 << 31) for mask in masks]


@pytest.mark.parametrize("ignored", [[], [signal.SIGINT, signal.SIGQUIT, signal.SIGHUP], [signal.SIGUSR1]])
def test_the_program_finds_the_signals_as_headway_found_them(tmp_path: Path, ignored: list[int]) -> None:
    shell = (
        ["sh", "-c", f"trap '' {' '.join(str(int(s)) for s in ignored)}; exec \"$@\"", "sh"]
        if ignored
        else []
    )
    plain, traced = (
        subprocess.run(
            [*shell, *tracer, "cat", "/proc/self/status"], cwd=tmp_path, capture_output=True, text=True
        )
        for tracer in ([], [sys.executable, "-m", "headway", "trace", "--"])
    )
    assert plain.returncode == traced.returncode == 0
    assert dispositions(plain.stdout) == dispositions(traced.stdout)


def stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.005)


def test_job_control_stops_and_continues_both(tmp_path: Path) -> None:
    source = """
import os
print("ready", flush=True)
os.read(0, 1)
"""
    write(tmp_path, source)
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "headway", "trace", "-o", "t", "prog.py"],
        cwd=tmp_path,
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    wait_for(lambda: manifest(tmp_path / "t")["pid"] is not None)
    program = manifest(tmp_path / "t")["pid"]
    # SIGSTOP in place of SIGTSTP: a group without a terminal's session behind it is orphaned, and may not be
    # stopped.
    os.killpg(process.pid, signal.SIGSTOP)
    wait_for(lambda: stopped(process.pid) and stopped(program))
    time.sleep(1.2 * EVERY_S)  # what headway waits for is over when it goes on
    os.killpg(process.pid, signal.SIGCONT)
    wait_for(lambda: not stopped(process.pid) and not stopped(program))
    os.write(writer, b"x")
    assert process.wait() == 0
    process.stdout.close()
    os.close(reader)
    os.close(writer)


def test_ctrl_c_in_a_terminal_reaches_the_program_once(tmp_path: Path) -> None:
    source = """
import signal, sys, time
count = []
signal.signal(signal.SIGINT, lambda *_: count.append(1))
print("tty", sys.stdin.isatty(), flush=True)
while not count: time.sleep(0.05)
time.sleep(0.2)
sys.exit(10 + len(count))
"""
    write(tmp_path, source)
    terminal, end = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "headway", "trace", "prog.py"],
        cwd=tmp_path,
        stdin=end,
        stdout=end,
        stderr=end,
    )
    os.close(end)
    seen = b""
    while b"tty True" not in seen:
        seen += os.read(terminal, 1000)
    os.write(terminal, b"\x03")
    with contextlib.suppress(OSError):
        while os.read(terminal, 1000):
            pass
    assert process.wait() == 11
    os.close(terminal)


def test_the_waiting_launcher_uses_no_cpu(tmp_path: Path) -> None:
    source = """
import os, time
def cpu(): return open(f"/proc/{os.getppid()}/stat").read().rpartition(")")[2].split()[11:13]
time.sleep(0.2)
before = cpu()
time.sleep(0.5)
print(before == cpu())
"""
    process = start(tmp_path, write(tmp_path, source))
    assert process.communicate()[0] == "True\n"


def test_a_report_that_fails_is_one_line_and_keeps_the_exit_status(tmp_path: Path) -> None:
    source = "import os, shutil; shutil.rmtree(os.environ['HEADWAY_TRACE_DIR']); os._exit(9)"
    process = start(tmp_path, write(tmp_path, source))
    _, err = process.communicate()
    assert process.returncode == 9
    assert "headway: the report failed: " in err
    assert "Traceback" not in err


def test_on_a_disk_that_is_full_by_the_end_the_exit_status_is_still_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from headway.trace import launch

    def refuse(where: Path, manifest: dict[str, Any]) -> None:
        if manifest["pid"] is not None:
            raise OSError(errno.ENOSPC, "No space left on device")
        write_manifest(where, manifest)

    write_manifest = launch._write_manifest
    monkeypatch.setattr(launch, "_write_manifest", refuse)
    run = launch.launch([sys.executable, "-c", "raise SystemExit(4)"], directory=tmp_path / "t")
    assert run.said == ()
    assert manifest(tmp_path / "t")["exit"] == 4


def test_json_is_written_beside_the_report(headway: Headway, tmp_path: Path) -> None:
    result = headway("trace", "--json", "r.json", write(tmp_path, "pass"))
    assert result.returncode == 0
    assert result.stdout == ""
    assert json.loads((tmp_path / "r.json").read_text())["headway"] == 1
