"""generic-connection-pool: acquire, release and dispose of connections in threads."""

import itertools
import threading
from typing import Any

from generic_connection_pool.threading import BaseConnectionManager, ConnectionPool

PACKAGE = "generic_connection_pool"


class Manager(BaseConnectionManager[str, int]):
    """Connections are numbers; each is disposed of once, and not while it is in use."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.open: set[int] = set()
        self.most = 0

    def create(self, endpoint: str, timeout: float | None = None) -> int:
        conn = next(self.numbers)
        self.open.add(conn)
        self.most = max(self.most, len(self.open))
        return conn

    def dispose(self, endpoint: str, conn: int, timeout: float | None = None) -> None:
        self.open.remove(conn)


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_one_connection_for_one_user_at_a_time() -> None:
    """Two threads, room for one connection."""
    manager = Manager()
    pool = ConnectionPool(manager, min_idle=1, max_size=1, total_max_size=1)
    users: list[int] = []

    def use() -> None:
        with pool.connection("a") as conn:
            assert conn in manager.open
            users.append(conn)
            assert len(users) == 1
            users.pop()

    _together(use, use)
    assert manager.most == 1
    pool.close()
    assert not manager.open


def check_two_endpoints_one_slot() -> None:
    """Two endpoints share one slot: an idle connection of one makes room for the other."""
    manager = Manager()
    pool = ConnectionPool(manager, min_idle=1, max_size=1, total_max_size=1)

    def use(endpoint: str) -> None:
        with pool.connection(endpoint) as conn:
            assert conn in manager.open

    _together(lambda: use("a"), lambda: use("b"))
    assert manager.most == 1


def check_extra_connections_go() -> None:
    """With min_idle=0 each connection that comes back is an extra one that ends at once."""
    manager = Manager()
    pool = ConnectionPool(manager, min_idle=0, max_size=2, total_max_size=2, idle_timeout=0.0)

    def use() -> None:
        with pool.connection("a") as conn:
            assert conn in manager.open

    _together(use, use)
    pool.close()
    assert not manager.open


def check_acquire_with_timeout() -> None:
    """Who waits for longer than the timeout gets TimeoutError; the pool stays whole."""
    import time

    manager = Manager()
    pool = ConnectionPool(manager, min_idle=1, max_size=1, total_max_size=1)

    def hold() -> None:
        with pool.connection("a"):
            time.sleep(1)

    def impatient() -> None:
        try:
            with pool.connection("a", timeout=0.5) as conn:
                assert conn in manager.open
        except TimeoutError:
            pass

    _together(hold, impatient)
    assert pool.get_endpoint_pool_size("a") == 1
    pool.close()
    assert not manager.open


def check_background_collector() -> None:
    """The collector disposes of what idles, and ends with the pool."""
    manager = Manager()
    pool = ConnectionPool(
        manager, min_idle=0, max_size=2, total_max_size=2, idle_timeout=1.0, background_collector=True
    )

    def use() -> None:
        with pool.connection("a") as conn:
            assert conn in manager.open

    _together(use, use)
    pool.close()
    assert not manager.open
