"""What `explore` and `replay` promise, apart from finding bugs."""

import _thread
import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import headway
from corpus import programs
from headway import CannotControl, ReplayDiverged, ScheduleFailure, UsageError, explore, replay
from headway.check.search import Search

CARRIERS = ("threads", "greenlets")


class Account:
    def __init__(self) -> None:
        self.balance = 0

    def deposit(self) -> None:
        self.balance += 1


def lost_update() -> None:
    account = Account()
    threads = [threading.Thread(target=account.deposit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.balance == 2


def locked_update() -> None:
    account, lock = Account(), threading.Lock()

    def deposit() -> None:
        with lock:
            account.deposit()

    threads = [threading.Thread(target=deposit) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.balance == 2


def failure_of(scenario: Callable[[], Any], **options: Any) -> ScheduleFailure:
    with pytest.raises(ScheduleFailure) as caught:
        explore(scenario, **options)
    return caught.value


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_lost_update_is_found_and_replayed(carrier: str) -> None:
    failure = failure_of(lost_update, carrier=carrier)
    assert failure.kind == "exception"
    assert isinstance(failure.__cause__, AssertionError)
    with pytest.raises(ScheduleFailure):
        replay(lost_update, failure.token, carrier=carrier)


def test_a_token_of_one_carrier_replays_on_the_other() -> None:
    token = failure_of(lost_update, carrier="greenlets").token
    with pytest.raises(ScheduleFailure):
        replay(lost_update, token, carrier="threads")


@pytest.mark.parametrize("strategy", ["auto", "walk", "pct", "pos", "bounded"])
def test_each_strategy_finds_it(strategy: str) -> None:
    assert failure_of(lost_update, strategy=strategy).token


@pytest.mark.parametrize("granularity", ["access", "line", "opcode"])
def test_each_granularity_that_can_show_it_does(granularity: str) -> None:
    if granularity == "line":  # one line adds: no switch inside
        assert explore(lost_update, granularity=granularity, schedules=200).schedules
    else:
        assert failure_of(lost_update, granularity=granularity).kind == "exception"


def test_the_same_seed_searches_the_same_schedules() -> None:
    assert failure_of(lost_update, seed=3).token == failure_of(lost_update, seed=3).token


@pytest.mark.parametrize("carrier", CARRIERS)
def test_the_verdict_says_when_all_schedules_were_run(carrier: str) -> None:
    verdict = explore(
        locked_update, granularity="sync", carrier=carrier, strategy="bounded", schedules=20_000
    )
    assert verdict.exhausted
    assert str(verdict).startswith(
        f"no failure in all {verdict.schedules} schedules at granularity sync: exhausted"
    )


def test_the_verdict_says_when_the_budget_ended() -> None:
    verdict = explore(locked_update, schedules=5)
    assert (verdict.schedules, verdict.exhausted) == (5, False)
    assert str(verdict).splitlines()[0] == "no failure in 5 schedules at granularity access (budget ended)"


def test_a_scenario_without_threads_has_one_schedule() -> None:
    verdict = explore(lambda: None)
    assert (verdict.schedules, verdict.exhausted) == (1, True)


def test_an_exception_in_a_thread_is_a_failure() -> None:
    def scenario() -> None:
        thread = threading.Thread(target=lambda: 1 / 0, name="divider")
        thread.start()
        thread.join()

    failure = failure_of(scenario)
    assert isinstance(failure.__cause__, ZeroDivisionError)
    assert "divider" in str(failure)


def test_system_exit_ends_a_thread_and_no_more() -> None:
    def scenario() -> None:
        thread = threading.Thread(target=sys.exit)
        thread.start()
        thread.join()
        assert not thread.is_alive()

    assert explore(scenario, schedules=20).schedules


def test_system_exit_of_the_scenario_is_a_failure() -> None:
    assert isinstance(failure_of(lambda: sys.exit(3)).__cause__, SystemExit)


def test_threads_that_are_left_running_are_waited_for() -> None:
    def scenario() -> None:
        done: list[int] = []

        def late() -> None:
            time.sleep(3)
            assert done == [1]

        threading.Thread(target=late).start()
        if not done:
            return  # what the thread asserts fails after the scenario has returned

    assert "Thread-1 (late)" in str(failure_of(scenario))


def test_a_daemon_thread_is_not_waited_for() -> None:
    def scenario() -> None:
        forever = threading.Event()
        threading.Thread(target=forever.wait, daemon=True).start()

    assert explore(scenario, granularity="sync").exhausted


def test_a_thread_that_waits_for_ever_is_a_deadlock() -> None:
    def scenario() -> None:
        threading.Thread(target=threading.Event().wait, name="patient").start()

    failure = failure_of(scenario)
    assert failure.kind == "deadlock"
    assert "patient" in str(failure)


def test_a_deadlock_names_the_ring() -> None:
    first, second = threading.Lock(), threading.Lock()

    def take(one: Any, other: Any) -> None:
        with one, other:
            pass

    def scenario() -> None:
        threads = [
            threading.Thread(target=take, args=pair, name=name)
            for name, pair in {"ann": (first, second), "bob": (second, first)}.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    failure = failure_of(scenario)
    assert failure.kind == "deadlock"
    assert str(failure).startswith("deadlock: 2 threads wait for each other")
    assert not first.locked()
    assert type(first) is type(_thread.allocate_lock())


def test_no_progress_with_fair_turns_is_a_livelock() -> None:
    def scenario() -> None:
        while True:
            time.sleep(0)

    assert failure_of(scenario, schedules=1).kind == "livelock"


def test_a_livelock_is_made_smaller_without_running_it_to_its_end_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (program,) = (each for each in programs(kind="livelock") if each.name == "try_lock_politely")
    steps: list[int] = []
    once = Search.once

    def counting(search: Search, *args: Any, **options: Any) -> Any:
        ending, execution = once(search, *args, **options)
        if ending.kind == "livelock":
            steps.append(sum(unit.steps for unit in execution.units))
        return ending, execution

    monkeypatch.setattr(Search, "once", counting)
    failure = failure_of(program.load(), granularity="sync", seconds=60)
    assert failure.kind == "livelock"
    assert "no end after 50000 steps" in failure.report
    assert (
        len([each for each in steps if each > 20_000]) <= 2
    )  # when it is found, and when it has been made smaller
    monkeypatch.undo()
    with pytest.raises(ScheduleFailure) as again:
        replay(program.load(), failure.token)
    assert again.value.kind == "livelock"


def test_a_long_scenario_that_fails_at_its_end_does_so_again() -> None:
    def scenario() -> None:
        account = Account()

        def many() -> None:
            for _ in range(15_000):
                account.deposit()

        threads = [threading.Thread(target=many) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert account.balance == -1

    failure = failure_of(scenario, schedules=1, carrier="greenlets", seconds=60)
    assert failure.kind == "exception"
    with pytest.raises(ScheduleFailure) as again:
        replay(scenario, failure.token, carrier="greenlets")
    assert again.value.kind == "exception"


def test_a_replay_lets_the_scenario_print_once(capsys: pytest.CaptureFixture[str]) -> None:
    def scenario() -> None:
        print("once")
        print("to stderr", file=sys.stderr)
        lost_update()

    failure = failure_of(scenario)
    capsys.readouterr()
    with pytest.raises(ScheduleFailure):
        replay(scenario, failure.token)
    assert capsys.readouterr() == ("once\n", "to stderr\n")


def test_a_replay_stops_at_a_breakpoint_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[str] = []

    def scenario() -> None:
        breakpoint()  # noqa: T100
        lost_update()

    monkeypatch.setattr(sys, "breakpointhook", lambda: stops.append("here"))
    failure = failure_of(scenario)
    stops.clear()
    with pytest.raises(ScheduleFailure):
        replay(scenario, failure.token)
    assert stops == ["here"]


def test_a_spinning_thread_gives_others_their_turn() -> None:
    class Flag:
        up = False

    def scenario() -> None:
        flag = Flag()

        def raise_it() -> None:
            flag.up = True

        thread = threading.Thread(target=raise_it)
        thread.start()
        while not flag.up:
            pass
        thread.join()

    assert explore(scenario, schedules=50).schedules


def test_a_wait_for_the_clock_ends() -> None:
    def scenario() -> None:
        end = time.monotonic() + 0.05
        while time.monotonic() < end:
            pass

    assert explore(scenario, schedules=3).schedules


def test_time_is_virtual() -> None:
    def scenario() -> None:
        before = (time.monotonic(), time.time(), time.perf_counter_ns())
        time.sleep(3600)
        assert time.monotonic() - before[0] == pytest.approx(3600)
        assert time.time() - before[1] == pytest.approx(3600)
        assert time.perf_counter_ns() - before[2] == 3600 * 10**9

    assert explore(scenario).exhausted


def test_equal_deadlines_fire_in_any_order() -> None:
    orders = set()

    def scenario() -> None:
        order: list[str] = []

        def late(name: str) -> None:
            time.sleep(1)
            order.append(name)

        threads = [threading.Thread(target=late, args=(name,)) for name in "ab"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        orders.add("".join(order))

    explore(scenario, granularity="sync")
    assert orders == {"ab", "ba"}


def test_different_deadlines_fire_in_order() -> None:
    def scenario() -> None:
        order: list[int] = []

        def late(delay: int) -> None:
            time.sleep(delay)
            order.append(delay)

        threads = [threading.Thread(target=late, args=(delay,)) for delay in (2, 1, 3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert order == [1, 2, 3]

    assert explore(scenario, granularity="sync", schedules=200).schedules


def test_a_scenario_cannot_explore() -> None:
    failure = failure_of(lambda: explore(lambda: None))
    assert isinstance(failure.__cause__, UsageError)


@pytest.mark.timeout(60)
def test_what_blocks_for_real_is_named_with_its_line() -> None:
    one, other = socket.socketpair()
    stuck: list[int] = []

    def scenario() -> None:
        stuck.append(threading.get_ident())
        one.recv(1)  # the line

    with one, other:
        with pytest.raises(CannotControl, match=r"test_explore.py:\d+ for 5 s"):
            explore(scenario)
        assert (
            explore(locked_update, granularity="sync", schedules=50).schedules == 50
        )  # the next one is not disturbed
        assert set(stuck) <= sys._current_frames().keys()
        other.send(b"x")
        while set(stuck) & sys._current_frames().keys():  # and its thread ends when it can
            time.sleep(0.01)


def test_ctrl_c_ends_an_exploration(tmp_path: Path) -> None:
    program = tmp_path / "long.py"
    program.write_text(
        textwrap.dedent("""
        import headway, threading
        def scenario():
            print("begun", flush=True)
            lock = threading.Lock()
            while True:
                with lock:
                    pass
        headway.explore(scenario, seconds=None)
        """)
    )
    running = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stdout.readline() == "begun\n"
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate()
    assert running.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_everything_is_put_back() -> None:
    before = (threading.Lock, threading.Thread.start, time.sleep, time.monotonic, Account.deposit.__code__)
    threads = threading.enumerate()
    failure_of(lost_update)
    explore(locked_update, schedules=10)
    assert before == (
        threading.Lock,
        threading.Thread.start,
        time.sleep,
        time.monotonic,
        Account.deposit.__code__,
    )
    assert threading.current_thread() is threading.main_thread()
    assert threading.enumerate() == threads


def test_other_threads_go_on_as_they_were() -> None:
    queue: list[int] = []
    go, done = threading.Event(), threading.Event()

    def other() -> None:
        for number in range(50):
            time.sleep(0.001)
            with threading.Lock():
                queue.append(number)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    go.set()
    explore(locked_update, schedules=300)
    assert done.wait(30)
    thread.join()
    assert queue == list(range(50))


def test_a_changed_program_is_said_to_have_changed(tmp_path: Path) -> None:
    token = failure_of(lost_update).token
    with pytest.raises(ReplayDiverged, match="the program changed since the schedule was recorded"):
        replay(_other_scenario(tmp_path), token)


def _other_scenario(directory: Path) -> Callable[[], Any]:
    file = directory / "other_scenario.py"
    file.write_text("def scenario() -> None:\n    pass\n")
    names: dict[str, Any] = {"__name__": "other_scenario", "__file__": str(file)}
    exec(compile(file.read_text(), str(file), "exec"), names)
    scenario: Callable[[], Any] = names["scenario"]
    return scenario


def test_a_mended_program_does_not_fail_under_the_token() -> None:
    token = failure_of(lost_update).token
    with contextlib.suppress(ReplayDiverged):  # the other outcome: its threads take other steps
        replay(locked_update, token)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"schedules": 0}, "schedules=0"),
        ({"schedules": True}, "schedules=True"),
        ({"seconds": -1}, "seconds=-1"),
        ({"seed": "x"}, "seed='x'"),
        ({"strategy": "best"}, "strategy='best'"),
        ({"granularity": "word"}, "granularity='word'"),
        ({"carrier": "trains"}, "carrier='trains'"),
        ({"clock": "real"}, "clock='real'"),
        ({"also": "queue"}, "also='queue'"),
        ({"granularity": "opcode", "carrier": "greenlets"}, "needs carrier='threads'"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        explore(lambda: None, **options)
    assert words in str(caught.value)


def test_a_scenario_takes_no_arguments() -> None:
    with pytest.raises(UsageError, match="needs thing"):
        explore(lambda thing: None)  # type: ignore[arg-type, misc]
    with pytest.raises(UsageError, match="a scenario is a function"):
        explore(None)  # type: ignore[arg-type]


def test_a_scenario_that_does_not_repeat_itself_is_said_to_be_so() -> None:
    calls: list[int] = []

    def scenario() -> None:
        calls.append(1)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        assert len(calls) != 3

    failure = failure_of(scenario)
    assert "the scenario is not deterministic" in str(failure)
    assert failure.token == ""


@pytest.mark.parametrize("strategy", ["auto", "bounded", "dpor", "walk"])
def test_state_that_one_run_leaves_to_the_next_is_said_to_be_no_bug_of_a_schedule(strategy: str) -> None:
    account, lock = Account(), threading.Lock()

    def deposit() -> None:
        with lock:
            account.deposit()

    def scenario() -> None:
        threads = [threading.Thread(target=deposit) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert account.balance <= 4

    failure = failure_of(scenario, strategy=strategy)
    assert "but when the same schedule ran first, before all others: ok" in str(failure)
    assert "state that one run leaves to the next" in str(failure)
    assert failure.token == ""


def test_exceptions_survive_pickle() -> None:
    import pickle

    failure = failure_of(lost_update)
    again = pickle.loads(pickle.dumps(failure))
    assert (again.token, again.kind, str(again)) == (failure.token, failure.kind, str(failure))


def test_importing_headway_does_not_load_check() -> None:
    code = "import sys, headway; print([name for name in sys.modules if name.startswith('headway.check')])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert ran.stdout == "[]\n"
    assert "explore" in headway.__all__


def test_the_time_is_up_also_within_an_execution() -> None:
    runs: list[int] = []

    def scenario() -> None:
        runs.append(1)
        lock = threading.Lock()

        def work() -> None:
            for _ in range(10 if len(runs) == 1 else 10**9):
                with lock:
                    pass

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    # Each step of it takes time, so it is cut off before it has taken steps enough to be called endless.
    verdict = explore(scenario, granularity="sync", seconds=0.05)
    assert (verdict.schedules, verdict.exhausted) == (1, False)


def test_the_token_is_told_with_what_else_replay_needs() -> None:
    failure = failure_of(lost_update, also=["json"])
    assert f"replay: headway.replay(scenario, {failure.token!r}, also=['json'])" in str(failure)
