"""The worst case: one thread that does nothing but os.stat, which gives up the GIL and takes it again."""

import os


def work(amount: int) -> None:
    stat = os.stat
    for _ in range(amount * 1000):
        stat("/")
