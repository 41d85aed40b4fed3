"""Ctrl-C in a scope, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from observed import wait_until_blocked

PROGRAM = r"""
import headway.run.scope, threading, time, sys
from headway.run.cancellation import cancelled
from headway.run.channel import Channel

def begun():
    main = threading.main_thread().ident
    # On a thread, only when the main thread waits; in a worker process it is the one that runs this.
    while threading.get_ident() != main and sys._current_frames()[main].f_code.co_name != "park":
        time.sleep(0.001)
    sys.stdout.write("begun\n")
    sys.stdout.flush()

def stubborn():
    begun()
    while True:
        time.sleep(0.01)

def polite():
    begun()
    Channel().receive()

def asked():
    begun()
    while not cancelled():
        time.sleep(0.01)

if __name__ == "__main__":
    try:
        with headway.run.scope.scope({on!r}) as s:
            jobs = [s.start({call}), s.start({call})]
            {body}
    except KeyboardInterrupt:
        print("interrupted", s.cancelled, flush=True)
"""


BODIES = ["pass", "jobs[0].result()", "Channel().receive()"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("on", "call"),
    [("threads", "stubborn"), ("threads", "polite"), ("threads", "asked"), ("processes", "stubborn")],
)
def test_ctrl_c_leaves_at_once_whatever_runs(on: str, call: str, body: str) -> None:
    code = PROGRAM.format(on=on, call=call, body=body)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(2)] == ["begun\n", "begun\n"]
            wait_until_blocked(process.pid)
            process.send_signal(signal.SIGINT)
            # If leaving waited for a stubborn thread, this would never end.
            assert process.communicate(timeout=50)[0] == "interrupted True\n"
        finally:
            process.kill()
    assert process.returncode == 0
