"""An event is set and cleared at once, to let those through who wait now.

The pulse comes before the listener waits, and there is no other.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "PulseEvent is unreliable and should not be used; https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-pulseevent"


def scenario() -> None:
    tick = threading.Event()
    heard: list[str] = []

    def listen() -> None:
        tick.wait()
        heard.append("tick")

    def pulse() -> None:
        tick.set()
        tick.clear()

    threads = [threading.Thread(target=part) for part in (listen, pulse)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["tick"]
