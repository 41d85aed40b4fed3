"""A thread that waits a known time for one thing shows that time, for that reason."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from tracing import PYMUTEX, Traced, close, noise_s, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]

Run = Callable[[str], Traced]

REASON = {
    "sleep": "sleep",
    "lock": "lock",
    "lock_with_timeout": "lock",
    "rlock": "lock",
    "semaphore": "lock",
    "condition": "condition",
    "condition_with_timeout": "condition",
    "barrier": "condition",
    "event": "event",
    "queue_get": "queue",
    "queue_put": "queue",
    "join": "join",
    "future": "future",
    "futures_wait": "future",
    "socketpair": "io",
    "accept": "io",
    "socket_with_timeout": "io",
    "pipe": "io",
    "full_pipe": "io",
    "file_object": "io",
    "select_select": "io",
    "select_poll": "io",
    "select_epoll": "io",
    "flock": "io",
    "child": "process",
    "waitpid": "process",
    "process_join": "process",
    "sigwait": "other",
    # It is written in C and has no frame: before 3.13 its lock looks like any signal from another thread.
    "simple_queue": "queue" if sys.version_info >= (3, 13) else "condition",
}


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The trace of `waits.py WHAT`; each is run once for all tests."""
    return cache(lambda what: trace("waits", what, tmp_path=tmp_path_factory.mktemp(what)))


def longest(traced: Traced) -> Any:
    """The longest wait of the waiter."""
    number = traced.thread("waiter")["id"]
    return max(
        (wait for wait in traced.report["waits"] if wait["unit"] == number),
        key=lambda wait: wait["end_s"] - wait["start_s"],
    )


@pytest.mark.parametrize("what", REASON)
def test_a_thread_that_waits_shows_how_long_and_for_what(what: str, waits: Run) -> None:
    traced = waits(what)

    assert traced.status == 0, traced.stderr
    waiter = traced.thread("waiter")
    waited_s = traced.said["wait_s"]
    assert waited_s > 0.1
    assert close(waiter["states"]["waiting"][REASON[what]], waited_s, noise_s=noise_s(waiter)), waiter
    wait = longest(traced)
    assert wait["reason"] == REASON[what]
    assert close(wait["end_s"] - wait["start_s"], waited_s, noise_s=noise_s(waiter))
    assert any(frame.endswith(":wait") and "/waits.py:" in frame for frame in wait["stack"]), wait


@pytest.mark.parametrize(
    "what",
    ["lock", "rlock", "semaphore", "condition", "barrier", "event", "queue_get", "queue_put", "future"],
)
def test_a_thread_that_was_woken_shows_by_whom(what: str, waits: Run) -> None:
    traced = waits(what)

    assert traced.name(longest(traced)["woken_by"]) == "main"


def test_a_wait_that_timed_out_was_woken_by_nobody(waits: Run) -> None:
    traced = waits("lock_with_timeout")

    wait = longest(traced)
    assert wait["woken_by"] is None
    assert traced.name(wait["owner"]) == (None if PYMUTEX else "main")


def test_a_thread_that_is_joined_is_who_wakes(waits: Run) -> None:
    traced = waits("join")

    woken_by = traced.unit(longest(traced)["woken_by"])
    assert woken_by["states"]["waiting"]["sleep"] > 0.1
