"""Workers begin, are reused, and end with the program, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from observed import wait_until_blocked

from .conftest import MakeClient

RUN = """
import os, sys, threading
from headway.run.backends.contract import Setup
from headway.run.backends.processes import Processes
from headway.run.batch import Batch

def run(backend, fn, items, **options):
    done, values = threading.Event(), {}
    def sink(portion):
        for place, value in enumerate(portion.values):
            values[portion.first + place] = portion.errors.get(place, value)
        if len(values) == len(items):
            done.set()
    backend.submit(Batch(fn, items, sink, **options))
    done.wait()
    return [values[place] for place in range(len(items))]
"""


def script(body: str) -> str:
    return RUN + textwrap.dedent(body)


def python(*args: str | Path, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, args)],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def start(body: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script(body)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def wait_for_end(pids: Sequence[int]) -> None:
    """Wait until none of these runs. A zombie has ended."""

    def runs(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        except FileNotFoundError:
            return False

    wait_until(lambda: not any(runs(pid) for pid in pids))


MAIN = """
    class Point:
        def __init__(self, x): self.x = x
    FACTOR = 3
    def scale(point): return Point(point.x * FACTOR)
    backend = Processes(2)
    points = run(backend, scale, [Point(1), Point(2)])
    print([point.x for point in points], all(type(point) is Point for point in points))
    backend.close()
"""


@pytest.mark.parametrize("how", ["file", "-c", "stdin"])
def test_a_program_needs_no_guard(tmp_path: Path, how: str) -> None:
    (tmp_path / "program.py").write_text(script(MAIN))
    if how == "file":
        done = python(tmp_path / "program.py")
    elif how == "-c":
        done = python("-c", script(MAIN))
    else:
        done = python("-", given=script(MAIN))
    assert (done.stdout, done.stderr) == ("[3, 6] True\n", "")


def test_modules_beside_a_program_are_found(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def double(x): return 2 * x")
    (tmp_path / "program.py").write_text(
        script(
            "import beside; backend = Processes(1); print(run(backend, beside.double, [2])); backend.close()"
        )
    )
    done = python(tmp_path / "program.py")
    assert (done.stdout, done.stderr) == ("[4]\n", "")


def test_a_program_that_does_not_close_ends(tmp_path: Path) -> None:
    done = python("-c", script("backend = Processes(2); print(run(backend, abs, [-1]))"))
    assert (done.stdout, done.stderr, done.returncode) == ("[1]\n", "", 0)


def test_a_worker_that_hangs_as_it_ends_does_not_hold_up_the_program() -> None:
    done = python(
        "-c",
        script("""
            import atexit, time
            backend = Processes(1, Setup(initializer=abs, initargs=(1,)))
            def hang(_):
                atexit.register(time.sleep, 1000)
                threading.Thread(target=time.sleep, args=(1000,)).start()
            run(backend, hang, [0])
            backend.close()
        """),
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_functions_registered_at_exit_run_in_workers(tmp_path: Path) -> None:
    done = python(
        "-c",
        script(f"""
            import atexit, pathlib
            backend = Processes(1)
            run(backend, lambda _: atexit.register(pathlib.Path({str(tmp_path / "ended")!r}).touch) and None, [0])
            backend.close()
        """),
    )
    assert done.stderr == ""
    assert (tmp_path / "ended").exists()


def test_output_of_calls_is_not_lost() -> None:
    done = python(
        "-c", script("backend = Processes(1); run(backend, print, ['one', 'two']); backend.close()")
    )
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "")


def test_a_flood_of_output_does_no_harm() -> None:
    done = python(
        "-c",
        script("""
            backend = Processes(2)
            print(run(backend, lambda n: sys.stdout.write('x' * 1000 + '\\n') and n, list(range(20_000)))[-1])
            backend.close()
        """),
    )
    assert done.stdout.endswith("19999\n")
    assert (done.stdout.count("x"), done.stderr) == (20_000_000, "")


def test_a_call_that_closes_the_standard_files_does_no_harm() -> None:
    done = python(
        "-c",
        script("""
            backend = Processes(1)
            print(run(backend, lambda n: os.closerange(0, 3), [0, 1]), run(backend, abs, [-1]))
            backend.close()
        """),
    )
    assert done.stdout == "[None, None] [1]\n"


@pytest.mark.parametrize("busy", ["while True: pass", "time.sleep(1000)", "ctypes.PyDLL(None).sleep(1000)"])
def test_no_worker_outlives_a_program_that_is_killed(busy: str) -> None:
    program = start(f"""
        import time, ctypes
        backend = Processes(2)
        def work(x):
            os.write(1, b"%d\\n" % os.getpid())
            {busy}
        for n in range(2):
            backend.submit(Batch(work, [n], print))
        time.sleep(1000)
    """)
    assert program.stdout is not None
    pids = [int(program.stdout.readline()) for _ in range(2)]
    program.kill()
    wait_for_end(pids)
    program.communicate()


def test_no_worker_outlives_a_program_whose_children_live_on() -> None:
    program = start("""
        import time
        backend = Processes(1)
        def work(x):
            os.write(1, b"%d\\n" % os.getpid())
            time.sleep(1000)
        backend.submit(Batch(work, [0], print))
        if os.fork() == 0:
            print("child", os.getpid(), flush=True)
            time.sleep(1000)
        time.sleep(1000)
    """)
    assert program.stdout is not None
    lines = sorted(program.stdout.readline().split() for _ in range(2))
    child = int(lines[1][1])
    program.kill()
    wait_for_end([int(lines[0][0])])
    os.kill(child, signal.SIGKILL)
    program.communicate()


def test_ctrl_c_leaves_the_workers_to_the_program() -> None:
    program = start("""
        import time
        backend = Processes(1)
        def work(path):
            os.write(1, b"%d\\n" % os.getpid())
            while not os.path.exists(path):
                pass
            return "done"
        path = f"/tmp/headway-test-{os.getpid()}"
        results = []
        thread = threading.Thread(target=lambda: results.append(run(backend, work, [path])))
        thread.start()
        try:
            time.sleep(1000)
        except KeyboardInterrupt:
            open(path, "w").close()
            backend.close()
            thread.join()
            os.unlink(path)
        print(results)
    """)
    assert program.stdout is not None
    worker = int(program.stdout.readline())
    os.kill(worker, signal.SIGINT)
    wait_until_blocked(program.pid)
    os.kill(program.pid, signal.SIGINT)
    out, err = program.communicate()
    assert (out, err) == ("[['done']]\n", "")


def test_a_call_may_fork_and_its_child_never_serves() -> None:
    done = python(
        "-c",
        script("""
            def fork(x):
                pid = os.fork()
                if pid:
                    os.waitpid(pid, 0)
                return x
            backend = Processes(1)
            print(run(backend, fork, list(range(5))), run(backend, fork, [7]))
            backend.close()
        """),
    )
    assert (done.stdout, done.stderr) == ("[0, 1, 2, 3, 4] [7]\n", "")


def test_a_call_may_raise_in_a_child_that_it_forked() -> None:
    done = python(
        "-c",
        script("""
            def fork(x):
                pid = os.fork()
                if not pid:
                    raise ValueError("in the child")
                os.waitpid(pid, 0)
                return x
            backend = Processes(1)
            print(run(backend, fork, [1, 2]))
            backend.close()
        """),
    )
    assert done.stdout == "[1, 2]\n"


def test_a_backend_can_be_used_after_a_fork_in_both_processes() -> None:
    done = python(
        "-W",
        "ignore",  # Python 3.12 and later warn of the fork
        "-c",
        script("""
            backend = Processes(2)
            print(run(backend, abs, [-1]), flush=True)
            pid = os.fork()
            if pid == 0:
                print(run(backend, abs, [-2]), flush=True)
                backend.close()
                sys.exit(0)
            os.waitpid(pid, 0)
            print(run(backend, abs, [-3]))
            backend.close()
        """),
    )
    assert (done.stdout, done.stderr) == ("[1]\n[2]\n[3]\n", "")


def test_workers_of_a_closed_backend_serve_the_next(make_client: MakeClient) -> None:
    first = make_client(1)
    pid = first.run(lambda _: os.getpid(), [0])
    first.backend.close()
    assert make_client(1).run(lambda _: os.getpid(), [0]) == pid


def test_workers_from_other_surroundings_do_not_serve(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make_client(1)
    pid = first.run(lambda _: os.getpid(), [0])
    first.backend.close()
    monkeypatch.setenv("HEADWAY_TEST_SURROUNDINGS", "1")
    second = make_client(1)
    assert second.run(lambda _: (os.environ["HEADWAY_TEST_SURROUNDINGS"], os.getpid() == pid[0]), [0]) == [
        ("1", False)
    ]


def test_a_module_that_has_changed_is_read_anew_by_the_next_backend(tmp_path: Path) -> None:
    (tmp_path / "edited.py").write_text("def value(_): return 'old'")
    (tmp_path / "program.py").write_text(
        script("""
            import edited, importlib, pathlib, time
            first = Processes(1)
            print(run(first, edited.value, [0]))
            first.close()
            path = pathlib.Path(edited.__file__)
            path.write_text("def value(_): return 'new, and longer'")
            importlib.invalidate_caches()
            importlib.reload(edited)
            second = Processes(1)
            print(run(second, edited.value, [0]))
            second.close()
        """)
    )
    done = python(tmp_path / "program.py")
    assert (done.stdout, done.stderr) == ("['old']\n['new, and longer']\n", "")


def test_no_descriptor_and_no_process_is_left_of_an_initialized_backend(make_client: MakeClient) -> None:
    make_client(2, initializer=abs, initargs=(1,)).run(abs, [-1])
    for _ in range(2):
        client = make_client(2, initializer=abs, initargs=(1,))
        pids = [outcome.list()[0] for outcome in client.each(lambda _: os.getpid(), range(8))]
        client.backend.close()
        for pid in pids:
            wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())  # type: ignore[misc]


def test_abort_returns_although_a_worker_does_not_listen(make_client: MakeClient, tmp_path: Path) -> None:
    def deaf(x: int) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        (tmp_path / "deaf").touch()
        while True:
            pass

    client = make_client(1)
    outcome = client.start(deaf, [0])
    wait_until((tmp_path / "deaf").exists)
    client.backend.close(abort=True)
    assert outcome.wait().errors


def test_a_program_under_gevent_works() -> None:
    pytest.importorskip("gevent")
    done = python(
        "-W",
        "ignore",
        "-c",
        "from gevent import monkey; monkey.patch_all()\n"
        + script("""
            import gevent
            backend = Processes(2)
            jobs = [gevent.spawn(run, backend, abs, [-n]) for n in range(5)]
            gevent.joinall(jobs)
            print([job.value for job in jobs])
            backend.close()
        """),
    )
    assert done.stdout == "[[0], [1], [2], [3], [4]]\n", done.stderr


def test_the_first_worker_of_a_program_has_its_memory_limit_too() -> None:
    done = python(
        "-c",
        "import headway\n"
        "with headway.Executor('processes', 1, memory_bytes=200 << 20) as executor:\n"
        "    print(type(executor.submit(bytearray, 1 << 30).exception()).__name__)\n",
    )
    assert done.stdout == "MemoryError\n"


def test_no_worker_is_started_that_the_first_pool_does_not_use() -> None:
    done = python(
        "-c",
        "import os, headway\n"
        "with headway.Executor('processes', 1) as executor:\n"
        "    mine = executor.submit(os.getpid).result()\n"
        "    with open(f'/proc/{os.getpid()}/task/{os.getpid()}/children') as file:\n"
        "        print([int(pid) for pid in file.read().split()] == [mine])\n",
    )
    assert done.stdout == "True\n"


def test_a_start_waits_for_no_import_that_it_does_not_need() -> None:
    # What takes long to import: for functions that go by value, for patterns of warnings, for logging in a worker.
    dear = {"asyncio", "cloudpickle", "hashlib", "multiprocessing", "random", "uuid"}
    dear_there = dear | {"dataclasses", "enum", "logging", "pickle", "re", "threading", "typing"}
    names = "' '.join(__import__('sys').modules)"
    program = f"import headway; print(*headway.map(eval, [{names!r}], on='processes')); print({names})"
    before = python("-c", f"print({names})").stdout.split()
    there, here = (set(line.split()) - set(before) for line in python("-c", program).stdout.splitlines())
    assert "headway.run.process.worker" in there
    assert "headway.run.process.pool" in here
    assert (there & dear_there, here & dear) == (set(), set())
