"""Known answers where the tracer once went wrong: each program showed a wrong number, or died."""

from pathlib import Path

import pytest

from tracing import close, needs_root, noise_s, trace, unnoticed

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def test_a_wait_for_that_c_calls_does_no_harm(tmp_path: Path) -> None:
    program = """
        import _thread, functools, threading, time
        condition, done = threading.Condition(), threading.Event()
        condition.acquire()
        release = condition.release
        def ready():
            done.set()
            return True
        _thread.start_new_thread(condition.wait_for, (functools.partial(time.sleep, 0.001), 0.02))
        _thread.start_new_thread(condition.wait_for, (ready,))
        done.wait()
        time.sleep(0.05)
        print("alive")
    """
    assert trace(program, tmp_path=tmp_path).stdout == "alive\n"


def test_a_signal_handler_that_blocks_is_part_of_the_wait_that_it_interrupts(tmp_path: Path) -> None:
    program = """
        import faulthandler, os, signal, threading, time
        faulthandler.register(signal.SIGUSR1, file=open(os.devnull, "w"))
        main = threading.main_thread().ident
        semaphore = threading.Semaphore(0)
        def poke():
            for _ in range(5):
                time.sleep(0.05)
                signal.pthread_kill(main, signal.SIGUSR1)
            time.sleep(0.05)
            semaphore.release()
        threading.Thread(target=poke).start()
        began = time.monotonic_ns()
        semaphore.acquire()
        print((time.monotonic_ns() - began) / 1e9)
    """
    traced = trace(program, tmp_path=tmp_path)
    main = traced.thread("main")
    assert close(main["states"]["waiting"]["lock"], traced.said, noise_s=noise_s(main))
    assert traced.report["locks"] == []


def test_native_work_after_a_forced_hand_over_is_not_a_wait_for_the_gil(tmp_path: Path) -> None:
    program = """
        import hashlib, json, os, random, threading, time
        numbers = [random.random() for _ in range(200_000)]
        data = os.urandom(24 << 20)
        cpu_ns = 0
        def alternate():
            global cpu_ns
            for _ in range(6):
                sorted(numbers)
                began = time.thread_time_ns()
                hashlib.sha256(data)
                cpu_ns += time.thread_time_ns() - began
        def spin():
            while worker.is_alive():
                sum(range(1000))
        worker = threading.Thread(target=alternate, name="worker")
        worker.start()
        threading.Thread(target=spin).start()
        worker.join()
        print(cpu_ns / 1e9)
    """
    traced = trace(program, tmp_path=tmp_path)
    assert traced.thread("worker")["states"]["running"]["native"] > 0.9 * traced.said


def test_modules_that_are_executed_one_after_another_are_told_apart(tmp_path: Path) -> None:
    program = """
        for number in range(20):
            source = "import time\\ntime.sleep(0.002)\\n"
            exec(compile(source, f"/package/module_{number:02d}.py", "exec"), {})
    """
    traced = trace(program, tmp_path=tmp_path)
    places = {wait["stack"][0] for wait in traced.report["waits"] if wait["reason"] == "sleep"}
    assert len(places) == len([wait for wait in traced.report["waits"] if wait["reason"] == "sleep"])
    assert all(place.startswith("/package/module_") for place in places)


def test_a_full_queue_between_processes_has_no_owner(tmp_path: Path) -> None:
    program = """
        import multiprocessing, threading, time
        def consume(queue):
            for _ in range(6):
                time.sleep(0.02)
                queue.get()
        if __name__ == "__main__":
            context = multiprocessing.get_context("fork")
            queue = context.Queue(maxsize=1)
            process = context.Process(target=consume, args=(queue,))
            process.start()
            def put():
                for number in range(3):
                    queue.put(number)
            threads = [threading.Thread(target=put, name=f"put-{n}") for n in range(2)]
            for thread in threads: thread.start()
            for thread in threads: thread.join()
            process.join()
    """
    traced = trace(program, tmp_path=tmp_path)
    assert traced.thread("put-0")["states"]["waiting"]["queue"] > 0
    assert [edge for lock in traced.report["locks"] for edge in lock["edges"] if edge["owner"]] == []


def test_a_failed_exec_leaves_no_trace_in_the_numbers(tmp_path: Path) -> None:
    program = """
        import hashlib, os, signal, threading, time
        try:
            os.execv("/nowhere/program", ["program"])
        except OSError:
            pass
        def kill():
            time.sleep(0.4)
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=kill).start()
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 1_000_000_000)
    """
    traced = trace(program, tmp_path=tmp_path)
    main = traced.thread("main")["states"]
    assert main["running"]["native"] + main["waiting"]["other"] > 0.3
    running_s = sum(sum(thread["states"]["running"].values()) for thread in traced.threads())
    # What came before the tracer, in the loader, is in the kernel's figure only.
    assert traced.report["cpu_s"] - 0.1 < running_s <= 1.02 * traced.report["cpu_s"]


@needs_root
def test_a_server_that_gives_up_its_rights_is_traced_on(tmp_path: Path) -> None:
    program = """
        import os, threading, time
        os.chdir("/")
        os.setgid(65534)
        os.setuid(65534)
        for _ in range(300):
            thread = threading.Thread(target=time.sleep, args=(0.0002,))
            thread.start()
            thread.join()
    """
    traced = trace(program, tmp_path=tmp_path)
    assert len(traced.threads()) == 301
    assert traced.report["dropped_events"] == 0


def test_a_thread_with_attributes_of_its_own_making_is_not_asked(tmp_path: Path) -> None:
    program = """
        import threading
        class Watched(threading.Thread):
            def __getattribute__(self, name):
                if name == "_name":
                    print("asked for", name)
                return super().__getattribute__(name)
        thread = Watched(target=print, args=("ran",))
        thread.start()
        thread.join()
    """
    traced = unnoticed(program, tmp_path=tmp_path)
    assert any(unit["name"].startswith("Thread-1") for unit in traced.threads())
