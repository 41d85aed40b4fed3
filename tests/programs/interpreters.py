"""Two threads run Python at the same time, each in an interpreter with a GIL of its own. Prints CPU seconds."""

import json
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
    try:
        import _interpreters as interpreters  # type: ignore[import-not-found, unused-ignore]  # 3.13 on

        number = interpreters.create("isolated")
    except ImportError:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found, unused-ignore]  # 3.12

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
