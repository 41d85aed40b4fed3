"""Programs of all kinds do under the tracer what they do without it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tracing import python, run, same, trace, unnoticed

pytestmark = pytest.mark.native


def test_a_thousand_threads_at_once(tmp_path: Path) -> None:
    program = """
        import threading
        all_run = threading.Barrier(1001)
        lock = threading.Lock()
        done = 0
        def work():
            global done
            all_run.wait()
            with lock:
                done += 1
        threads = [threading.Thread(target=work) for _ in range(1000)]
        [thread.start() for thread in threads]
        all_run.wait()
        [thread.join() for thread in threads]
        print(done)
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert len(traced.threads()) == 1001
    assert traced.report["dropped_events"] == 0


def test_threads_of_a_c_library_that_never_touch_python(tmp_path: Path) -> None:
    program = """
        import ctypes
        libc = ctypes.CDLL(None)
        ids = [ctypes.c_ulong() for _ in range(50)]
        for number in ids:
            assert libc.pthread_create(ctypes.byref(number), None, libc.usleep, ctypes.c_void_p(50_000)) == 0
        for number in ids:
            assert libc.pthread_join(number, None) == 0
        print("joined")
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    others = [thread for thread in traced.threads() if thread["name"] != "main"]
    assert len(others) == 50
    assert all(thread["states"]["waiting"]["sleep"] > 0.049 for thread in others)
    assert all(thread["gil_held_s"] == 0 for thread in others)


def test_threads_with_small_stacks(tmp_path: Path) -> None:
    program = """
        import queue, sys, threading, time
        threading.stack_size(32768 if sys.version_info < (3, 12) else 65536)
        q, lock = queue.Queue(), threading.Lock()
        def work():
            time.sleep(0.001)
            with lock:
                sum(range(1000))
            q.put(q.get() + 1)
        threads = [threading.Thread(target=work) for _ in range(30)]
        [thread.start() for thread in threads]
        q.put(0)
        [thread.join() for thread in threads]
        print(q.get())
    """
    unnoticed(program, tmp_path=tmp_path)


def test_deep_recursion_that_waits_at_its_bottom(tmp_path: Path) -> None:
    program = """
        import sys, threading, time
        sys.setrecursionlimit(100_000)
        threading.stack_size(512 << 20)
        def down(n):
            if n == 0:
                time.sleep(0.01)
                return 0
            return down(n - 1) + 1
        thread = threading.Thread(target=lambda: print(down(20_000)))
        thread.start()
        thread.join()
        def endless():
            endless()
        sys.setrecursionlimit(500)
        try:
            endless()
        except RecursionError as error:
            print(error)
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    (wait,) = (wait for wait in traced.report["waits"] if wait["reason"] == "sleep")
    assert {frame.rpartition(":")[2] for frame in wait["stack"]} == {"down"}


def test_generators_and_asyncio(tmp_path: Path) -> None:
    program = """
        import asyncio, time
        def inner():
            time.sleep(0.002)
            yield 1
        def outer():
            yield from inner()
        async def task(n):
            await asyncio.sleep(0.001)
            await asyncio.to_thread(time.sleep, 0.001)
            process = await asyncio.create_subprocess_exec("echo", str(n), stdout=asyncio.subprocess.PIPE)
            return len((await process.communicate())[0])
        async def main():
            async with asyncio.timeout(20):
                return await asyncio.gather(*map(task, range(10)))
        print(list(outer()), asyncio.run(main()))
    """
    unnoticed(program, tmp_path=tmp_path)


def test_names_that_are_not_ascii(tmp_path: Path) -> None:
    path = tmp_path / "größe 日本 🚂.py"
    path.write_text(
        "def warte_länger():\n    import time\n    time.sleep(0.01)\nwarte_länger()\n", encoding="utf-8"
    )

    traced = unnoticed(path, tmp_path=tmp_path)

    (wait,) = (wait for wait in traced.report["waits"] if wait["reason"] == "sleep")
    assert wait["stack"] == [f"{path}:3:warte_länger", f"{path}:4:<module>"]


def test_a_file_name_that_is_not_utf8(tmp_path: Path) -> None:
    program = r"""
        import os, time
        code = compile("import time; time.sleep(0.01)", os.fsdecode(b"/tmp/\xff\xfe.py"), "exec")
        exec(code)
        print("slept")
    """
    unnoticed(program, tmp_path=tmp_path)


@pytest.mark.parametrize(
    "options", [["-I", "-S", "-E"], ["-X", "dev", "-W", "error"], ["-u"], ["-O", "-B"]], ids=" ".join
)
def test_options_of_the_interpreter(options: list[str], tmp_path: Path) -> None:
    program = """
        import sys, threading, time
        print(sys.flags, sys.path[1:], sys.warnoptions)
        thread = threading.Thread(target=time.sleep, args=(0.01,))
        thread.start()
        thread.join()
        assert False, "on stderr"
    """
    unnoticed(program, tmp_path=tmp_path, options=options)


def test_descriptors_have_the_same_numbers(tmp_path: Path) -> None:
    program = """
        import os, threading
        thread = threading.Thread(target=print)
        thread.start()
        thread.join()
        print(open("/dev/null").fileno(), os.pipe(), sorted(map(int, os.listdir("/proc/self/fd"))))
        os.closerange(3, 65536)
        threads = [threading.Thread(target=os.stat, args=("/",)) for _ in range(300)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(os.open("/dev/null", os.O_RDONLY), os.listdir("/proc/self/fd"))
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert len(traced.threads()) == 302


def test_exits_of_threads_and_daemons(tmp_path: Path) -> None:
    program = """
        import sys, threading, time
        def leave():
            sys.exit(3)
        def fail():
            raise ValueError("in a thread")
        def forever():
            while True:
                time.sleep(0.0001)
        never = threading.Lock()
        never.acquire()
        for act in (leave, fail):
            thread = threading.Thread(target=act, name=act.__name__)
            thread.start()
            thread.join()
        for act in (forever, never.acquire, threading.Event().wait) * 5:
            threading.Thread(target=act, daemon=True).start()
        print("main is done")
        sys.exit(6)
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert traced.status == 6


def test_standard_input_comes_through(tmp_path: Path) -> None:
    unnoticed("import sys\nprint(sys.stdin.read().upper())\n", tmp_path=tmp_path, input="some\ntext\n" * 1000)


def test_output_into_a_closed_pipe(tmp_path: Path) -> None:
    program = """
        import os
        r, w = os.pipe()
        os.close(r)
        os.dup2(w, 1)
        print("x" * 100_000)
    """
    unnoticed(program, tmp_path=tmp_path)


def test_a_relative_path_to_headway_itself(tmp_path: Path) -> None:
    program = tmp_path / "prog.py"
    program.write_text(
        "import os, subprocess, sys\nos.chdir('/')\n"
        "print(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True).stdout)\n"
    )
    (tmp_path / "here").symlink_to(sys.prefix)
    relative = Path("here", Path(sys.executable).relative_to(sys.prefix))

    ended = run([relative, "-m", "headway", "trace", "-o", "trace", "prog.py"], cwd=tmp_path)

    assert ended.stdout == "b'1\\n'\n", ended.stderr
    assert ended.returncode == 0
    assert len(list((tmp_path / "trace").glob("*.hw"))) == 2


def test_changing_the_directory(tmp_path: Path) -> None:
    program = """
        import os, threading, tempfile
        with tempfile.TemporaryDirectory() as gone:
            os.chdir(gone)
        threads = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(300)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        print(len(threads))
    """
    traced = unnoticed(program, tmp_path=tmp_path)

    assert len(traced.threads()) == 301


def test_the_tracer_takes_little_memory(tmp_path: Path) -> None:
    program = """
        import threading
        threads = [threading.Thread(target=sum, args=(range(1000),)) for _ in range(100)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        private = [line.split() for line in open("/proc/self/smaps_rollup") if line.startswith("Anonymous:")]
        print(private[0][1])
    """
    path = tmp_path / "prog.py"
    path.write_text("\n".join(line[8:] for line in program.splitlines()))

    plain = int(run(python(path)).stdout)
    traced = int(trace(path, tmp_path=tmp_path).stdout)

    assert traced - plain < 8 * 1024, "KiB"


def test_a_program_that_cannot_be_parsed(tmp_path: Path) -> None:
    unnoticed("def broken(:\n", tmp_path=tmp_path)


def test_a_program_from_standard_input(tmp_path: Path) -> None:
    plain = subprocess.run(
        [sys.executable, "-"], input="print(6 * 7)\n", capture_output=True, text=True, check=True
    )
    traced = trace(Path("-"), tmp_path=tmp_path, input="print(6 * 7)\n")

    same(plain, traced)
