"""A cache counts the users of its files, and closes a file in a second critical section, after the count was zero.

The last user lowers the count to 0 and lets the lock go; a new one raises it to 1 and has the file; the first one takes
the lock again and closes the file in use.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "ours; the drop to zero and its consequence must be one step, as in the kernel's kref_put_mutex"


class File:
    def __init__(self) -> None:
        self.is_open = True


class Cache:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.files: dict[str, File] = {}
        self.users: dict[str, int] = {}

    def open(self, name: str) -> File:
        with self.lock:
            if name not in self.files:
                self.files[name] = File()
            self.users[name] = self.users.get(name, 0) + 1
            return self.files[name]

    def close(self, name: str) -> None:
        with self.lock:
            self.users[name] -= 1
            unused = self.users[name] == 0
        if unused:
            with self.lock:
                self.files.pop(name).is_open = False


def scenario() -> None:
    cache = Cache()
    found_open: list[bool] = []
    cache.open("a")

    def reader() -> None:
        file = cache.open("a")
        with cache.lock:
            found_open.append(file.is_open)

    threads = [threading.Thread(target=cache.close, args=("a",)), threading.Thread(target=reader)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found_open == [True]
