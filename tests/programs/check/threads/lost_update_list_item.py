"""Two threads count votes in the same item of a list; a third counts in another, which harms nobody.

Both read `votes[0]` = 0 and both write 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; `L[i] += 1` is a read, an addition and a write"


def scenario() -> None:
    votes = [0, 0]

    def vote(candidate: int) -> None:
        votes[candidate] += 1

    threads = [threading.Thread(target=vote, args=(candidate,)) for candidate in (0, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert votes == [2, 1]
