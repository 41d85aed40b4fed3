"""Modules of the standard library do the same when they are rewritten."""

import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest


def queues() -> object:
    import queue

    found: list[Any] = []
    for kind in (queue.Queue, queue.LifoQueue, queue.PriorityQueue):
        q: Any = kind(3)
        for item in (3, 1, 2):
            q.put(item)
        with pytest.raises(queue.Full):
            q.put_nowait(4)
        found.append([q.get() for _ in range(3)])
        for _ in range(3):
            q.task_done()
        q.join()
    return found


def texts() -> object:
    import textwrap

    text = "The quick brown fox jumps over the lazy dog, and runs. " * 3
    return textwrap.wrap(text, 20), textwrap.dedent("  a\n    b\n  c"), textwrap.shorten(text, 30)


def data() -> object:
    import dataclasses

    @dataclasses.dataclass(order=True, frozen=True)
    class Point:
        x: int
        y: list[int] = dataclasses.field(default_factory=list, compare=False)

    point = Point(1)
    point.y.append(2)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 3  # type: ignore[misc]
    return dataclasses.asdict(point), dataclasses.replace(point, x=5), Point(1) < Point(2), repr(point)


def numbers() -> object:
    import fractions
    import heapq
    import statistics

    heap = [5, 3, 8, 1]
    heapq.heapify(heap)
    merged = list(heapq.merge([1, 4], [2, 3]))
    return heap, merged, statistics.stdev([1, 2, 4]), fractions.Fraction("3/7") + fractions.Fraction(1, 3)


def containers() -> object:
    import collections

    chain = collections.ChainMap({"a": 1}, {"b": 2})
    chain["c"] = 3
    counted = collections.Counter("abracadabra")
    pair = collections.namedtuple("pair", "x y")
    listed = collections.UserList([3, 1])
    listed.sort()
    return (
        sorted(chain),
        counted.most_common(2),
        pair(1, 2)._replace(x=5),
        listed,
        counted - collections.Counter("aab"),
    )


def jsons() -> object:
    value = {"a": [1, 2.5, None, True, "é\n"], "b": {"c": []}}
    return json.loads(json.dumps(value, indent=2, sort_keys=True)), json.dumps(value)


def settings() -> object:
    import configparser
    import string

    parser = configparser.ConfigParser()
    parser.read_string("[a]\nx = 1\ny = %(x)s2\n[b]\nlist = 1\n  2\n")
    made = string.Template("$a ${b}").substitute(a=1, b=2), string.Formatter().format("{0.real:>{1}}", 3, 4)
    return {name: dict(parser[name]) for name in parser.sections()}, made


def contexts() -> object:
    import contextlib

    log: list[Any] = []

    def fail() -> None:
        raise KeyError("k")

    @contextlib.contextmanager
    def logged(name: str) -> Any:
        log.append(f"enter {name}")
        try:
            yield name
        except KeyError as error:
            log.append(repr(error))
        finally:
            log.append(f"exit {name}")

    with logged("a"), contextlib.ExitStack() as stack:
        stack.enter_context(logged("b"))
        stack.callback(log.append, "called")
        fail()
    return log


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("granularity", ["access", "line"])
@pytest.mark.parametrize(
    ("program", "modules"),
    [
        (queues, ["queue"]),
        (texts, ["textwrap"]),
        (data, ["dataclasses"]),
        (numbers, ["heapq", "fractions", "statistics"]),
        (containers, ["collections"]),
        (jsons, ["json"]),
        (settings, ["configparser", "string"]),
        (contexts, ["contextlib"]),
    ],
)
def test_a_rewritten_module_does_the_same(
    program: Callable[[], object], modules: list[str], granularity: str, watch: Any
) -> None:
    expected = repr(program())
    seen = watch(program, granularity=granularity, also=modules)
    assert repr(seen.result) == expected
    files = {importlib.import_module(module).__file__ for module in modules}
    assert files <= set(seen.rewritten.files)
    assert any(visit[0].file in files for visit in seen.visits)
