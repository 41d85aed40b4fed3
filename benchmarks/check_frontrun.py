"""A program of the corpus in the form that frontrun takes: a state, workers that get it, and an invariant.

frontrun controls the workers that it is given, and no thread that these start. A program that starts its threads, joins
them and then asserts is cut at the first join: what comes before makes the state, the threads are the workers, and
what comes after is the invariant. Of other programs the main thread is a worker, too, and each thread is a worker that
waits for an event until it is started.
"""

import ast
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from check_corpus import Program, imported


class _Budget(Protocol):
    @property
    def schedules(self) -> int: ...
    @property
    def seconds(self) -> float: ...


class Thread:
    """In the place of `threading.Thread` in the module of a program; it starts nothing."""

    stage: Any = None

    def __init__(
        self,
        group: None = None,
        target: Callable[..., object] | None = None,
        name: str | None = None,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        *,
        daemon: bool | None = None,
    ) -> None:
        self.name = name or "thread"
        self.daemon = bool(daemon)
        self.number = -1
        self._call = (target, args, kwargs or {})

    def start(self) -> None:
        self.stage.start(self)

    def join(self, timeout: float | None = None) -> None:
        self.stage.join(self, timeout)

    def is_alive(self) -> bool:
        alive: bool = self.stage.is_alive(self)
        return alive

    def run(self) -> None:
        target, args, kwargs = self._call
        if target is not None:
            target(*args, **kwargs)


class Names:
    """In the place of the module `threading`: what frontrun puts there, and our `Thread`."""

    Thread = Thread

    def __getattr__(self, name: str) -> Any:
        return getattr(threading, name)


class Stage:
    """One execution of a program."""

    def __init__(self, scenario: Callable[[], Any]) -> None:
        self.scenario = scenario
        self.threads: list[Thread] = []
        self.errors: list[Exception] = []
        Thread.stage = self

    def guarded(self, call: Callable[[], object]) -> None:
        """Keep what a thread raises: frontrun's own search ends by it, without saying how many schedules it took."""
        try:
            call()
        except Exception as error:
            if type(error).__module__.startswith("frontrun"):
                raise
            self.errors.append(error)


class Cut(Stage):
    """A program cut at its first join. Its main thread is a greenlet, which stops there."""

    def __init__(self, scenario: Callable[[], Any]) -> None:
        from greenlet import getcurrent, greenlet

        super().__init__(scenario)
        self.ended = False
        self.outside = getcurrent()
        self.main = greenlet(scenario)
        self.main.switch()

    def start(self, thread: Thread) -> None:
        self.threads.append(thread)

    def join(self, thread: Thread, timeout: float | None) -> None:
        if not self.ended:
            self.ended = True
            self.outside.switch()

    def is_alive(self, thread: Thread) -> bool:
        return not self.ended

    @staticmethod
    def workers(number: int) -> list[Callable[["Cut"], None]]:
        return [lambda stage, at=at: stage.guarded(stage.threads[at].run) for at in range(number)]

    def holds(self) -> bool:
        if self.errors:
            return False
        try:
            self.main.switch()
        except Exception:
            return False
        return True


class Whole(Stage):
    """A program whose main thread is a worker as the others are."""

    number = 0

    def __init__(self, scenario: Callable[[], Any]) -> None:
        super().__init__(scenario)
        self.begin = [threading.Event() for _ in range(self.number)]
        self.end = [threading.Event() for _ in range(self.number)]

    def start(self, thread: Thread) -> None:
        thread.number = len(self.threads)
        self.threads.append(thread)
        self.begin[thread.number].set()

    def join(self, thread: Thread, timeout: float | None) -> None:
        self.end[thread.number].wait(timeout)

    def is_alive(self, thread: Thread) -> bool:
        return thread.number >= 0 and not self.end[thread.number].is_set()

    def run_main(self) -> None:
        self.guarded(self.scenario)
        for at in range(len(self.threads), self.number):
            self.begin[at].set()

    def run_thread(self, at: int) -> None:
        self.begin[at].wait()
        if at < len(self.threads):
            self.guarded(self.threads[at].run)
        self.end[at].set()

    @staticmethod
    def workers(number: int) -> list[Callable[["Whole"], None]]:
        threads = [lambda stage, at=at: stage.run_thread(at) for at in range(number)]
        return [lambda stage: stage.run_main(), *threads]

    def holds(self) -> bool:
        return not self.errors


class Counting(Stage):
    """A plain run, to count the threads."""

    def start(self, thread: Thread) -> None:
        self.threads.append(thread)
        real = threading.Thread(target=thread.run, daemon=True)
        thread.real = real
        real.start()

    def join(self, thread: Thread, timeout: float | None) -> None:
        thread.real.join(timeout)

    def is_alive(self, thread: Thread) -> bool:
        return bool(thread.real.is_alive())


def frontrun(program: Program, seed: int, budget: _Budget, strategy: str) -> tuple[str, int | None, float]:
    """The kind of failure or "", schedules and seconds."""
    import frontrun as peer

    module = program.module()
    module.threading = Names()
    scenario = program.load()
    number = _count(scenario)
    stage: type[Cut] | type[Whole] = Cut if _is_cut(program) else Whole
    Whole.number = number
    options: dict[str, Any] = {"max_executions": budget.schedules, "search": f"bit-reversal:{seed}"}
    if strategy == "random":
        options = {"max_attempts": budget.schedules, "seed": seed}
    # "explored" is for when the moment of a timer is itself what races; "virtual" tells deadlocks exactly.
    timed = re.search(r"timeout|sleep\(0?\.|monotonic", program.path.read_text())
    options["clock"] = "explored" if timed else "virtual"
    began = time.perf_counter()
    try:
        result = peer.explore(
            setup=lambda: stage(scenario),
            workers=stage.workers(number),
            invariant=lambda state: state.holds(),
            strategy=strategy,
            detect_io=False,
            total_timeout=budget.seconds,
            timeout_per_run=5.0,
            deadlock_timeout=1.0,
            reproduce_on_failure=0,
            **options,
        )
    except TimeoutError:
        return "timeout", None, time.perf_counter() - began
    took = time.perf_counter() - began
    if result.property_holds is False:
        said = result.explanation or ""
        return (
            ("deadlock" if "eadlock" in said.partition("\n")[0] else "invariant"),
            result.num_explored,
            took,
        )
    return "", result.num_explored, took


def frontrun_cannot(program: Program) -> str:
    """Why frontrun cannot be given a program; "" if it can."""
    if program.arm == "asyncio":
        return "controls the coroutines that it is given, and no task that these start"
    if program.arm != "threads":
        return "threads only"
    if "concurrent" in imported(program):
        return "the threads of ThreadPoolExecutor are not its workers"
    if re.search(r"\bTimer\(|\(threading\.Thread\):", program.path.read_text()):
        return "the threads of Timer and of subclasses of Thread are not its workers"
    return ""


def _count(scenario: Callable[[], Any]) -> int:
    """Threads of a plain run, which may fail, and is left if it hangs."""
    stage = Counting(scenario)
    main = threading.Thread(target=lambda: stage.guarded(scenario), daemon=True)
    main.start()
    main.join(1.0)
    return len(stage.threads)


def _is_cut(program: Program) -> bool:
    """Between the first start and the last join the main thread does nothing else, and nobody else starts threads."""
    tree = ast.parse(program.path.read_text())
    body = next(
        each.body for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "scenario"
    )
    starts = [at for at, each in enumerate(body) if _calls(each, "start")]
    joins = [at for at, each in enumerate(body) if _calls(each, "join")]
    if not starts or not joins or any(isinstance(body[at], ast.FunctionDef) for at in starts):
        return False
    if len(_calls(tree, "start")) != sum(len(_calls(body[at], "start")) for at in starts):
        return False
    started = False
    for each in body[starts[0] : joins[-1] + 1]:
        inner = each.body[0] if isinstance(each, ast.For) and len(each.body) == 1 else each
        if not isinstance(inner, ast.Expr) or not isinstance(inner.value, ast.Call) or inner.value.args:
            return False
        if not _calls(inner, "start") and not _calls(inner, "join"):
            return False
        if started and _calls(inner, "start"):
            return False  # a thread is started after another was joined
        started = started or bool(_calls(inner, "join"))
    return True


def _calls(tree: ast.AST, name: str) -> list[ast.Call]:
    """Calls of a method of that name without arguments."""
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and not node.args
    ]
