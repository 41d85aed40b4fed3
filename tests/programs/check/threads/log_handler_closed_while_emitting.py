"""A logger takes a copy of its handlers, which is right, and emits to one that has been removed and closed meanwhile.

The logger has the copy; the other thread removes the handler and closes it; the logger emits to it: ValueError, write
to a closed file.
"""

import io
import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "logging's removeHandler and close against callHandlers; https://github.com/python/cpython/blob/main/Lib/logging/__init__.py"


class Handler:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.stream = io.StringIO()

    def emit(self, line: str) -> None:
        with self.lock:
            self.stream.write(line)

    def close(self) -> None:
        with self.lock:
            self.stream.close()


class Logger:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.handlers: list[Handler] = []

    def info(self, line: str) -> None:
        with self.lock:
            handlers = list(self.handlers)
        for handler in handlers:
            handler.emit(line)

    def remove(self, handler: Handler) -> None:
        with self.lock:
            self.handlers.remove(handler)
        handler.close()


def scenario() -> None:
    logger, handler = Logger(), Handler()
    logger.handlers.append(handler)
    logged: list[str] = []

    def work() -> None:
        logger.info("working")
        logged.append("working")

    threads = [threading.Thread(target=work), threading.Thread(target=logger.remove, args=(handler,))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logged == ["working"]
