"""Looks like a deadlock and is none: `lookalikes.py WHAT SECONDS`. After so many seconds it goes on, and ends."""

import asyncio
import multiprocessing
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

LONG_S = float(sys.argv[2])

first, second = threading.Lock(), threading.Lock()
gate, turnstile, room_empty, counting = (threading.Lock() for _ in range(4))
again = threading.RLock()
two = threading.Barrier(2)


def start(*targets: Callable[[], object], daemon: bool = False) -> list[threading.Thread]:
    started = [threading.Thread(target=one, daemon=daemon) for one in targets]
    for thread in started:
        thread.start()
    return started


def later(act: Callable[[], object]) -> Callable[[], None]:
    """To be run in a thread: do something after a while."""

    def run() -> None:
        time.sleep(LONG_S)
        act()

    return run


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join()


# --- time limits


def circle_with_a_time_limit() -> None:
    def ahead() -> None:
        with first:
            two.wait()
            with second:
                pass

    def back() -> None:
        with second:
            two.wait()
            if first.acquire(timeout=LONG_S):
                first.release()

    join(start(ahead, back))


def join_with_a_time_limit() -> None:
    def worker() -> None:
        two.wait()
        with first:
            pass

    (thread,) = start(worker)
    with first:
        two.wait()
        thread.join(LONG_S)
    thread.join()


# --- locks as signals


def lock_that_another_releases() -> None:
    gate.acquire()

    def follower() -> None:
        with gate:
            pass

    followers = start(follower)
    start(later(gate.release))
    join(followers)


def lock_that_another_releases_inside_a_with() -> None:
    gate.acquire()

    def follower() -> None:
        with gate:
            pass

    followers = start(follower)
    start(later(gate.release))
    with second:
        join(followers)


def own_lock_that_another_releases() -> None:
    gate.acquire()
    start(later(gate.release))
    gate.acquire()


def own_lock_that_another_releases_and_then_its_owner() -> None:
    gate.acquire()
    start(later(gate.release))
    gate.acquire()
    gate.release()


def condition_of_the_program_s_own() -> None:
    """As gevent's queue of jobs has one: who waits takes a lock of its own twice, and who notifies releases it."""
    waiters: list[threading.Lock] = []

    def take(lock: threading.Lock) -> bool:
        return lock.acquire()

    def wait(waiter: threading.Lock) -> None:
        waiter.acquire()
        waiters.append(waiter)
        take(waiter)
        waiter.release()

    waits = start(lambda: wait(threading.Lock()))
    start(later(lambda: waiters.pop().release()))
    join(waits)


def own_lock_that_a_signal_releases() -> None:
    signal.signal(signal.SIGALRM, lambda *_: gate.release())
    signal.setitimer(signal.ITIMER_REAL, LONG_S)
    gate.acquire()
    gate.acquire()


def lock_that_a_signal_releases() -> None:
    signal.signal(signal.SIGALRM, lambda *_: gate.release())
    signal.setitimer(signal.ITIMER_REAL, LONG_S)
    gate.acquire()

    def follower() -> None:
        with gate:
            pass

    join(start(follower))


def relay() -> None:
    turns = [threading.Lock() for _ in range(3)]
    for turn in turns:
        turn.acquire()

    def runner(number: int) -> Callable[[], None]:
        def run() -> None:
            turns[number].acquire()
            if number + 1 < len(turns):
                turns[number + 1].release()

        return run

    runners = start(*(runner(number) for number in range(3)))
    start(later(turns[0].release))
    join(runners[::-1])


def readers_and_a_writer() -> None:
    """The room belongs to the first reader that came, who has left it and waits to come again."""
    readers = 0
    came, left, wants = threading.Event(), threading.Event(), threading.Event()

    def enter() -> None:
        nonlocal readers
        with turnstile:
            pass
        with counting:
            readers += 1
            if readers == 1:
                room_empty.acquire()

    def leave() -> None:
        nonlocal readers
        with counting:
            readers -= 1
            if readers == 0:
                room_empty.release()

    def first_reader() -> None:
        enter()
        came.wait()
        leave()
        left.set()
        wants.wait()
        enter()
        leave()

    def slow_reader() -> None:
        enter()
        came.set()
        time.sleep(LONG_S)
        leave()

    def writer() -> None:
        left.wait()
        with turnstile:
            wants.set()
            with room_empty:
                pass

    one = start(first_reader)
    while not room_empty.locked():
        time.sleep(0.001)
    join([*one, *start(slow_reader, writer)])


# --- others that work, sleep or wait for the world


def lock_that_is_held_for_long() -> None:
    def holder() -> None:
        with again:
            two.wait()
            time.sleep(LONG_S)

    def follower() -> None:
        with again:
            pass

    threads = start(holder)
    two.wait()
    join([*threads, *start(follower, follower)])


def lock_whose_holder_computes() -> None:
    def holder() -> None:
        with first:
            two.wait()
            end = time.monotonic() + LONG_S
            while time.monotonic() < end:
                time.sleep(0.01)
                sum(range(1000))

    threads = start(holder)
    two.wait()
    with first:
        join(threads)


def condition_that_is_notified() -> None:
    changed = threading.Condition()

    def waiter() -> None:
        with changed:
            changed.wait()

    def notify() -> None:
        with changed:
            changed.notify_all()

    threads = start(waiter, waiter)
    later(notify)()
    join(threads)


def barrier_that_one_comes_late_to() -> None:
    barrier = threading.Barrier(3)
    join(start(barrier.wait, barrier.wait, later(barrier.wait)))


def event_that_a_timer_sets() -> None:
    event = threading.Event()
    threading.Timer(LONG_S, event.set).start()
    join(start(event.wait, event.wait))


def event_that_a_signal_sets() -> None:
    event = threading.Event()
    signal.signal(signal.SIGALRM, lambda *_: event.set())
    signal.setitimer(signal.ITIMER_REAL, LONG_S)
    event.wait()


def queue_without_work_while_main_sleeps() -> None:
    jobs: queue.Queue[int] = queue.Queue()
    threads = start(jobs.get, jobs.get)
    time.sleep(LONG_S)
    jobs.put(1)
    jobs.put(2)
    join(threads)


def pool_without_work_while_main_reads() -> None:
    with ThreadPoolExecutor(2) as pool:
        pool.submit(int).result()
        subprocess.check_output(["sleep", str(LONG_S)])


def simple_queue_without_work() -> None:
    jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
    threads = start(jobs.get, jobs.get)
    start(later(lambda: jobs.put(1)), later(lambda: jobs.put(2)))
    join(threads)


def server_that_nobody_calls() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = f"import time, socket; time.sleep({LONG_S}); socket.create_connection({server.getsockname()})"
        with subprocess.Popen([sys.executable, "-c", code]):
            threads = start(threading.Event().wait, daemon=True)
            server.accept()
            del threads


def loop_that_sleeps() -> None:
    asyncio.run(asyncio.sleep(LONG_S))


def joins_one_after_the_other() -> None:
    def last() -> None:
        time.sleep(LONG_S)

    (end,) = start(last)
    (middle,) = start(end.join)
    middle.join()


def lock_of_two_processes() -> None:
    context = multiprocessing.get_context("fork")
    lock, queue_of_both = context.Lock(), context.SimpleQueue()
    lock.acquire()

    def child() -> None:
        time.sleep(LONG_S)
        lock.release()
        queue_of_both.put(1)

    process = context.Process(target=child)
    process.start()
    lock.acquire()
    queue_of_both.get()
    process.join()


print("started", flush=True)
globals()[sys.argv[1]]()
print("done")
