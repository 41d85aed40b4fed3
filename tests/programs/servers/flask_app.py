"""An application of Flask, for gunicorn with threads: pages that wait, compute, and take a lock."""

import hashlib
import threading
import time

from flask import Flask

app = Flask(__name__)
lock = threading.Lock()


@app.get("/waits")
def waits() -> str:
    time.sleep(0.005)
    return "waited"


@app.get("/computes")
def computes() -> str:
    return hashlib.sha256(b"x" * 10_000).hexdigest()


@app.get("/locks")
def locks() -> str:
    with lock:
        time.sleep(0.001)
    return "locked"
