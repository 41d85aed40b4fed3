"""What travels: arguments, results and exceptions, small and large."""

from __future__ import annotations

import gc
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import headway
from headway.errors import CannotSend, RemoteError

from .conftest import Client, MakeClient

MB = 1_000_000


def fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def shared_segments() -> int:
    """How many segments this process has mapped."""
    return sum("memfd:headway (" in line for line in Path("/proc/self/maps").read_text().splitlines())


def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():
        time.sleep(0.001)


def test_arrays_come_and_go_whole_and_writable(client: Client) -> None:
    arrays = [np.arange(n * MB // 8, dtype=np.int64) for n in (1, 2, 16)]
    doubled = [outcome.list()[0] for outcome in client.each(lambda a: a * 2, arrays)]
    for array, double in zip(arrays, doubled, strict=True):
        assert np.array_equal(double, array * 2)
        double[0] = 7
        assert double[0] == 7


def test_an_argument_is_writable_in_the_worker_and_the_original_stays(client: Client) -> None:
    def change(a: Any) -> float:
        a[:] = 5
        return float(a.sum())

    array = np.ones(MB)
    assert client.run(change, [array]) == [5.0 * MB]
    assert array[0] == 1


def test_memory_and_descriptors_are_given_back_when_arrays_are_freed(make_client: MakeClient) -> None:
    client = make_client(1)
    client.run(lambda a: a + 1, [np.ones(MB)])
    gc.collect()
    wait_until(lambda: shared_segments() == 0)
    before = fds()
    results = client.run(lambda a: a + 1, [np.ones(MB) for _ in range(10)])
    assert shared_segments() == 10
    del results

    # The receiver may still hold what it delivers, and keeps some segments until the workers have nothing to do.
    def freed() -> bool:
        gc.collect()
        return shared_segments() == 0 and fds() <= before

    wait_until(freed)


def test_more_large_buffers_than_one_message_takes_arrive(client: Client) -> None:
    many = [np.full(200_000, n % 256, dtype=np.uint8) for n in range(300)]
    back = client.run(lambda arrays: [a + 1 for a in arrays], [many])[0]
    assert [int(a[-1]) for a in back] == [(n + 1) % 256 for n in range(300)]


def test_arrays_arrive_although_few_files_may_be_open(client: Client) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (fds() + 60, hard))
    try:
        kept = [client.run(lambda n: np.full(200_000, n), [n])[0] for n in range(100)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [array[-1] for array in kept] == list(range(100))


@pytest.mark.parametrize("size", [0, 1, 100_000, 130_000, 300_000, 5 * MB])
def test_bytes_and_text_of_any_size_arrive(client: Client, size: int) -> None:
    assert client.run(lambda x: x, [b"x" * size, "y" * size, bytearray(size)]) == [
        b"x" * size,
        "y" * size,
        bytearray(size),
    ]


def test_arrays_that_are_not_contiguous_arrive(client: Client) -> None:
    array = np.arange(4 * MB).reshape(2000, 2000)[::2, ::3]
    assert np.array_equal(client.run(lambda a: a, [array])[0], array)


class Held:
    def __init__(self) -> None:
        self.db = Db()


class Db:
    def __init__(self) -> None:
        self.name = "db"
        self._lock = threading.Lock()


def test_an_argument_that_cannot_be_sent_fails_its_call_alone_and_is_named(client: Client) -> None:
    outcome = client.start(lambda x: 1, [0, Held(), 2]).wait()
    assert outcome.values == {0: 1, 2: 1}
    error = outcome.errors[1]
    assert isinstance(error, CannotSend)
    assert error.path == "args[0].db._lock"
    assert error.message == "args[0].db._lock: cannot pickle '_thread.lock' object"


def test_a_function_that_cannot_be_sent_fails_all_calls_and_names_the_variable(client: Client) -> None:
    lock = threading.Lock()
    outcome = client.start(lambda x: lock, [1, 2]).wait()
    assert {type(error) for error in outcome.errors.values()} == {CannotSend}
    error = outcome.errors[0]
    assert isinstance(error, CannotSend)
    assert error.path.endswith(".lock")


def test_a_result_that_cannot_be_sent_fails_its_call_alone_and_is_named(client: Client) -> None:
    outcome = client.start(lambda x: {"a": [threading.Lock()]} if x else x, [0, 1, 0]).wait()
    assert outcome.values == {0: 0, 2: 0}
    error = outcome.errors[1]
    assert isinstance(error, CannotSend)
    assert error.path == "result['a'][0]"
    assert "returned a dict: cannot pickle '_thread.lock' object" in error.message
    assert error.hint == "leave result['a'][0] out of what is returned"


@pytest.mark.parametrize("on", ["processes", "an executor"])
def test_a_result_that_cannot_be_sent_is_named_with_its_function_and_what_to_return(on: str) -> None:
    def count_up(limit: int, *, start: int = 0) -> Iterator[int]:
        yield from range(start, limit)

    with headway.Executor("processes", 2) as executor:
        if on == "processes":
            error = executor.submit(count_up, 3, start=1).exception()
        else:  # with fewer workers, calls go through `submit`
            results = headway.map(count_up, [3], on=executor, workers=1, on_error="return")
            error = next(results)  # type: ignore[assignment]
    assert isinstance(error, CannotSend)
    assert error.message.startswith("result: test_a_result_that")
    assert error.message.endswith("count_up returned a generator: cannot pickle 'generator' object")
    assert error.hint == "return a list of what it yields"


@pytest.mark.parametrize("mode", ["r", "w", "rb", "r+b"])
def test_an_open_file_is_not_sent(client: Client, tmp_path: Path, mode: str) -> None:
    (tmp_path / "file").touch()
    with open(tmp_path / "file", mode) as file:
        error = client.start(lambda x: 1, [{"file": file}]).wait().errors[0]
        assert isinstance(error, CannotSend)
        # Which words Python chooses for the kind differs by version.
        assert error.message.startswith("args[0]['file']: cannot pickle ")
        assert type(file).__name__ in error.message
        error = client.start(lambda x: file, [0]).wait().errors[0]
        assert isinstance(error, CannotSend)
        assert error.path.endswith(".file")
    error = client.start(lambda path: path.open(mode), [tmp_path / "file"]).wait().errors[0]
    assert isinstance(error, CannotSend)
    assert error.path == "result"


def test_an_exception_comes_without_its_open_file(client: Client, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    def fail(path: Path) -> None:
        raise ValueError("bad", path.open())

    error = client.start(fail, [tmp_path / "file"]).wait().errors[0]
    assert isinstance(error, ValueError)
    assert "_io.TextIOWrapper" in error.args[1]
    assert "args[1]" in error.__notes__[0]


def test_a_function_may_have_stdout_at_hand(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        assert client.run(lambda x: out is sys.stdout, [1]) == [True]


class OnlyThere:
    """Can be pickled, and unpickled in the process that has set the variable."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _make, (os.getpid(),)


def _make(pid: int) -> OnlyThere:
    if os.getpid() != pid:
        raise ValueError("not here")
    return OnlyThere()


def test_a_result_whose_unpickling_raises_fails_its_call_alone(client: Client) -> None:
    outcome = client.start(lambda x: OnlyThere() if x else x, [0, 1, 0]).wait()
    assert outcome.values == {0: 0, 2: 0}
    assert isinstance(outcome.errors[1], CannotSend)
    assert "not here" in str(outcome.errors[1])


def test_an_argument_whose_unpickling_raises_fails_its_call_alone(client: Client) -> None:
    outcome = client.start(lambda x: 1, [0, OnlyThere(), 2]).wait()
    assert outcome.values == {0: 1, 2: 1}
    assert isinstance(outcome.errors[1], CannotSend)


class Demanding(Exception):
    """Its __init__ takes other arguments than it keeps."""

    def __init__(self, code: int, *, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


def raise_demanding(x: int) -> None:
    error = Demanding(x, text="t")
    error.add_note("a note")
    raise error


def test_an_exception_keeps_type_arguments_attributes_and_notes(client: Client) -> None:
    error = client.start(raise_demanding, [5]).wait().errors[0]
    assert isinstance(error, Demanding)
    assert (error.args, error.code, error.text) == (("5: t",), 5, "t")
    assert error.__notes__ == ["a note"]
    assert "in raise_demanding" in str(error.__cause__)


@pytest.mark.parametrize(
    "make",
    [
        lambda: OSError(2, "gone", "/tmp/x"),
        lambda: UnicodeDecodeError("utf-8", b"abc", 1, 2, "bad"),
        lambda: SystemExit(4),
        lambda: KeyError("k"),
        lambda: ImportError("no", name="n", path="p"),
        lambda: ExceptionGroup("g", [ValueError(1), TypeError(2)]),
        lambda: pickle.PicklingError("p"),
    ],
)
def test_exceptions_of_the_language_come_back_as_they_were(client: Client, make: Any) -> None:
    def fail(_: int) -> None:
        raise make()

    error, original = client.start(fail, [0]).wait().errors[0], make()
    assert type(error) is type(original)
    assert str(error) == str(original)
    assert repr(error) == repr(original)
    assert getattr(error, "code", None) == getattr(original, "code", None)


def test_a_cause_comes_along(client: Client) -> None:
    def fail(_: int) -> None:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise ValueError("outer") from inner

    error = client.start(fail, [0]).wait().errors[0]
    assert isinstance(error.__cause__, KeyError)
    assert "Traceback" in str(error.__cause__.__cause__)


def test_what_an_exception_cannot_bring_is_named(client: Client) -> None:
    def fail(_: int) -> None:
        error = ValueError("a", threading.Lock())
        error.lock = threading.Lock()  # type: ignore[attr-defined]
        error.fine = 1  # type: ignore[attr-defined]
        raise error

    error: Any = client.start(fail, [0]).wait().errors[0]
    assert type(error).__name__ == "ValueError"
    assert error.args[0] == "a"
    assert "lock" in error.args[1]
    assert error.fine == 1
    assert "args[1], lock" in error.__notes__[0]


class Hopeless(Exception):
    """Unpickling it raises, whatever one does."""

    def __setattr__(self, name: str, value: object) -> None:
        raise RuntimeError("no")

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("no")

    def __reduce__(self) -> Any:
        raise RuntimeError("no")


def test_an_exception_is_never_lost(client: Client) -> None:
    def fail(_: int) -> None:
        raise Hopeless("oh")

    error = client.start(fail, [0]).wait().errors[0]
    assert isinstance(error, (Hopeless, RemoteError))
    assert "oh" in str(error)


def test_a_result_that_a_later_call_changes_is_as_it_was_returned(client: Client) -> None:
    seen: list[int] = []

    def note(x: int) -> list[int]:
        seen.append(x)
        return seen

    results = client.run(note, [1, 2, 3])
    assert all(result[-1] == n for n, result in zip([1, 2, 3], results, strict=True))
