"""Which accesses are points, and to which variable each is."""

# ruff: noqa: B009, B010, B018, C408, C416, RUF015, RUF100

import enum
import threading
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from types import CellType
from typing import Any

import pytest

R, W = "read", "write"
Points = list[tuple[str, object, str]]

total = 0
constant = 5
table: dict[str, int] = {}


class Color(enum.Enum):
    RED = 1


class Thing:
    shared = 0
    limit = 7

    def __init__(self) -> None:
        self.x = 0
        self.items: list[int] = []
        self.table: dict[Any, int] = {}

    def method(self) -> int:
        return 1

    @property
    def double(self) -> int:
        return self.x * 2

    def increment(self) -> None:
        self.x += 1

    def hide(self) -> None:
        self.method2 = lambda: 3  # type: ignore[method-assign]

    def method2(self) -> int:
        return 2


class Slots:
    __slots__ = ("x",)


class Own(dict[str, int]):
    def __getitem__(self, key: str) -> int:
        return 3


CASES: list[tuple[str, Callable[[Any], object], Callable[[], object], Points]] = [
    ("reading", lambda o: o.x, Thing, [("attribute", "x", R)]),
    ("calling a method", lambda o: o.method(), Thing, []),
    ("a property", lambda o: o.double, Thing, [("attribute", "x", R)]),
    ("augmented", lambda o: o.increment(), Thing, [("attribute", "x", R), ("attribute", "x", W)]),
    ("a slot", lambda o: setattr(o, "x", 1), Slots, [("attribute", "x", W)]),
    ("a class's data", lambda o: o.shared, Thing, [("attribute", "shared", R)]),
    ("getattr", lambda o: getattr(o, "x"), Thing, [("attribute", "x", R)]),
    ("hasattr", lambda o: hasattr(o, "gone"), Thing, [("attribute", "gone", R)]),
    ("setattr", lambda o: setattr(o, "y", 1), Thing, [("attribute", "y", W)]),
    ("delattr", lambda o: delattr(o, "x"), Thing, [("attribute", "x", W)]),
    ("a slot wrapper", lambda o: object.__setattr__(o, "x", 1), Thing, [("attribute", "x", W)]),
    ("its dictionary", lambda o: o.__dict__["x"], Thing, [("item", "x", R)]),
    ("vars", lambda o: vars(o)["x"], Thing, [("item", "x", R)]),
    ("enum members", lambda o: Color.RED.value, Thing, []),
    ("names of modules", lambda o: (threading.current_thread, constant), Thing, []),
    ("a thread's own", lambda o: o.x, lambda: local_with_x(), []),
    ("dunders", lambda o: (o.__class__, o.__doc__), Thing, []),
    ("a key that is there", lambda o: o["a"], lambda: {"a": 1}, [("item", "a", R)]),
    ("a key that is not", lambda o: o.get("b"), lambda: {"a": 1}, [("method", "*", R)]),
    ("get", lambda o: o.get("a"), lambda: {"a": 1}, [("method", "a", R)]),
    ("setdefault, there", lambda o: o.setdefault("a", 1), lambda: {"a": 1}, [("method", "a", R)]),
    ("setdefault, new", lambda o: o.setdefault("b", 1), lambda: {"a": 1}, [("method", "*", W)]),
    ("a dict by a key of any type", lambda o: o.get(o.__len__), dict, [("method", "*", R)]),
    ("a tuple as key", lambda o: o[1, "a"], lambda: {(1, "a"): 1}, [("item", (1, "a"), R)]),
    ("a default that is made", lambda o: o["k"], lambda: defaultdict(list), [("item", "*", W)]),
    ("a default that is there", lambda o: o["k"], lambda: defaultdict(list, k=[]), [("item", "k", R)]),
    ("a counter's missing key", lambda o: o["k"], Counter, [("item", "*", R)]),
    ("a counter's update", lambda o: o.update("aa"), Counter, [("method", "*", W)]),
    ("an index", lambda o: o[0], lambda: [1, 2], [("item", 0, R)]),
    ("a negative index", lambda o: o[-1], lambda: [1, 2], [("item", 1, R)]),
    ("a slice", lambda o: o[0:1], lambda: [1, 2], [("item", "*", R)]),
    ("append", lambda o: o.append(1), list, [("method", "*", W)]),
    ("append of a read", lambda o: o.append(o[0]), lambda: [1], [("item", 0, R), ("method", "*", W)]),
    ("popleft", lambda o: o.popleft(), lambda: deque([1]), [("method", "*", W)]),
    ("move_to_end", lambda o: o.move_to_end(1), lambda: OrderedDict({1: 1}), [("method", "*", W)]),
    ("a set's add", lambda o: o.add(1), set, [("method", "*", W)]),
    ("membership", lambda o: 1 in o, set, [("membership", "*", R)]),
    ("length", lambda o: len(o), list, [("length", "*", R)]),
    ("truth", lambda o: not o, list, [("truth", "*", R)]),
    ("a condition", lambda o: 1 if o else 2, list, [("truth", "*", R)]),
    ("and", lambda o: o and 1, list, [("truth", "*", R)]),
    ("sorted", lambda o: sorted(o), list, [("iteration", "*", R)]),
    ("unpacking in a call", lambda o: max(0, 1, *o), list, [("iteration", "*", R)]),
    ("steps", lambda o: [i for i in o], lambda: [1, 2], [("iteration", "*", R)] * 3),
    ("steps of items", lambda o: [i for i in o.items()], lambda: {1: 2}, [("iteration", "*", R)] * 2),
    ("steps of enumerate", lambda o: [i for i in enumerate(o)], lambda: [1], [("iteration", "*", R)] * 2),
    ("a subclass's own access", lambda o: o["a"], Own, []),
    ("a subclass's other access", lambda o: len(o), Own, [("length", "*", R)]),
    ("a string", lambda o: (o[0], len(o), "a" in o, o.strip(), [c for c in o]), lambda: "abc", []),
    ("a tuple", lambda o: (o[0], len(o), 1 in o), lambda: (1, 2), []),
]


def local_with_x() -> object:
    local = threading.local()
    local.x = 1
    return local


@pytest.mark.parametrize(("run", "make", "points"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_an_access_is_one_point_to_its_variable(
    run: Callable[[Any], object], make: Callable[[], object], points: Points, watch: Any
) -> None:
    seen = watch(run, make())
    assert seen.points == points
    assert not seen.rewritten.unreachable


def test_the_owner_is_the_object_however_an_attribute_is_reached(watch: Any) -> None:
    thing = Thing()

    def scenario() -> None:
        thing.x
        thing.__dict__["x"] = 1
        vars(thing)["x"]
        names = thing.__dict__
        names["new"] = 1
        del names["new"]
        setattr(thing, "x", 2)
        object.__setattr__(thing, "x", 3)
        super(Thing, thing).__setattr__("x", 4)

    visits = [visit for visit in watch(scenario).visits if visit[0].kind != "cell"]
    assert all(owner is thing for _, owner, _, _ in visits)
    names = ["x", "x", "x", "new", "new", "x", "x", "x"]
    assert [(name, write) for *_, name, write in visits] == list(
        zip(names, [False, True, False, True, True, True, True, True], strict=True)
    )


def test_the_data_of_a_class_is_the_default_of_a_variable_that_each_instance_owns(watch: Any) -> None:
    def scenario() -> Thing:
        thing = Thing()
        thing.shared
        thing.shared = 1
        thing.shared
        Thing.shared
        return thing

    seen = watch(scenario)
    owners = [owner for _, owner, name, _ in seen.visits if name == "shared"]
    assert owners == [seen.result, seen.result, seen.result, Thing]


def test_a_class_that_is_assigned_to_owns_its_data_until_an_instance_has_its_own(watch: Any) -> None:
    def scenario() -> Thing:
        thing = Thing()
        Thing.shared = Thing.shared
        thing.shared
        thing.shared = 1
        thing.shared
        return thing

    seen = watch(scenario)
    owners = [owner for _, owner, name, _ in seen.visits if name == "shared"]
    assert owners == [Thing, Thing, Thing, seen.result, seen.result]


def test_a_method_that_an_instance_hides_is_a_variable(watch: Any) -> None:
    def scenario() -> int:
        thing = Thing()
        thing.method2()
        thing.hide()
        return thing.method2()

    seen = watch(scenario)
    assert seen.result == 3
    assert [point for point in seen.points if point[1] == "method2"] == [
        ("attribute", "method2", W),
        ("attribute", "method2", R),
    ]


def test_a_global_that_a_function_rebinds_is_a_variable_of_the_module(watch: Any) -> None:
    def scenario() -> int:
        global total
        total = 1
        total += 1
        globals()["total"] = 3
        return total + constant

    seen = watch(scenario)
    assert seen.result == 8
    assert all(owner is globals() for _, owner, _, _ in seen.visits)
    assert seen.points == [
        ("global", "total", W),
        ("global", "total", R),
        ("global", "total", W),
        ("item", "total", W),
        ("global", "total", R),
    ]


def test_each_call_of_a_factory_has_its_own_cell(watch: Any) -> None:
    def factory() -> Callable[[], int]:
        n = 0

        def bump() -> int:
            nonlocal n
            n += 1
            return n

        return bump

    def scenario() -> tuple[int, int]:
        one, other = factory(), factory()
        return one(), other()

    seen = watch(scenario)
    assert seen.result == (1, 1)
    cells = [owner for _, owner, _, _ in seen.visits]
    assert all(type(cell) is CellType for cell in cells)
    assert len({id(cell) for cell in cells}) == 2
    assert seen.points == [("cell", "", W)] * 2 + [("cell", "", R), ("cell", "", W), ("cell", "", R)] * 2


def test_a_captured_variable_that_stays_is_no_point(watch: Any) -> None:
    def scenario() -> int:
        stays = 3

        def inner() -> int:
            return stays

        return inner() + [stays for _ in (1,)][0]

    assert watch(scenario).points == []


def test_a_captured_loop_variable_is_a_point(watch: Any) -> None:
    def scenario() -> list[int]:
        kept = []
        for i in range(2):
            kept.append(lambda: i)  # noqa: B023
        return [each() for each in kept]  # type: ignore[no-untyped-call]

    points = [point for point in watch(scenario).points if point[0] == "cell"]
    assert points == [("cell", "", W), ("cell", "", W), ("cell", "", R), ("cell", "", R)]


def test_an_augmented_assignment_says_so_and_writes_last(watch: Any) -> None:
    thing, order = Thing(), deque[str]()

    def scenario() -> None:
        thing.table["k"] = 1
        thing.table["k"] += int(order.append("computed") or thing.x)  # type: ignore[func-returns-value]

    seen = watch(scenario)
    kinds = [(site.kind, name, write, site.augmented) for site, _, name, write in seen.visits]
    assert kinds == [
        ("attribute", "table", False, False),
        ("item", "*", True, False),
        ("attribute", "table", False, False),
        ("item", "k", False, True),
        ("method", "*", True, False),
        ("attribute", "x", False, False),
        ("item", "k", True, True),
    ]


def test_a_list_that_is_extended_in_place_is_a_write_to_it(watch: Any) -> None:
    thing = Thing()

    def scenario() -> None:
        thing.items += [1]

    assert watch(scenario).points == [
        ("attribute", "items", R),
        ("method", "*", W),
        ("attribute", "items", W),
    ]


def test_an_assertion_of_pytest_has_its_points(watch: Any) -> None:
    thing = Thing()
    thing.items = [3]

    def scenario() -> None:
        assert thing.x == 0
        assert thing.items.pop() == 3
        assert not thing.items

    assert [point[:2] for point in watch(scenario).points] == [
        ("attribute", "x"),
        ("attribute", "items"),
        ("method", "*"),
        ("attribute", "items"),
        ("truth", "*"),
    ]


def test_a_failing_assertion_still_shows_its_values(watch: Any) -> None:
    thing = Thing()

    def scenario() -> None:
        assert thing.x == 12

    with pytest.raises(AssertionError, match=r"assert 0 == 12\n.*where 0 = .*Thing.*\.x"):
        watch(scenario)


def test_lines_are_points_and_accesses_are_not(watch: Any) -> None:
    thing = Thing()

    def scenario() -> int:
        """No point."""
        thing.x += 1
        for i in range(2):
            thing.x = i
        while thing.x < 3:
            thing.x += 1
        if thing.x:
            pass
        return thing.x

    seen = watch(scenario, granularity="line")
    assert {site.kind for site, *_ in seen.visits} == {"line"}
    first = scenario.__code__.co_firstlineno
    lines = [site.line - first for site, *_ in seen.visits]
    assert lines == [2, 3, 4, 4, 5, 6, 5, 6, 5, 7, 9]
    assert all(visit[1:] == (None, "", False) for visit in seen.visits)


def test_a_site_says_where_it_is(watch: Any) -> None:
    thing = Thing()

    def scenario() -> int:
        return thing.x

    site = watch(scenario).visits[0][0]
    assert site.file == __file__
    assert site.line == scenario.__code__.co_firstlineno + 1
    assert site.text == "return thing.x"
    assert site.function == scenario.__qualname__
    assert not site.write


def test_sites_keep_their_identity_and_numbers(watch: Any) -> None:
    thing = Thing()

    def scenario() -> int:
        return thing.x

    one, other = watch(scenario), watch(scenario)
    assert [visit[0] for visit in one.visits] == [visit[0] for visit in other.visits]
    numbers = [site.index for site in one.rewritten.sites if site.file == __file__]
    assert numbers == sorted(set(numbers))
    assert one.rewritten.fingerprint == other.rewritten.fingerprint
    assert len(one.rewritten.fingerprint) == 6
