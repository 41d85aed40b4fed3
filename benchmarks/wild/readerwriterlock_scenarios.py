"""readerwriterlock: the three readers-writers problems, with downgrade."""

import threading
from typing import Any

from readerwriterlock import rwlock

PACKAGE = "readerwriterlock"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _use(lock: Any) -> None:
    inside: list[str] = []

    def read() -> None:
        with lock.gen_rlock():
            inside.append("r")
            assert "w" not in inside
            inside.remove("r")

    def write() -> None:
        with lock.gen_wlock():
            inside.append("w")
            assert inside == ["w"]
            inside.remove("w")

    _together(read, write, read, write)


def check_read() -> None:
    """Readers first."""
    _use(rwlock.RWLockRead())


def check_write() -> None:
    """Writers first."""
    _use(rwlock.RWLockWrite())


def check_fair() -> None:
    """In order."""
    _use(rwlock.RWLockFair())


def _downgrade(lock: Any) -> None:
    written: list[int] = [0]

    def change() -> None:
        writer = lock.gen_wlock()
        writer.acquire()
        written[0] = 1
        reader = writer.downgrade()
        assert written[0] == 1, "another writer came between writing and reading"
        reader.release()

    def write() -> None:
        with lock.gen_wlock():
            written[0] += 10

    _together(change, write)


def check_downgrade_read() -> None:
    """Nobody writes between the writer's own write and its read."""
    _downgrade(rwlock.RWLockReadD())


def check_downgrade_write() -> None:
    """The same, writers first."""
    _downgrade(rwlock.RWLockWriteD())


def check_downgrade_fair() -> None:
    """The same, in order."""
    _downgrade(rwlock.RWLockFairD())


def _timeouts(lock: Any) -> None:
    def read() -> None:
        reader = lock.gen_rlock()
        if reader.acquire(blocking=True, timeout=0.1):
            reader.release()

    def write() -> None:
        writer = lock.gen_wlock()
        if writer.acquire(blocking=True, timeout=0.1):
            writer.release()

    _together(read, write, read)
    with lock.gen_wlock():
        pass


def check_timeouts_write() -> None:
    """Who gives up leaves the lock as it was."""
    _timeouts(rwlock.RWLockWrite())


def check_timeouts_fair() -> None:
    """Who gives up leaves the lock as it was."""
    _timeouts(rwlock.RWLockFair())
