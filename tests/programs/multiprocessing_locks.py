"""Locks of multiprocessing between processes: `multiprocessing_locks.py METHOD WAY`. Prints what it knows, as JSON."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from typing import Any

METHOD, WAY = sys.argv[1:3]
context: Any = multiprocessing.get_context(METHOD)
HELD_S = 0.3


def hold(lock: Any, has_it: Any, wanted: Any) -> None:
    with lock:
        has_it.set()
        wanted.wait()
        time.sleep(HELD_S)


def want(lock: Any, has_it: Any, wanted: Any) -> None:
    has_it.wait()
    wanted.set()
    began = time.monotonic()
    with lock:
        print(json.dumps({"waiter": os.getpid(), "waited_s": time.monotonic() - began}), flush=True)


def processes(*targets: tuple[Callable[..., None], tuple[Any, ...]]) -> list[int]:
    started = [context.Process(target=target, args=args) for target, args in targets]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0
    return [process.pid for process in started]


def held(lock: Any) -> None:
    """One child waits for a lock that another has."""
    has_it, wanted = context.Event(), context.Event()
    holder, waiter = processes((hold, (lock, has_it, wanted)), (want, (lock, has_it, wanted)))
    print(json.dumps({"holder": holder, "waiter": waiter}))


def lock() -> None:
    held(context.Lock())


def rlock() -> None:
    held(context.RLock())


def condition() -> None:
    held(context.Condition())


def value() -> None:
    held(context.Value("i", 0).get_lock())


def semaphore_of_one() -> None:
    held(context.Semaphore(1))


def parent_holds() -> None:
    """A child waits for what its parent has."""
    lock, has_it, wanted = context.Lock(), context.Event(), context.Event()
    child = context.Process(target=want, args=(lock, has_it, wanted))
    child.start()
    hold(lock, has_it, wanted)
    child.join()
    print(json.dumps({"holder": os.getpid(), "waiter": child.pid}))


# --- what has no owner


def wait_for_signal(signal: Any, ready: Any) -> None:
    ready.set()
    for _ in range(5):
        signal.acquire()


def semaphore_as_signal() -> None:
    """One process takes what another gives."""
    signal, ready = context.Semaphore(1), context.Event()
    child = context.Process(target=wait_for_signal, args=(signal, ready))
    child.start()
    ready.wait()
    for _ in range(4):
        time.sleep(0.05)
        signal.release()
    child.join()


def take_two(signal: Any, ready: Any) -> None:
    ready.set()
    with signal:
        time.sleep(0.1)


def semaphore_of_two() -> None:
    signal, ready = context.BoundedSemaphore(2), context.Event()
    processes(*[(take_two, (signal, ready))] * 4)


def consume(jobs: Any, results: Any) -> None:
    while (job := jobs.get()) is not None:
        time.sleep(0.01)
        results.put(job)


def queues() -> None:
    jobs, results = context.Queue(2), context.Queue()
    workers = [context.Process(target=consume, args=(jobs, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for job in range(10):
        jobs.put(job)
    for _ in workers:
        jobs.put(None)
    assert sorted(results.get() for _ in range(10)) == list(range(10))
    for worker in workers:
        worker.join()


def idle_workers() -> None:
    jobs = context.SimpleQueue()
    workers = [context.Process(target=consume, args=(jobs, None)) for _ in range(4)]
    for worker in workers:
        worker.start()
    time.sleep(0.6 if METHOD == "fork" else 2)
    for _ in workers:
        jobs.put(None)
    for worker in workers:
        worker.join()
    print(json.dumps([worker.pid for worker in workers]))


def do_tasks(jobs: Any) -> None:
    while True:
        jobs.get()
        time.sleep(0.01)
        jobs.task_done()


def joinable_queue() -> None:
    jobs = context.JoinableQueue()
    for job in range(5):
        jobs.put(job)
    context.Process(target=do_tasks, args=(jobs,), daemon=True).start()
    jobs.join()


def notify(changed: Any, done: Any) -> None:
    for _ in range(3):
        time.sleep(0.05)
        with changed:
            done.value += 1
            changed.notify_all()


def conditions() -> None:
    changed, done = context.Condition(), context.Value("i", 0, lock=False)
    child = context.Process(target=notify, args=(changed, done))
    child.start()
    with changed:
        changed.wait_for(lambda: done.value == 3)
    child.join()


def barrier() -> None:
    both = context.Barrier(2)
    processes((meet, (both,)), (meet, (both,)))


def meet(barrier: Any) -> None:
    for _ in range(3):
        barrier.wait()


if __name__ == "__main__":
    globals()[WAY]()
