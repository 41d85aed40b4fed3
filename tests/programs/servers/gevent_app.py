"""A WSGI server of gevent: pages that wait, compute, and ask the server itself. It ends by SIGTERM."""

from gevent import monkey

monkey.patch_all()  # before all else

import hashlib
import signal
import time
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

import gevent
from gevent.pywsgi import WSGIServer


def app(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "text/plain")])
    path = environment["PATH_INFO"]
    if path == "/waits":
        time.sleep(0.005)
        return [b"waited"]
    if path == "/asks":
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/waits") as answer:
            return [answer.read()]
    return [hashlib.sha256(b"x" * 10_000).hexdigest().encode()]


server = WSGIServer(("127.0.0.1", 0), app, log=None)

if __name__ == "__main__":
    server.start()
    gevent.signal_handler(signal.SIGTERM, server.stop)
    print(f"listening at http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
