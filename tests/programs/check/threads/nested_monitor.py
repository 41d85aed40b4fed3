"""A registry's lock is held while its mailbox is waited for, and the mailbox lets only its own lock go.

The reader comes first: it holds the registry's lock and waits in the mailbox; the writer needs the registry's lock to
find the mailbox.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "the nested monitor problem: Lister, ACM SIGOPS Operating Systems Review, 1977"


class Mailbox:
    def __init__(self) -> None:
        self.filled = threading.Condition()
        self.letters: list[str] = []

    def put(self, letter: str) -> None:
        with self.filled:
            self.letters.append(letter)
            self.filled.notify()

    def take(self) -> str:
        with self.filled:
            self.filled.wait_for(lambda: self.letters)
            return self.letters.pop()


class Registry:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.mailboxes = {"ann": Mailbox()}

    def send(self, name: str, letter: str) -> None:
        with self.lock:
            self.mailboxes[name].put(letter)

    def receive(self, name: str) -> str:
        with self.lock:
            return self.mailboxes[name].take()


def scenario() -> None:
    registry = Registry()
    threads = [
        threading.Thread(target=registry.receive, args=("ann",)),
        threading.Thread(target=registry.send, args=("ann", "hello")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert registry.mailboxes["ann"].letters == []
