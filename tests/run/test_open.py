"""Opening a backend by name, by URL, or around an executor."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

import headway
from headway.errors import MissingExtra, UsageError
from headway.run.backends.contract import Backend
from headway.run.backends.open import NAMES, open_backend
from headway.run.backends.threads import Threads
from headway.run.batch import Batch, Portion


def outcome(backend: Backend, fn: Callable[[Any], Any], item: Any) -> Portion:
    portions: list[Portion] = []
    came = threading.Event()

    def sink(portion: Portion) -> None:
        portions.append(portion)
        came.set()

    backend.submit(Batch(fn, [item], sink))
    assert came.wait(40)
    return portions[0]


@pytest.mark.parametrize("name", ["serial", "threads", "processes", "asyncio"])
def test_a_name_opens_the_backend_of_that_name(name: str) -> None:
    backend = open_backend(name, 1)
    assert backend.name == name
    assert backend.workers == 1
    backend.close()


def test_nothing_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, headway.run.backends.open; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(run.stdout.split()) & {"asyncio", "cloudpickle", "distributed", "gevent", "numpy", "ray"}


def test_an_unknown_name_is_refused_with_all_that_there_are() -> None:
    with pytest.raises(UsageError, match="no backend 'proceses'") as caught:
        open_backend("proceses")
    assert caught.value.hint is not None
    assert "did you mean 'processes'?" in caught.value.hint
    assert all(name in caught.value.hint for name in NAMES)


@pytest.mark.parametrize("on", ["", "http://host:80", "dask://", "dask:/host"])
def test_what_is_no_url_of_a_cluster_is_refused(on: str) -> None:
    with pytest.raises(UsageError, match="no backend"):
        open_backend(on)


@pytest.mark.parametrize("on", [3, None, ThreadPoolExecutor, object()])
def test_what_has_no_submit_is_refused(on: Any) -> None:
    with pytest.raises(UsageError, match="neither a name"):
        open_backend(on)


def test_a_number_in_place_of_a_backend_is_taken_for_that_of_workers() -> None:
    make: Any = headway.Executor
    with pytest.raises(UsageError) as caught:
        make(4)
    assert caught.value.hint == "workers=4"


@pytest.mark.parametrize(
    ("name", "package", "module"),
    [
        ("greenlets", "gevent", "greenlets"),
        ("dask", "dask", "dask_cluster"),
        ("dask", "distributed", "dask_cluster"),
        ("ray", "ray", "ray_cluster"),
    ],
)
def test_a_package_that_is_missing_is_named_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str, module: str
) -> None:
    monkeypatch.delitem(sys.modules, f"headway.run.backends.{module}", raising=False)
    if package == "distributed":
        monkeypatch.setitem(sys.modules, "dask", ModuleType("dask"))
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=package) as caught:
        open_backend(name)
    assert caught.value.hint == f"pip install 'headway[{name}]'"


def test_a_package_that_is_there_and_broken_is_not_called_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gevent")
    monkeypatch.delitem(sys.modules, "headway.run.backends.greenlets", raising=False)
    monkeypatch.setitem(sys.modules, "gevent.event", None)
    with pytest.raises(ModuleNotFoundError, match=r"gevent\.event"):
        open_backend("greenlets")


def test_interpreters_need_a_python_that_has_them() -> None:
    if sys.version_info >= (3, 14):
        pytest.skip("not for Python 3.14: it has concurrent.interpreters")
    with pytest.raises(MissingExtra, match=r"3\.14"):
        open_backend("interpreters")


def test_a_backend_is_itself() -> None:
    backend = Threads(1)
    assert open_backend(backend) is backend
    backend.close()


def test_an_executor_lends_its_workers_and_is_left_open() -> None:
    with ThreadPoolExecutor(3) as executor:
        backend = open_backend(executor)
        assert backend.workers == 3
        assert backend.local
        assert outcome(backend, abs, -2).values == [2]
        backend.close()
        assert executor.submit(abs, -3).result() == 3


class Inline(Executor):
    """The least that PEP 3148 asks for: calls at once, in the caller's thread, and pickles nothing."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_an_executor_of_anyones_will_do() -> None:
    backend = open_backend(Inline())
    lock = threading.Lock()
    assert outcome(backend, lambda x: x, lock).values == [lock]
    backend.close()


def test_an_executor_that_refuses_makes_the_calls_fail() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    backend = open_backend(executor)
    assert isinstance(outcome(backend, abs, 1).errors[0], RuntimeError)
    backend.close()


@pytest.mark.parametrize("scheme", ["dask", "tcp"])
def test_a_url_opens_a_cluster_that_is_left_running(scheme: str) -> None:
    if sys.version_info[:2] != (3, 11):
        pytest.skip("not for this Python: clusters are slow to start, and are tested on 3.11")
    pytest.importorskip("distributed")
    own = open_backend("dask", 1)
    address = str(own.describe()["scheduler"]).removeprefix("tcp://")
    for _ in range(2):
        other = open_backend(f"{scheme}://{address}", 1)
        assert outcome(other, abs, -2).values == [2]
        other.close()
    own.close()
