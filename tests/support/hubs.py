"""Runs what uses gevent's greenlets in a thread of its own: a hub in pytest's thread would stay for all later tests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")


def with_a_hub(body: Callable[[], T]) -> T:
    """Call it in a thread that has a hub, and destroy that."""
    gevent = pytest.importorskip("gevent")
    results: list[T] = []
    errors: list[BaseException] = []

    def call() -> None:
        gevent.sleep(0)
        try:
            results.append(body())
        except BaseException as error:  # for the test
            errors.append(error)
        finally:
            gevent.get_hub().destroy(destroy_loop=True)

    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join()
    for error in errors:
        raise error
    return results[0]
