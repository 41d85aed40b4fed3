"""What the greenlets backend promises beyond the contract."""

from __future__ import annotations

import subprocess
import sys

import pytest

PATCHED = """
import gevent.monkey
gevent.monkey.patch_all()
import threading, time
from headway.run.backends.open import open_backend
from headway.run.batch import Batch

here, together = threading.get_native_id(), threading.Barrier(50)

def call(x):
    together.wait()  # and so all run at a time
    time.sleep(0.001)
    return threading.get_native_id() == here

got = []
backend = open_backend("greenlets")
backend.submit(Batch(call, range(50), lambda portion: got.extend(portion.values)))
{end}
print(len(got), all(got))
"""


@pytest.mark.parametrize("end", ["backend.close()", "while len(got) < 50: time.sleep(0.001)"])
def test_in_a_patched_program_they_run_in_its_thread_and_let_it_end(end: str) -> None:
    pytest.importorskip("gevent")
    run = subprocess.run(
        [sys.executable, "-c", PATCHED.format(end=end)],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert run.stdout == "50 True\n", run.stderr
    assert not run.stderr
    assert run.returncode == 0


FORKED = """
import os, threading
import gevent
from headway.run.channel import Channel

gevent.sleep(0)  # from now on the thread has a hub

def play():
    there, back = Channel(), Channel()

    def answer():
        for item in there:
            back.send(item)

    thread = threading.Thread(target=answer)
    thread.start()
    with there:
        for item in range(100):
            there.send(item)
            assert back.receive() == item
    thread.join()

for _ in range(10):
    child = os.fork()
    play()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("over")
"""


def test_a_hub_that_is_forked_takes_no_wake_up_from_its_parent() -> None:
    pytest.importorskip("gevent")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED],
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert (run.stdout, run.stderr) == ("over\n", "")
