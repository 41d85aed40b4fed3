"""Four threads that count words in pure Python: nothing but the GIL between them."""

import threading

TEXT = "the quick brown fox jumps over the lazy dog and the dog does not mind at all " * 20


def count(amount: int, into: dict[str, int]) -> None:
    for _ in range(amount):
        for word in TEXT.split():
            into[word] = into.get(word, 0) + len(word)


def work(amount: int) -> None:
    totals: list[dict[str, int]] = [{} for _ in range(4)]
    threads = [threading.Thread(target=count, args=(amount, total)) for total in totals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(total == totals[0] for total in totals)
