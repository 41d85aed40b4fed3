"""Two workers take from a queue for as long as it is not empty, without waiting.

One item is left. Both ask, and hear that there is one; the second to take it gets queue.Empty, and dies before it signs
off.
"""

import queue
import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "Queue.empty does not promise that get will not block; https://docs.python.org/3/library/queue.html"


def scenario() -> None:
    jobs: queue.Queue[str] = queue.Queue()
    jobs.put("job")
    signed_off: list[int] = []

    def work(number: int) -> None:
        while not jobs.empty():
            jobs.get_nowait()
        signed_off.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(signed_off) == [0, 1]
