"""A stack over a fixed array: pop reads the top, and push moves it, without a lock.

The popper lowers `top` from 1 to 0 and stops before it reads its slot; the pusher writes "b" to slot 0 and raises
`top`; the popper reads slot 1, where there is nothing, and "a" is gone.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "SCTBench stack_bad; https://github.com/mc-imperial/sctbench"


class Stack:
    def __init__(self, size: int) -> None:
        self.slots = [""] * size
        self.top = 0

    def push(self, item: str) -> None:
        self.slots[self.top] = item
        self.top += 1

    def pop(self) -> str:
        self.top -= 1
        return self.slots[self.top]


def scenario() -> None:
    stack = Stack(4)
    stack.push("a")
    popped: list[str] = []

    def take() -> None:
        popped.append(stack.pop())

    threads = [threading.Thread(target=take), threading.Thread(target=stack.push, args=("b",))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(popped + stack.slots[: stack.top]) == ["a", "b"]
