"""urllib3: "thread-safe connection pooling", with connections that are none."""

import threading
from typing import Any

import urllib3

PACKAGE = "urllib3"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_urllib3_one_pool_for_a_host() -> None:
    """Who asks for the same host gets the same pool."""
    manager = urllib3.PoolManager(num_pools=2)
    got: list[Any] = []
    _together(*[lambda: got.append(manager.connection_from_host("example.org"))] * 2)
    assert got[0] is got[1]


class FakeConnection(urllib3.connection.HTTPConnection):
    """Answers at once."""

    users = 0

    def connect(self) -> None:
        pass

    def request(self, *args: Any, **kwargs: Any) -> None:
        FakeConnection.users += 1

    def getresponse(self) -> Any:
        assert FakeConnection.users <= 1
        FakeConnection.users -= 1
        return urllib3.HTTPResponse(body=b"", status=200, preload_content=False)


def check_urllib3_a_pool_of_one_blocks() -> None:
    """maxsize=1, block=True: one request at a time."""
    FakeConnection.users = 0
    pool = urllib3.HTTPConnectionPool("example.org", maxsize=1, block=True)
    pool.ConnectionCls = FakeConnection
    statuses: list[int] = []

    def ask() -> None:
        response = pool.urlopen("GET", "/", retries=False)
        response.release_conn()
        statuses.append(response.status)

    _together(ask, ask)
    assert statuses == [200, 200]
