"""Programs that make processes, or become other ones, do under the tracer what they do without it."""

import sys
from pathlib import Path

import pytest

from tracing import run, unnoticed

pytestmark = pytest.mark.native


def test_forks_of_forks_from_threads_while_others_run(tmp_path: Path) -> None:
    program = """
        import os, threading
        stop, lock = threading.Event(), threading.Lock()
        def work():
            while not stop.is_set():
                with lock:
                    sum(range(1000))
        def status(pid):
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        def fork():
            for _ in range(5):
                pid = os.fork()
                if pid == 0:
                    inner = os.fork()
                    if inner == 0:
                        os._exit(3)
                    os._exit(status(inner) + 4)
                assert status(pid) == 7
        workers = [threading.Thread(target=work) for _ in range(3)]
        forkers = [threading.Thread(target=fork) for _ in range(2)]
        [thread.start() for thread in workers + forkers]
        [thread.join() for thread in forkers]
        stop.set()
        [thread.join() for thread in workers]
        print("done")
    """
    traced = unnoticed(program, tmp_path=tmp_path, options=["-W", "ignore"])

    root, *children = traced.processes()
    assert len(children) == 20
    assert all(child["traced"] for child in children)
    assert [child["parent"] for child in children].count(root["id"]) == 10


def test_threads_in_a_forked_child(tmp_path: Path) -> None:
    program = """
        import os, threading
        threading.Thread(target=print, args=("parent",)).start()
        pid = os.fork()
        if pid == 0:
            lock = threading.Lock()
            def work():
                with lock:
                    return sum(range(100_000))
            threads = [threading.Thread(target=work) for _ in range(20)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            raise SystemExit(5)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """
    traced = unnoticed(program, tmp_path=tmp_path, options=["-W", "ignore", "-u"])

    _, child = traced.processes()
    assert len(traced.threads(child)) == 21
    assert child["gil"] is True


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_pools_of_processes(method: str, tmp_path: Path) -> None:
    traced = unnoticed("pools", method, tmp_path=tmp_path, options=["-W", "ignore"])

    assert len([process for process in traced.processes() if process["traced"]]) >= 6


def test_children_that_are_not_python(tmp_path: Path) -> None:
    program = """
        import os, subprocess
        print(subprocess.run(["sh", "-c", "ls / | wc -l; exit 3"]).returncode, flush=True)
        print(subprocess.run(["cat"], input=b"some text", capture_output=True))
        print(os.system("exit 4"), os.popen("echo piped").read())
        print(os.spawnlp(os.P_WAIT, "sh", "sh", "-c", "exit 5"))
        for command, cwd in ((["/nowhere/nothing"], None), (["true"], "/nowhere"), (["/etc/passwd"], None)):
            try:
                subprocess.run(command, cwd=cwd)
            except OSError as error:
                print(error)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError as error:
            print(error)
    """
    unnoticed(program, tmp_path=tmp_path, options=["-u"])


@pytest.mark.parametrize("how", ["run", "no_vfork", "preexec", "posix_spawn", "posix_spawnp", "new_session"])
def test_a_python_child_is_traced_however_it_was_made(how: str, tmp_path: Path) -> None:
    traced = unnoticed("spawns", how, tmp_path=tmp_path)

    _, child = traced.processes()
    assert child["traced"]
    assert child["gil"] is True


def test_a_child_with_an_empty_environment_runs_untraced(tmp_path: Path) -> None:
    program = """
        import ctypes, os, subprocess, sys
        code = "import os; print(sorted(set(os.environ) - {'LC_CTYPE'}))"
        print(subprocess.run([sys.executable, "-c", code], env={}, capture_output=True).stdout)
        ctypes.CDLL(None).clearenv()
        os.environ.clear()
        print(subprocess.run([sys.executable, "-c", code], capture_output=True).stdout)
        pid = os.posix_spawn(sys.executable, [sys.executable, "-c", code], {})
        print(os.waitpid(pid, 0)[1])
        if os.fork() == 0:
            os._exit(0)
        os.wait()
    """
    traced = unnoticed(program, tmp_path=tmp_path, options=["-u"])

    children = traced.processes()[1:]
    assert [child["traced"] for child in children] == [False, False, False, True]


def test_setuid_programs_run(tmp_path: Path) -> None:
    program = """
        import subprocess
        print(subprocess.run(["passwd", "-S"], capture_output=True, text=True))
        print(subprocess.run(["su", "--help"], capture_output=True, text=True))
    """
    unnoticed(program, tmp_path=tmp_path)


def test_becoming_other_programs_one_after_the_other(tmp_path: Path) -> None:
    program = """
        import os, sys, threading, time
        for path, words in (("/nowhere/nothing", ["x"]), ("/etc/passwd", ["x"])):
            try:
                os.execv(path, words)
            except OSError as error:
                print(error, flush=True)
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        shell = "os.execv('/bin/sh', ['sh', '-c', 'echo third; exit 9'])"
        os.execv(sys.executable, [sys.executable, "-c", f"import os; print('second', flush=True); {shell}"])
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert traced.status == 9
    assert len(traced.processes()) == 1
    assert [t["name"] for t in traced.threads()].count("main") >= 2


def test_a_program_that_becomes_true(tmp_path: Path) -> None:
    traced = unnoticed("import os\nos.execv('/bin/true', ['true'])\n", tmp_path=tmp_path)

    assert traced.status == 0
    assert traced.processes()[0]["traced"]


def test_a_command_that_is_not_python(tmp_path: Path) -> None:
    command = ["sh", "-c", "ls / | wc -l; echo done >&2; exit 3"]
    plain = run(command)
    traced = run([sys.executable, "-m", "headway", "trace", "-o", tmp_path / "trace", "--", *command])

    assert (traced.stdout, traced.returncode) == (plain.stdout, plain.returncode)
    assert traced.stderr.startswith(plain.stderr)


def test_a_child_that_outlives_its_parent(tmp_path: Path) -> None:
    program = """
        import os
        r, w = os.pipe()
        if os.fork() == 0:
            os.setsid()
            os.close(w)
            os.read(r, 1)  # until the parent has ended
            print("the child is done", flush=True)
            os._exit(0)
        print("the parent is done", flush=True)
    """
    unnoticed(program, tmp_path=tmp_path)
