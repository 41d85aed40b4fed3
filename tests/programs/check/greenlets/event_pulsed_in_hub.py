"""An event is set and cleared at once, to let those through who wait now.

The pulse comes before the listener waits, and there is no other.
"""

import gevent
import gevent.event

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "ours; https://www.gevent.org/api/gevent.event.html"


def scenario() -> None:
    tick = gevent.event.Event()
    heard: list[str] = []

    def listen() -> None:
        tick.wait()
        heard.append("tick")

    def pulse() -> None:
        tick.set()
        tick.clear()

    gevent.joinall([gevent.spawn(listen), gevent.spawn(pulse)], raise_error=True)
    assert heard == ["tick"]
