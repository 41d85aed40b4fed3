"""An application of Celery, whose broker is a folder: `celery -A celery_app worker`. By itself it asks that to work."""

import os
import threading
import time
from pathlib import Path

from celery import Celery, group

folder = Path(os.environ["CELERY_FOLDER"])
for name in ("messages", "control", "results"):
    (folder / name).mkdir(exist_ok=True)

app = Celery("celery_app", broker="filesystem://", backend=f"file://{folder}/results")
app.conf.broker_transport_options = {
    "data_folder_in": folder / "messages",
    "data_folder_out": folder / "messages",
    "control_folder": folder / "control",
}
lock = threading.Lock()


@app.task
def waits(number: int) -> int:
    time.sleep(0.01)
    return number


@app.task
def computes(number: int) -> int:
    return sum(range(number * 1000)) * 0 + number


@app.task
def locks(number: int) -> int:
    with lock:
        time.sleep(0.001)
    return number


if __name__ == "__main__":
    tasks = [task.s(number) for task in (waits, computes, locks) for number in range(20)]
    print(sum(group(tasks).apply_async().get(timeout=100)))
