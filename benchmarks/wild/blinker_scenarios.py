"""blinker: its documentation names thread safety among its features."""

import threading

import blinker

PACKAGE = "blinker"


def check_one_name_one_signal() -> None:
    """`signal(name)`: "Repeated calls with the same name return the same signal."."""
    namespace = blinker.Namespace()
    got: list[blinker.NamedSignal] = []

    def ask() -> None:
        got.append(namespace.signal("saved"))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got[0] is got[1]


def check_disconnect_beside_connect() -> None:
    """Receivers come and go in two threads; a third one is connected all the time."""
    signal = blinker.Signal()
    heard: list[object] = []

    def always(sender: object) -> None:
        heard.append(sender)

    def mine(sender: object) -> None:
        pass

    signal.connect(always)
    signal.connect(mine, sender="a")

    def leave() -> None:
        signal.disconnect(mine)

    def join() -> None:
        signal.connect(mine, sender="b")

    threads = [threading.Thread(target=leave, name="leave"), threading.Thread(target=join, name="join")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signal.send("a")
    assert heard == ["a"]


def check_disconnect_beside_other_connect() -> None:
    """One receiver leaves while another one is connected to a new sender."""
    signal = blinker.Signal()

    def old(sender: object) -> None:
        pass

    def new(sender: object) -> None:
        pass

    signal.connect(old, sender="a")
    threads = [
        threading.Thread(target=lambda: signal.disconnect(old), name="leave"),
        threading.Thread(target=lambda: signal.connect(new, sender="b"), name="join"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert signal.has_receivers_for("b")


def check_send_beside_connect() -> None:
    """A receiver that is connected hears each signal, whoever comes beside it."""
    signal = blinker.Signal()
    heard: list[object] = []

    def always(sender: object) -> None:
        heard.append(sender)

    def new(sender: object) -> None:
        pass

    signal.connect(always)
    threads = [
        threading.Thread(target=lambda: signal.send("a"), name="send"),
        threading.Thread(target=lambda: signal.connect(new), name="join"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["a"]


def check_send_beside_disconnect() -> None:
    """The same, while one goes."""
    signal = blinker.Signal()
    heard: list[object] = []

    def always(sender: object) -> None:
        heard.append(sender)

    def other(sender: object) -> None:
        pass

    signal.connect(always)
    signal.connect(other)
    threads = [
        threading.Thread(target=lambda: signal.send("a"), name="send"),
        threading.Thread(target=lambda: signal.disconnect(other), name="leave"),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == ["a"]
