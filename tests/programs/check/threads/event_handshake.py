"""A worker and its client with an event for each direction, which the one who waits clears before it answers.

No request comes before the answer to the last, so no signal is lost.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "ours; the rendezvous of Downey, The Little Book of Semaphores, §3.3"


def scenario() -> None:
    asked, answered = threading.Event(), threading.Event()
    letter = {"question": 0, "answer": 0}

    def serve() -> None:
        for _ in range(2):
            asked.wait()
            asked.clear()
            letter["answer"] = letter["question"] * 10
            answered.set()

    server = threading.Thread(target=serve)
    server.start()
    answers: list[int] = []
    for question in (1, 2):
        letter["question"] = question
        asked.set()
        answered.wait()
        answered.clear()
        answers.append(letter["answer"])
    server.join()
    assert answers == [10, 20]
