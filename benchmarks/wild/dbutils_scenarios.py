"""DBUtils: "steady, thread-safe cached connections"."""

import threading
from typing import Any

from dbutils.pooled_db import PooledDB

PACKAGE = "dbutils"


class Database:
    """As much of a DB-API 2 module as a pool needs."""

    threadsafety = 2
    paramstyle = "qmark"

    class OperationalError(Exception):
        pass

    InterfaceError = InternalError = OperationalError

    def __init__(self) -> None:
        self.open = 0
        self.most = 0

    def connect(self) -> "Connection":
        self.open += 1
        self.most = max(self.most, self.open)
        return Connection(self)


class Connection:
    def __init__(self, database: Database) -> None:
        self.database = database
        self.users = 0

    def close(self) -> None:
        self.database.open -= 1

    def rollback(self) -> None:
        pass

    def commit(self) -> None:
        pass

    def cursor(self) -> Any:
        raise NotImplementedError

    def ping(self) -> None:
        pass


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_dedicated_connections_are_dedicated() -> None:
    """At most one connection, and nobody shares it."""
    database = Database()
    pool = PooledDB(database, maxconnections=1, blocking=True)
    users: list[int] = []

    def use() -> None:
        con = pool.connection(shareable=False)
        users.append(1)
        assert len(users) == 1
        users.pop()
        con.close()

    _together(use, use, use)
    assert database.most == 1
    assert pool._connections == 0


def check_shared_connections() -> None:
    """Two threads may share the one connection."""
    database = Database()
    pool = PooledDB(database, maxshared=1, maxconnections=1, blocking=True)

    def use() -> None:
        con = pool.connection()
        con.close()

    _together(use, use, use)
    assert database.most == 1
    assert pool._connections == 0


def check_shared_connections_and_transactions() -> None:
    """A connection in a transaction is not shared; who waits for it gets it in the end."""
    database = Database()
    pool = PooledDB(database, maxshared=1, maxconnections=1, blocking=True)

    def use() -> None:
        con = pool.connection()
        con.begin()
        con.commit()
        con.close()

    _together(use, use)
    assert pool._connections == 0


def check_shared_beside_dedicated() -> None:
    """Those who share and one who does not: all get a connection in the end."""
    database = Database()
    pool = PooledDB(database, maxshared=1, maxconnections=1, blocking=True)

    def use() -> None:
        pool.connection().close()

    def own() -> None:
        pool.connection(shareable=False).close()

    _together(use, own, use, own)
    assert database.most == 1
    assert pool._connections == 0


def check_close_beside_use() -> None:
    """The pool is closed while a shared connection is out; the count of connections stays right."""
    database = Database()
    pool = PooledDB(database, maxshared=1, maxconnections=2, blocking=True)

    def use() -> None:
        con = pool.connection()
        con.close()

    _together(use, pool.close)
    assert pool._connections == 0
