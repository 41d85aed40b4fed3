"""Two threads count words in one dictionary with `get` and a store.

Both get 0 for "the" and both store 1.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "ours; D[x] = D[x] + 1 in https://docs.python.org/3/faq/library.html"


def count_words(words: list[str], counts: dict[str, int]) -> None:
    for word in words:
        counts[word] = counts.get(word, 0) + 1


def scenario() -> None:
    counts: dict[str, int] = {}
    threads = [
        threading.Thread(target=count_words, args=(words, counts)) for words in (["the"], ["a", "the"])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == {"a": 1, "the": 2}
