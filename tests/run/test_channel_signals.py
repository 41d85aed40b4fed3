"""Channels where the program is interrupted, or monkey-patched: in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from observed import wait_until_blocked


def output_of(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=50
    ).stdout


@pytest.mark.parametrize("call", ["channel.receive()", "channel.send(1)", "receive_any(channel, channel)"])
def test_ctrl_c_ends_a_wait_and_leaves_nothing_in_line(call: str) -> None:
    code = f"""
from headway.run.channel import Channel
from headway.run.selection import receive_any
channel = Channel()
try:
    print("waits", flush=True)
    {call}
except KeyboardInterrupt:
    print(len(channel._receivers), len(channel._senders), channel._in_flight)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "waits\n"
            wait_until_blocked(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=50)[0] == "0 0 0\n"
        finally:
            process.kill()


MONKEY = """
{before}
import gevent
import threading
from headway.run.channel import Channel
from headway.run.limit import Limit
{after}

channel, limit, received = Channel(), Limit(1), []

def produce():
    for item in range(20):
        with limit:
            channel.send(item)

def consume():
    for item in channel:
        received.append(item)

from gevent import monkey
start_real = monkey.get_original("_thread", "start_new_thread")
from headway.run.rawlock import raw_lock
over = raw_lock()
over.acquire()

def real_producer():
    try:
        produce()
    finally:
        over.release()

threads = [threading.Thread(target=produce), threading.Thread(target=consume), threading.Thread(target=produce)]
start_real(real_producer, ())
for thread in threads:
    thread.start()
threads[0].join()
threads[2].join()
while not over.acquire(False):
    gevent.sleep(0.001)
channel.close()
threads[1].join()
print(sorted(received) == sorted([*range(20)] * 3), monkey.is_module_patched("threading"))
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_monkey_patched_program_shares_channels_and_limits_with_real_threads(when: str) -> None:
    pytest.importorskip("gevent")
    patch = "from gevent import monkey; monkey.patch_all()"
    code = MONKEY.format(**{"before": "", "after": "", when: patch})
    assert output_of(code) == "True True\n"
