"""A stack of nodes changed by compare-and-set alone, and nodes that are used again.

The first thread reads that the top is A and below it B. The second pops A, pops B, and pushes A again. The first sets
the top from A to B, and succeeds, since A is the top: B, which the second thread has, is on the stack again.
"""

import threading

KIND = "failure"
LEVEL = "sync"
SOURCE = "Treiber, IBM RJ 5118, 1986; the ABA problem: Michael, IEEE TPDS 2004"


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.below: Node | None = None


class Stack:
    def __init__(self) -> None:
        self._atomic = threading.Lock()
        self.top: Node | None = None

    def compare_and_set(self, expected: Node | None, new: Node | None) -> bool:
        with self._atomic:
            if self.top is not expected:
                return False
            self.top = new
            return True

    def push(self, node: Node) -> None:
        while True:
            top = self.top
            node.below = top
            if self.compare_and_set(top, node):
                return

    def pop(self) -> Node | None:
        while (top := self.top) is not None:
            if self.compare_and_set(top, top.below):
                return top
        return None


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
