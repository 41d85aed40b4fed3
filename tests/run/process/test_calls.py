"""Calls and their outcomes, when nothing breaks."""

from __future__ import annotations

import math
import os
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from headway.run.batch import Batch, Portion

from .conftest import Client, MakeClient, Outcome


def test_values_come_in_the_order_of_their_items(client: Client) -> None:
    assert client.run(math.sqrt, [float(n * n) for n in range(5000)]) == [float(n) for n in range(5000)]


def test_kwargs_and_tuples_of_arguments_reach_the_function(client: Client) -> None:
    assert client.run(divmod, [(7, 2), (9, 4)], star=True) == [(3, 1), (2, 1)]
    assert client.run(sorted, [[1, 3, 2]], kwargs={"reverse": True}) == [[3, 2, 1]]
    assert client.run(int, [("ff",), ("10",)], star=True, kwargs={"base": 16}) == [255, 16]


def test_calls_run_in_other_processes(client: Client) -> None:
    pids = {outcome.list()[0] for outcome in client.each(lambda _: os.getpid(), range(8))}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_lambdas_closures_and_local_classes_go_by_value(client: Client) -> None:
    factor = 3

    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    made = client.run(lambda x: Point(x * factor), [1, 2])
    assert [point.x for point in made] == [3, 6]
    assert all(type(point) is Point for point in made)


def test_a_function_of_a_module_that_workers_cannot_import_goes_by_value(client: Client) -> None:
    assert client.run(_of_this_module, [1, 2]) == [2, 3]


def _of_this_module(x: int) -> int:
    return x + 1


def test_what_a_function_refers_to_is_sent_anew_for_each_call_that_is_submitted_alone(client: Client) -> None:
    box = [1]
    assert client.run(lambda: box[0], [()], star=True) == [1]
    read = lambda: box[0]  # noqa: E731  # the same function twice
    assert client.run(read, [()], star=True) == [1]
    box[0] = 2
    assert client.run(read, [()], star=True) == [2]


def test_an_exception_fails_its_call_alone_and_keeps_its_type_and_traceback(client: Client) -> None:
    outcome = client.start(math.sqrt, [4.0, -1.0, 9.0]).wait()
    assert outcome.values == {0: 2.0, 2: 3.0}
    assert type(outcome.errors[1]) is ValueError
    assert "Traceback" in str(outcome.errors[1].__cause__)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
def test_an_exit_that_a_call_raises_is_an_outcome_like_any_other(
    client: Client, error: BaseException
) -> None:
    def leave(x: int) -> int:
        if x == 1:
            raise error
        return x

    outcome = client.start(leave, [0, 1, 2]).wait()
    assert outcome.values == {0: 0, 2: 2}
    assert type(outcome.errors[1]) is type(error)


def test_a_short_call_does_not_wait_for_the_long_one_behind_it(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def wait(x: int) -> int:
        while x == 2 and not gate.exists():
            pass
        return x

    outcome = client.start(wait, [0, 1, 2])
    outcome.wait_for(2)
    assert outcome.values == {0: 0, 1: 1}
    gate.touch()
    assert outcome.list() == [0, 1, 2]


def test_a_batch_that_nobody_wants_any_more_is_dropped(client: Client) -> None:
    outcome = client.start(abs, [-1], claim=lambda: False)
    assert client.run(abs, [-2]) == [2]
    assert not outcome.portions


def test_an_empty_batch_is_taken(client: Client) -> None:
    assert client.run(abs, []) == []
    assert client.run(abs, [-1]) == [1]


def test_spent_says_where_and_when_the_calls_ran(client: Client) -> None:
    outcome = client.start(math.sqrt, [4.0]).wait()
    spent = outcome.portions[0].spent
    assert spent.sent_ns <= spent.started_ns <= spent.ended_ns
    assert spent.cpu_ns >= 0
    assert spent.worker.startswith("process ")


def test_a_closed_backend_takes_no_batch(client: Client) -> None:
    client.backend.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.run(abs, [1])


def test_close_waits_for_what_was_submitted(client: Client) -> None:
    outcomes = client.each(math.sqrt, [float(n) for n in range(100)])
    client.backend.close()
    assert all(len(outcome.values) == 1 for outcome in outcomes)


def test_more_calls_than_workers_run_at_once_never(make_client: MakeClient, tmp_path: Path) -> None:
    def mark(x: int) -> int:
        (tmp_path / str(x)).touch()
        running = len(list(tmp_path.iterdir()))
        (tmp_path / str(x)).unlink()
        return running

    client = make_client(2)
    assert max(outcome.list()[0] for outcome in client.each(mark, range(50))) <= 2


def test_resize_allows_more_and_fewer_workers(make_client: MakeClient, tmp_path: Path) -> None:
    def meet(x: int) -> int:
        (tmp_path / str(x)).touch()
        while len(list(tmp_path.iterdir())) < 3:
            pass
        return os.getpid()

    client = make_client(1)
    assert client.run(abs, [-1]) == [1]
    client.backend.resize(3)
    assert client.backend.workers == 3
    pids = {outcome.list()[0] for outcome in client.each(meet, range(3))}
    assert len(pids) == 3
    client.backend.resize(1)
    assert client.run(abs, [-1] * 10) == [1] * 10


def test_calls_that_wait_for_each_other_run_at_once_even_in_one_batch(client: Client, tmp_path: Path) -> None:
    def meet(x: int) -> int:
        (tmp_path / str(x)).touch()
        while len(list(tmp_path.iterdir())) < 2:
            pass
        return x

    assert client.run(meet, [0, 1]) == [0, 1]


def test_what_waits_behind_a_long_call_runs_elsewhere(client: Client, tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def wait(x: int) -> int:
        while x == 0 and not gate.exists():
            pass
        return x

    outcome = client.start(wait, range(200))
    outcome.wait_for(199)
    assert 0 not in outcome.values
    gate.touch()
    assert outcome.list() == list(range(200))


def test_a_part_of_a_long_batch_of_short_calls_runs_elsewhere(client: Client, tmp_path: Path) -> None:
    def call(x: int) -> int:
        (tmp_path / str(os.getpid())).touch()
        if len(list(tmp_path.iterdir())) < 2:
            time.sleep(0.005)
        return x

    outcome = client.start(call, range(5000))
    assert outcome.list() == list(range(5000))
    assert len({portion.spent.worker for portion in outcome.portions}) == 2


class Slow:
    """Something whose pickling waits."""

    begun = threading.Event()
    go_on = threading.Event()

    def __reduce__(self) -> tuple[type[int], tuple[()]]:
        self.begun.set()
        assert self.go_on.wait(50)
        return int, ()


def test_what_is_stopped_while_it_is_pickled_does_not_run(client: Client) -> None:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(client.start(abs, [Slow()])))
    thread.start()
    assert Slow.begun.wait(50)
    client.backend.close(wait=False, abort=True)
    Slow.go_on.set()
    thread.join()
    assert isinstance(outcomes[0].wait().errors[0], CancelledError)


def test_batches_from_many_threads_are_all_answered(client: Client) -> None:
    results: list[list[float]] = []

    def submit() -> None:
        for _ in range(50):
            results.append(client.run(math.sqrt, [4.0, 9.0]))

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [[2.0, 3.0]] * 200


def test_a_sink_may_submit(client: Client) -> None:
    done = threading.Event()
    values = []

    def again(portion: Portion) -> None:
        values.append(portion.values[0])
        if len(values) == 20:
            done.set()
        else:
            client.backend.submit(Batch(abs, [-len(values)], again))

    client.backend.submit(Batch(abs, [-1], again))
    assert done.wait(50)
    assert values == [1, *range(1, 20)]
