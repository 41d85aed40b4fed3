"""One thread adds to `stats.hits`, the other to the same attribute by way of `vars(stats)["hits"]`.

They are one variable under two names. Both read 0 and both write 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; explorers that tell the two names apart certify this program"


class Stats:
    def __init__(self) -> None:
        self.hits = 0


def hit(stats: Stats) -> None:
    stats.hits += 1


def merge(stats: Stats, other: dict[str, int]) -> None:
    mine = vars(stats)
    for name, value in other.items():
        mine[name] = mine[name] + value


def scenario() -> None:
    stats = Stats()
    threads = [
        threading.Thread(target=hit, args=(stats,)),
        threading.Thread(target=merge, args=(stats, {"hits": 1})),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stats.hits == 2
