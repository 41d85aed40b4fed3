"""What a worker takes over from the program, and what reaches the program from it."""

from __future__ import annotations

import contextvars
import logging
import os
import sys
import warnings

import pytest

from .conftest import Client, MakeClient

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("REQUEST", default="none")


def read() -> str:
    return REQUEST.get()


@pytest.fixture
def request_context() -> contextvars.Context:
    context = contextvars.copy_context()
    context.run(REQUEST.set, "r1")
    return context


def test_context_variables_of_the_submitting_thread_reach_the_call(
    client: Client, request_context: contextvars.Context
) -> None:
    def read_it(_: int) -> str:
        return REQUEST.get()

    assert request_context.run(client.run, read_it, [0]) == ["r1"]
    assert client.run(lambda _: REQUEST.get("unset"), [0]) == ["unset"]


def test_what_a_call_sets_in_its_context_is_gone_in_the_next_batch(make_client: MakeClient) -> None:
    client = make_client(1)
    client.run(lambda _: REQUEST.set("x") and None, [0])
    assert client.run(lambda _: REQUEST.get("unset"), [0]) == ["unset"]


def test_values_that_cannot_be_sent_stay_behind(client: Client) -> None:
    context = contextvars.copy_context()
    context.run(REQUEST.set, sys._getframe())  # type: ignore[arg-type]
    assert context.run(client.run, lambda _: REQUEST.get("unset"), [0]) == ["unset"]


def test_log_records_reach_the_logger_of_their_name(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def log(x: int) -> int:
        logging.getLogger("far.away").warning("item %d", x)
        try:
            raise KeyError("k")
        except KeyError:
            logging.getLogger("far.away").exception("failed")
        return x

    client.run(log, [5])
    assert [(r.name, r.levelname, r.getMessage()) for r in caplog.records] == [
        ("far.away", "WARNING", "item 5"),
        ("far.away", "ERROR", "failed"),
    ]
    assert "KeyError" in (caplog.records[1].exc_text or "")
    assert caplog.records[0].process != os.getpid()


def test_levels_are_carried_over(
    make_client: MakeClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("quiet"), "level", logging.ERROR)
    caplog.set_level(logging.DEBUG, "chatty")

    def log(_: int) -> None:
        logging.getLogger("chatty").debug("heard")
        logging.getLogger("quiet").warning("not heard")

    make_client(1).run(log, [0])
    assert [record.getMessage() for record in caplog.records] == ["heard"]


def test_warnings_reach_the_program(make_client: MakeClient) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        make_client(1).run(lambda _: warnings.warn("old", DeprecationWarning, stacklevel=1), [0])
    assert [(str(w.message), w.category) for w in caught] == [("old", DeprecationWarning)]


def test_filters_are_carried_over(make_client: MakeClient) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", message="bad.*", category=UserWarning)
        client = make_client(1)
        assert client.run(lambda _: warnings.warn("fine", stacklevel=1), [0]) == [None]
        assert isinstance(
            client.start(lambda _: warnings.warn("bad one", stacklevel=1), [0]).wait().errors[0], UserWarning
        )


def test_filters_are_the_same_there(make_client: MakeClient) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Bad.*", category=UserWarning, module="Mine")
        # As Python's own: text to be equal to, and no pattern.
        own = ("default", None, UserWarning, "__main__", 0)
        warnings.filters.insert(0, own)  # type: ignore[attr-defined]
        assert make_client(1).run(lambda _: warnings.filters[:2], [0]) == [warnings.filters[:2]]


def test_directory_path_and_arguments_are_the_programs(client: Client) -> None:
    assert client.run(lambda _: (os.getcwd(), sys.argv, sys.path), [0]) == [(os.getcwd(), sys.argv, sys.path)]


def test_a_worker_tells_libraries_how_many_cores_are_its_own(make_client: MakeClient) -> None:
    cores = make_client(2).run(lambda _: os.environ["OMP_NUM_THREADS"], [0])
    assert cores == [os.environ.get("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // 2)))]


def test_stdin_of_a_worker_is_empty(client: Client) -> None:
    assert client.run(lambda _: sys.stdin.read(), [0]) == [""]


def test_nested_processes_are_one_a_worker(client: Client) -> None:
    def nested(_: int) -> tuple[int, list[int]]:
        import threading

        from headway.run.backends.processes import Processes
        from headway.run.batch import Batch

        backend = Processes()
        done = threading.Event()
        got: list[int] = []

        def sink(portion: object) -> None:
            got.extend(portion.values)  # type: ignore[attr-defined]
            done.set()

        backend.submit(Batch(abs, [-3], sink))
        done.wait()
        backend.close()
        return backend.workers, got

    assert client.run(nested, [0]) == [(1, [3])]
