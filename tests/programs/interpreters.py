"""Two threads run Python at once, each in an interpreter with its own GIL. Prints their CPU seconds."""

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

CODE = """
import time
until = time.thread_time_ns() + 200_000_000
while time.thread_time_ns() < until:
    sum(range(1000))
"""

measured: dict[str, float] = {}


def runner() -> Callable[[], object]:
    """Make an interpreter with its own GIL, and give what runs CODE in it."""
    interpreters: Any
    if sys.version_info >= (3, 13):
        interpreters = importlib.import_module("_interpreters")
        number = interpreters.create("isolated")
    else:
        interpreters = importlib.import_module("_xxsubinterpreters")
        number = interpreters.create(isolated=True)
    return lambda: interpreters.run_string(number, CODE)


def run(name: str, code: Callable[[], object]) -> None:
    code()
    measured[name] = time.thread_time_ns() / 1e9


threads = [threading.Thread(target=run, args=(name, runner()), name=name) for name in ("one", "two")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(measured))
