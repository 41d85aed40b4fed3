"""SQLAlchemy's QueuePool, with connections that are none."""

import threading
from typing import Any

from sqlalchemy.pool import QueuePool

PACKAGE = "sqlalchemy.pool"


class Connection:
    """As much of a connection as a pool needs."""

    def rollback(self) -> None:
        pass

    def close(self) -> None:
        pass


def check_no_more_connections_than_there_may_be() -> None:
    """pool_size=1, max_overflow=1: of three users two are inside at most, and all get their turn."""
    made: list[Connection] = []
    users: list[int] = []

    def create() -> Connection:
        made.append(Connection())
        return made[-1]

    pool = QueuePool(create, pool_size=1, max_overflow=1, timeout=5)  # type: ignore[arg-type, unused-ignore]

    def use() -> None:
        con = pool.connect()
        users.append(1)
        assert len(users) <= 2
        users.pop()
        con.close()

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.checkedout() == 0


def check_one_connection_two_users() -> None:
    """pool_size=1, max_overflow=0."""
    users: list[int] = []
    pool = QueuePool(Connection, pool_size=1, max_overflow=0, timeout=5)  # type: ignore[arg-type, unused-ignore]

    def use() -> None:
        con: Any = pool.connect()
        users.append(1)
        assert len(users) == 1
        users.pop()
        con.close()

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.checkedout() == 0
