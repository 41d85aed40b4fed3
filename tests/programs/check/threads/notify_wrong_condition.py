"""A mailbox for one letter with two conditions, and the one who empties it tells the wrong one.

The sender puts the first letter and, before it is taken, wants to put the second: it waits for `not_full`. The receiver
takes the first and notifies `not_empty`, on which nobody waits; then it waits there itself. Both sleep for ever.
"""

import threading

KIND = "lost-wakeup"
LEVEL = "sync"
SOURCE = "SCTBench sync01_bad; https://github.com/mc-imperial/sctbench"


class Mailbox:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.not_full = threading.Condition(self.lock)
        self.not_empty = threading.Condition(self.lock)
        self.letter: str | None = None

    def put(self, letter: str) -> None:
        with self.lock:
            while self.letter is not None:
                self.not_full.wait()
            self.letter = letter
            self.not_empty.notify()

    def take(self) -> str:
        with self.lock:
            while self.letter is None:
                self.not_empty.wait()
            letter, self.letter = self.letter, None
            self.not_empty.notify()
            return letter


def scenario() -> None:
    mailbox = Mailbox()
    received: list[str] = []

    def sender() -> None:
        mailbox.put("first")
        mailbox.put("second")

    def receiver() -> None:
        received.append(mailbox.take())
        received.append(mailbox.take())

    threads = [threading.Thread(target=part) for part in (sender, receiver)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert received == ["first", "second"]
