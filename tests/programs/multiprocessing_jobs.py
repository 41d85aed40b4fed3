"""Jobs of multiprocessing.Pool: says when each was submitted, when it began and when it ended, by its name."""

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.pool import ThreadPool
from typing import Any

said: dict[str, Any] = {}
Noted = dict[str, Any]


def napping(name: str) -> Noted:
    begun = time.monotonic()
    time.sleep(0.05)
    return {"name": name, "begun": begun, "ended": time.monotonic(), "pid": os.getpid()}


def mapped(name: str) -> Noted:
    return napping(name)


def drawn(name: str) -> Noted:
    return napping(name)


def add(one: int, other: int) -> int:
    return one + other


def fails() -> None:
    raise ValueError("no")


def unpackable() -> Callable[[], None]:
    return lambda: None


def in_a_thread(x: int) -> int:
    return x


def note(noted: Noted) -> None:
    said[noted.pop("name")].update(noted)


def submits(*names: str) -> None:
    for name in names:
        said[name] = {"submitted": time.monotonic()}


def slowly() -> Iterator[str]:
    for name in ("five", "six"):
        time.sleep(0.02)
        submits(name)
        yield name


def main() -> None:
    context = multiprocessing.get_context(sys.argv[1])
    with context.Pool(2) as pool:
        submits("one", "two", "three", "four")
        results = [pool.apply_async(napping, (name,)) for name in ("one", "two")]
        for noted in [*pool.map(mapped, ["three", "four"], chunksize=1), *(r.get() for r in results)]:
            note(noted)
        for noted in pool.imap(drawn, slowly()):
            note(noted)
        assert pool.starmap(add, [(1, 2)] * 10, chunksize=5) == [3] * 10
        assert list(pool.imap_unordered(abs, [-1] * 6, chunksize=3)) == [1] * 6
        failed = [pool.apply_async(function) for function in (fails, unpackable, lambda: None)]
        said["failed"] = []
        for result in failed:
            try:
                result.get()
            except Exception as error:
                said["failed"].append(type(error).__name__)
    with ThreadPool(2) as threads:
        threads.map(in_a_thread, range(4))
    print(json.dumps(said))


if __name__ == "__main__":
    main()
