"""What is rewritten, for how long, and what is told of the rest."""

# ruff: noqa: B018

import asyncio
import functools
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headway.check.hook import hook
from headway.check.rewriting import rewritten


class Thing:
    def __init__(self) -> None:
        self.x = 1

    def method(self) -> int:
        return self.x

    @classmethod
    def of_class(cls) -> int:
        return cls().x

    @staticmethod
    def static(thing: "Thing") -> int:
        return thing.x

    @property
    def prop(self) -> int:
        return self.x

    @functools.cached_property
    def cached(self) -> int:
        return self.x

    def __call__(self) -> int:
        return self.x


def logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def inner(*args: Any) -> Any:
        return function(*args)

    return inner


@logged
def decorated() -> int:
    return Thing().x


@functools.lru_cache(maxsize=None)  # noqa: UP033
def remembered(thing: Thing) -> int:
    return thing.x


def generated() -> list[int]:
    def each() -> Any:
        yield Thing().x

    return list(each())


async def awaited() -> int:
    return Thing().x


def a_lambda() -> Callable[[], int]:
    return lambda: Thing().x


class Slotted:
    __slots__ = ("thing",)

    def __init__(self) -> None:
        self.thing = Thing()

    def __call__(self) -> int:
        return self.thing.x


HELD = {"deep": [{"er": (lambda: Thing().x, lambda: Thing().method())}]}


def reads(seen: Any) -> int:
    return sum(point == ("attribute", "x", "read") for point in seen.points)


@pytest.mark.parametrize(
    "scenario",
    [
        Thing().method,
        Thing.of_class,
        lambda: Thing.static(Thing()),
        lambda: Thing().prop,
        lambda: Thing().cached,
        Thing(),
        Slotted(),
        decorated,
        lambda: remembered(Thing()),
        generated,
        lambda: asyncio.run(awaited()),
        lambda: a_lambda()(),
        functools.partial(Thing.static, Thing()),
        HELD["deep"][0]["er"][0],
        HELD["deep"][0]["er"][1],
    ],
)
def test_code_of_any_kind_is_rewritten(scenario: Callable[[], Any], watch: Any) -> None:
    assert reads(watch(scenario)) == 1


def test_functions_inside_a_running_test_are_rewritten(watch: Any) -> None:
    def helper(thing: Thing) -> int:
        return thing.x

    def scenario() -> int:
        class Local:
            def __init__(self) -> None:
                self.x = helper(Thing())

            def get(self) -> int:
                return self.x

        return Local().get()

    seen = watch(scenario)
    assert seen.result == 1
    assert reads(seen) == 2


def test_two_lambdas_of_one_line_are_told_apart(watch: Any) -> None:
    one, other = (lambda t: t.x), (lambda t: t.x + 1)
    assert watch(one, Thing()).result == 1
    assert watch(other, Thing()).result == 2
    assert not watch(other, Thing()).rewritten.unreachable


def test_code_is_put_back_and_functions_stay_the_same() -> None:
    before = {f: f.__code__ for f in (Thing.method, decorated.__wrapped__, generated)}  # type: ignore[attr-defined]
    with rewritten(generated, granularity="access"):
        assert all(function.__code__ is not code for function, code in before.items())
    assert all(function.__code__ is code for function, code in before.items())


def test_code_is_put_back_when_the_block_raises() -> None:
    before = generated.__code__
    with pytest.raises(KeyError), rewritten(generated, granularity="line"):
        raise KeyError
    assert generated.__code__ is before


def test_one_rewriting_within_another_puts_back_what_was_there() -> None:
    plain = generated.__code__
    with rewritten(generated, granularity="access"):
        outer = generated.__code__
        with rewritten(generated, granularity="line") as inner:
            assert generated.__code__ not in (plain, outer)
            assert not inner.unreachable
        assert generated.__code__ is outer
    assert generated.__code__ is plain


def test_functions_made_in_a_run_work_after_it(watch: Any) -> None:
    kept = watch(a_lambda).result
    assert kept() == 1
    again = watch(lambda: kept(), granularity="line")
    assert again.result == 1
    assert not again.rewritten.unreachable


def test_local_modules_are_reached_and_installed_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Any
) -> None:
    (tmp_path / "reached_module.py").write_text(
        "from reached_second import deep\n\ndef get(t): return deep(t)\n"
    )
    (tmp_path / "reached_second.py").write_text("def deep(t): return t.x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import reached_module  # type: ignore[import-not-found]

    seen = watch(lambda: reached_module.get(Thing()))
    names = {Path(file).name for file in seen.rewritten.files}
    assert {"reached_module.py", "reached_second.py", "test_swap.py"} <= names
    assert not names & {"functools.py", "__init__.py", "swap.py", "python.py"}
    assert reads(seen) == 1


def test_a_global_that_another_module_assigns_is_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, watch: Any
) -> None:
    (tmp_path / "assigned_config.py").write_text("limit = 1\nother = 2\n\ndef get(): return limit + other\n")
    (tmp_path / "assigning.py").write_text(
        "import assigned_config\n\ndef run():\n    assigned_config.limit = 5\n"
        "    return assigned_config.limit + assigned_config.get() + assigned_config.other\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import assigned_config  # type: ignore[import-not-found]
    import assigning  # type: ignore[import-not-found]

    seen = watch(assigning.run)
    assert seen.result == 5 + 7 + 2
    assert seen.points == [
        ("attribute", "limit", "write"),
        ("attribute", "limit", "read"),
        ("global", "limit", "read"),
    ]
    assert all(owner is vars(assigned_config) for _, owner, _, _ in seen.visits)


def test_also_names_installed_packages_with_their_modules(watch: Any) -> None:
    import json

    plain = watch(lambda: json.dumps({"a": [1]}, indent=1))
    seen = watch(lambda: json.dumps({"a": [1]}, indent=1), also=["json"])
    assert seen.result == plain.result
    assert len(seen.visits) > len(plain.visits)
    assert {"decoder.py", "encoder.py"} <= {Path(file).name for file in seen.rewritten.files}


def test_a_module_that_is_missing_or_not_python_is_told(watch: Any) -> None:
    seen = watch(lambda: None, also=["no_such_module_here"])
    assert any("no_such_module_here" in line for line in seen.rewritten.unreachable)


def test_a_file_that_has_changed_is_left_alone_and_told(load: Any, watch: Any) -> None:
    module = load("def scenario(t):\n    return t.x + 1\n")
    Path(module.__file__).write_text("def scenario(t):\n    return t.x + 2\n")
    seen = watch(module.scenario, Thing())
    assert seen.result == 2
    assert not seen.visits
    assert any("scenario" in line and "says now" in line for line in seen.rewritten.unreachable)


def test_a_function_without_a_source_is_told(load: Any, watch: Any) -> None:
    module = load("exec('def made(t): return t.x')\n\ndef scenario(t):\n    return made(t)\n")
    seen = watch(module.scenario, Thing())
    assert not seen.visits
    assert any("made" in line and "no source" in line for line in seen.rewritten.unreachable)


def test_the_fingerprint_changes_with_the_text(load: Any, watch: Any) -> None:
    one = load("def scenario():\n    return 1\n").scenario
    other = load("def scenario():\n    return 2\n").scenario
    same = load("def scenario():\n    return 1\n").scenario
    prints = [watch(each).rewritten.fingerprint for each in (one, other, same)]
    assert prints[0] != prints[1]


def test_a_class_that_gets_an_attribute_during_a_run_is_seen_anew(watch: Any) -> None:
    class Late:
        pass

    def read(late: Any) -> Any:
        return getattr(late, "x", None) if not hasattr(Late, "x") else late.x

    def scenario() -> tuple[Any, Any]:
        first = read(Late())
        Late.x = 3  # type: ignore[attr-defined]
        return first, read(Late())

    seen = watch(scenario)
    assert seen.result == (None, 3)
    owners = [owner for _, owner, name, write in seen.visits if name == "x" and not write]
    assert owners[-1] is Late


def test_nothing_is_kept_alive_after_a_run(watch: Any) -> None:
    def scenario() -> Any:
        class Short:
            def __init__(self) -> None:
                self.x = {"a": 1}
                self.__dict__["y"] = [self.x["a"]]

        class Table(dict[str, int]):
            pass

        table = Table()
        table["a"] = Short().x["a"]
        return weakref.ref(Short), weakref.ref(Table), weakref.ref(table)

    seen = watch(scenario)
    seen.visits.clear()
    refs = seen.result
    del seen
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]


def test_an_exception_of_a_visit_is_raised_at_the_point(watch: Any) -> None:
    class Stop(BaseException):
        pass

    def scenario() -> str:
        thing = Thing()
        try:
            thing.x
        except Stop:
            return "stopped"
        return "not stopped"

    space: dict[str, Any] = {"Stop": Stop}
    exec("def visit(site, owner, name, write):\n    if not write: raise Stop", space)
    with rewritten(scenario, granularity="access"):
        hook.visit = space["visit"]
        try:
            result = scenario()
        finally:
            hook.visit = None
    assert result == "stopped"


def test_rewriting_keeps_the_interpreter_quiet(
    load: Any, watch: Any, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.warns(SyntaxWarning):
        module = load("def scenario():\n    return 1 is 1\n")
    watch(module.scenario)
    assert not [warning for warning in recwarn if issubclass(warning.category, SyntaxWarning)]
