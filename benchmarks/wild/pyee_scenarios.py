"""pyee: an event emitter with a lock of its own."""

import threading
from typing import Any

from pyee import EventEmitter

PACKAGE = "pyee"


def _together(*calls: Any) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def check_once_is_once() -> None:
    """Two events at once, and a listener for one."""
    emitter = EventEmitter()
    heard: list[int] = []
    emitter.once("saved", lambda: heard.append(1))
    _together(lambda: emitter.emit("saved"), lambda: emitter.emit("saved"))
    assert heard == [1]


def check_no_listener_is_lost() -> None:
    """Two come at once."""
    emitter = EventEmitter()
    heard: list[int] = []
    _together(
        lambda: emitter.on("saved", lambda: heard.append(1)),
        lambda: emitter.on("saved", lambda: heard.append(2)),
    )
    emitter.emit("saved")
    assert sorted(heard) == [1, 2]


def check_emit_beside_remove() -> None:
    """Those who stay hear each event."""
    emitter = EventEmitter()
    heard: list[int] = []

    def leaves() -> None:
        pass

    emitter.on("saved", leaves)
    emitter.on("saved", lambda: heard.append(1))
    _together(
        lambda: emitter.emit("saved"),
        lambda: emitter.remove_listener("saved", leaves),
        lambda: emitter.listeners("saved"),
    )
    assert heard == [1]
