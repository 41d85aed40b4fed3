"""Workers take from a queue for as long as it is not empty, with a switch before each item, and without waiting.

One item is left. Both see it; both switch; the second to take it gets Empty.
"""

import gevent
import gevent.queue

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; https://www.gevent.org/api/gevent.queue.html"


def scenario() -> None:
    jobs: gevent.queue.Queue[str] = gevent.queue.Queue()
    jobs.put("job")
    done: list[str] = []

    def work() -> None:
        while not jobs.empty():
            gevent.sleep(0)
            done.append(jobs.get_nowait())

    gevent.joinall([gevent.spawn(work) for _ in range(2)], raise_error=True)
    assert done == ["job"]
