"""A worker drops jobs that were withdrawn, and forgets to call task_done for them.

The main thread withdraws the job before the worker looks at it; `jobs.join()` waits for ever. If the worker is faster,
it does the job and all is well.
"""

import queue
import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Queue.join and task_done: https://docs.python.org/3/library/queue.html#queue.Queue.task_done"


class Job:
    def __init__(self) -> None:
        self.withdrawn = threading.Event()
        self.ran = False


def scenario() -> None:
    jobs: queue.Queue[Job | None] = queue.Queue()

    def work() -> None:
        while (job := jobs.get()) is not None:
            if job.withdrawn.is_set():
                continue
            job.ran = True
            jobs.task_done()

    worker = threading.Thread(target=work)
    worker.start()
    job = Job()
    jobs.put(job)
    job.withdrawn.set()
    jobs.join()
    jobs.put(None)
    worker.join()
