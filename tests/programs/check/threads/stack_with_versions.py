"""A stack changed by compare-and-set of its top together with a number that goes up by one each time.

A top that is back after others have been there has another number, and the set fails and is tried again.
"""

import threading

KIND = "ok"
LEVEL = "access"
SOURCE = "Treiber, IBM RJ 5118, 1986, with the IBM System/370's double-word compare-and-swap"


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.below: Node | None = None


class Stack:
    def __init__(self) -> None:
        self._atomic = threading.Lock()
        self.top: tuple[int, Node | None] = (0, None)

    def compare_and_set(self, expected: tuple[int, Node | None], new: Node | None) -> bool:
        with self._atomic:
            if self.top is not expected:
                return False
            self.top = (expected[0] + 1, new)
            return True

    def push(self, node: Node) -> None:
        while True:
            top = self.top
            node.below = top[1]
            if self.compare_and_set(top, node):
                return

    def pop(self) -> Node | None:
        while True:
            top = self.top
            node = top[1]
            if node is None or self.compare_and_set(top, node.below):
                return node


def scenario() -> None:
    stack = Stack()
    for name in "BA":
        stack.push(Node(name))
    taken: list[Node] = []

    def take_one() -> None:
        node = stack.pop()
        if node is not None:
            taken.append(node)

    def take_two_and_return_one() -> None:
        first, second = stack.pop(), stack.pop()
        if first is not None:
            stack.push(first)
        if second is not None:
            taken.append(second)

    threads = [threading.Thread(target=part) for part in (take_one, take_two_and_return_one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while (node := stack.pop()) is not None:
        taken.append(node)
    assert sorted(node.name for node in taken) == ["A", "B"]
