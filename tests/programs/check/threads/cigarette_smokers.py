"""Two smokers take the ingredients that an agent lays out, one at a time, as they come.

Tobacco and matches are laid out, which are for the second smoker. The first, who needs tobacco and paper, takes the
tobacco: the second waits for tobacco, and the first for paper, for ever.
"""

import threading

KIND = "deadlock"
LEVEL = "sync"
SOURCE = "Patil, MIT Project MAC memo 57, 1971; Downey, The Little Book of Semaphores, §4.5"


def scenario() -> None:
    tobacco, paper, matches = (threading.Semaphore(0) for _ in range(3))
    smoked: list[str] = []
    put_out = threading.Semaphore(0)

    def smoke(name: str, first: threading.Semaphore, second: threading.Semaphore) -> None:
        first.acquire()
        second.acquire()
        smoked.append(name)
        put_out.release()

    def lay_out() -> None:
        for ingredients in ((tobacco, matches), (tobacco, paper)):
            for ingredient in ingredients:
                ingredient.release()
            put_out.acquire()

    threads = [
        threading.Thread(target=smoke, args=("has matches", tobacco, paper)),
        threading.Thread(target=smoke, args=("has paper", tobacco, matches)),
        threading.Thread(target=lay_out),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert smoked == ["has paper", "has matches"]
