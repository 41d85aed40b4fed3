"""Functions of `functools.cache` and `lru_cache` run on all backends, and keep what they know there."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headway
from headway.run.effects import effect

PROGRAM = """
import functools, sys
import headway

factor = [2]

@functools.lru_cache(maxsize=7, typed=True)
def rate(x):
    return factor[0] * x

@functools.cache
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)

class Table:
    @functools.cache
    def __call__(self, x):
        return x + 1

def use(x):
    return rate(x % 2)

def info(x):
    rate(1)
    return rate.cache_info()[:3], rate.cache_parameters()["typed"], rate.__name__

if __name__ == "__main__":
    on = sys.argv[1]
    print(list(headway.map(rate, range(4), on=on)))
    print(list(headway.map(use, range(4), on=on)))
    print(list(headway.map(fibonacci, range(8), on=on)))
    print(list(headway.map(Table(), range(4), on=on)))
    print(list(headway.map(functools.cache(lambda x: x + 1), range(4), on=on)))
    with headway.Executor(on, 1) as executor:
        print(executor.submit(info, 1).result())
        print(any(executor.submit(info, 1).result()[0][0] for _ in range(20)))
        factor[0] = 3
        print(executor.submit(use, 1).result())
        print(any(executor.submit(info, 1).result()[0][0] for _ in range(20)))
"""


@pytest.mark.parametrize("on", ["processes", "dask", "ray"])
def test_cached_functions_of_the_main_file_run_elsewhere_and_keep_what_they_know(
    on: str, tmp_path: Path
) -> None:
    if on in ("dask", "ray"):
        if sys.version_info[:2] != (3, 11):
            pytest.skip("not for this Python: clusters are slow to start, and are tested on 3.11")
        pytest.importorskip({"dask": "distributed", "ray": "ray"}[on])
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py"), on], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        "[0, 2, 4, 6]",
        "[0, 2, 0, 2]",
        "[0, 1, 1, 2, 3, 5, 8, 13]",
        "[1, 2, 3, 4]",
        "[1, 2, 3, 4]",
        "((0, 1, 7), True, 'rate')",
        "True",
        "3",  # what it uses has changed, so it begins anew
        "True",
    ]


def test_a_cache_does_not_outlive_its_map() -> None:
    @functools.cache
    def known(x: int) -> int:
        return x

    def misses(x: int) -> int:
        known(x)
        return known.cache_info().misses

    for _ in range(2):
        assert list(headway.map(misses, [1, 1, 2], on="processes", workers=1)) == [1, 1, 2]


def test_a_cached_function_that_a_worker_can_import_is_the_one_of_its_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "with_cached.py").write_text("import functools\ncached = functools.cache(abs)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    cached: Any = importlib.import_module("with_cached").cached
    cached.__module__, cached.__qualname__ = "with_cached", "cached"
    same = list(headway.map(lambda _: sys.modules["with_cached"].cached is cached, [0], on="processes"))
    assert same == [True]


MODULE = """
import functools, pathlib

@functools.lru_cache
def rate(path):
    return pathlib.Path(path).read_text()

def price(path):
    return rate(path)
"""


def test_workers_with_an_initializer_know_nothing_of_what_was_cached_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "with_rate.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("with_rate")
    value = tmp_path / "value"
    value.write_text("old")
    assert list(headway.map(module.price, [value] * 4, on="processes")) == ["old"] * 4
    value.write_text("new")
    module.rate.cache_clear()
    fresh: dict[str, Any] = {"on": "processes", "initializer": module.rate.cache_clear}
    assert list(headway.map(module.price, [value] * 4, **fresh)) == ["new"] * 4
    with headway.Executor(**fresh) as executor:
        assert executor.submit(module.price, value).result() == "new"


def append_to(seen: list[int]) -> Callable[[int], None]:
    def append(x: int) -> None:
        seen.append(x)

    return append


def test_auto_sees_what_a_cached_function_changes() -> None:
    cached: Any = functools.cache(append_to([]))
    assert effect(cached) == "it changes the list `seen`"
    assert effect(functools.partial(cached, 1)) == "it changes the list `seen`"
    assert effect(functools.cache(len)) is None
