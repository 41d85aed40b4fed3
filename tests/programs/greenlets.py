"""Greenlets of gevent whose states are known: each kind of wait 50 ms, one after the other; prints what it measured."""

import json
import time
from collections.abc import Callable
from typing import Any

import gevent
import gevent.event
import gevent.lock
import gevent.queue
import gevent.socket
import gevent.subprocess

SHORT_S = 0.05


def sleep() -> None:
    gevent.sleep(SHORT_S)


def lock(semaphore: Any) -> None:
    with semaphore:
        pass


def event(one: Any) -> None:
    one.wait()


def queue(items: Any) -> None:
    items.get()


def io(stream: Any) -> None:
    stream.recv(1)


def future(result: Any) -> None:
    result.get()


def join(other: Any) -> None:
    other.join()


def process() -> None:
    # Twice as long: a part of it is over before who started it comes to wait for it.
    gevent.subprocess.Popen(["sleep", str(2 * SHORT_S)]).wait()


def thread() -> None:
    gevent.get_hub().threadpool.apply(time.sleep, (SHORT_S,))


def blocks() -> None:
    time.sleep(SHORT_S)


def many() -> None:
    gevent.joinall([gevent.spawn(sleep) for _ in range(2)])


def fails() -> None:
    raise ValueError("on purpose")


def forever() -> None:
    gevent.event.Event().wait()


said: dict[str, float] = {}


def measured(what: Callable[..., None], *args: object, wake: Callable[[], object] | None = None) -> None:
    """Run a function in a greenlet; `wake` ends its wait after 50 ms."""
    began = time.monotonic()
    greenlet = gevent.spawn(what, *args)
    if wake is not None:
        gevent.sleep(SHORT_S)
        wake()
    greenlet.join()
    said[what.__name__] = time.monotonic() - began


def main() -> None:
    semaphore, one, items = gevent.lock.Semaphore(0), gevent.event.Event(), gevent.queue.Queue()
    result = gevent.event.AsyncResult()
    here, there = gevent.socket.socketpair()
    measured(sleep)
    measured(lock, semaphore, wake=semaphore.release)
    measured(event, one, wake=one.set)
    measured(queue, items, wake=lambda: items.put(1))
    measured(io, here, wake=lambda: there.send(b"x"))
    measured(future, result, wake=lambda: result.set(1))
    measured(join, gevent.spawn(sleep))
    measured(process)
    measured(thread)
    measured(blocks)
    measured(many)
    measured(fails)
    endless = gevent.spawn(forever)
    gevent.sleep(0)
    endless.kill()
    here.close()
    there.close()


if __name__ == "__main__":
    main()
    print(json.dumps(said))
