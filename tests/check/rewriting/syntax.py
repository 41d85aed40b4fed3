"""Programs of all of Python's syntax, for comparing their plain and rewritten runs; each is given a list to log to."""

# ruff: noqa
# mypy: ignore-errors

import asyncio
import contextlib
import functools
import sys
import warnings
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

total: Any = 0
Log = list[Any]


class Loud:
    """Logs each access."""

    shared = "class"

    def __init__(self, log: Log, name: str = "o") -> None:
        object.__setattr__(self, "log", log)
        object.__setattr__(self, "name", name)

    def __getattr__(self, name: str) -> Any:
        self.log.append(f"get {self.name}.{name}")
        if name == "missing":
            raise AttributeError(f"no {name}", name=name, obj=self)
        return Loud(self.log, f"{self.name}.{name}")

    def __setattr__(self, name: str, value: object) -> None:
        self.log.append(f"set {self.name}.{name} = {value!r}")

    def __delattr__(self, name: str) -> None:
        self.log.append(f"del {self.name}.{name}")

    def __getitem__(self, key: Any) -> Any:
        self.log.append(f"item {self.name}[{key!r}] from {sys._getframe(1).f_code.co_name}")
        return Loud(self.log, f"{self.name}[{key}]")

    def __setitem__(self, key: Any, value: Any) -> None:
        self.log.append(f"set {self.name}[{key!r}] = {value!r}")

    def __delitem__(self, key: Any) -> None:
        self.log.append(f"del {self.name}[{key!r}]")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.log.append(f"call {self.name} {args!r} {kwargs!r} from {sys._getframe(1).f_code.co_name}")
        return Loud(self.log, f"{self.name}()")

    def __iadd__(self, other: Any) -> Any:
        self.log.append(f"{self.name} += {other!r}")
        return self

    def __add__(self, other: Any) -> Any:
        self.log.append(f"{self.name} + {other!r}")
        return Loud(self.log, f"{self.name}+")

    def __contains__(self, item: Any) -> bool:
        self.log.append(f"{item!r} in {self.name}")
        return True

    def __bool__(self) -> bool:
        self.log.append(f"bool {self.name}")
        return True

    def __len__(self) -> int:
        self.log.append(f"len {self.name}")
        return 3

    def __iter__(self) -> Iterator[int]:
        self.log.append(f"iter {self.name}")
        return iter([1, 2])

    def __enter__(self) -> Any:
        self.log.append(f"enter {self.name}")
        return self.name

    def __exit__(self, *_: Any) -> None:
        self.log.append(f"exit {self.name}")

    def __repr__(self) -> str:
        return f"<{self.name}>"


def said(log: Log, value: Any) -> Any:
    log.append(f"said {value!r}")
    return value


class Plain:
    count = 0
    limit = 10

    def __init__(self) -> None:
        self.x = 1
        self.items: list[int] = []
        self.table: dict[Any, Any] = {}

    @property
    def double(self) -> int:
        return self.x * 2

    @double.setter
    def double(self, value: int) -> None:
        self.x = value // 2

    @classmethod
    def made(cls) -> "Plain":
        cls.count += 1
        return cls()

    @staticmethod
    def half(value: int) -> int:
        return value // 2

    @functools.cached_property
    def cached(self) -> int:
        self.x += 1
        return self.x

    @functools.lru_cache
    def remembered(self, n: int) -> int:
        self.x += n
        return self.x


class Slotted:
    __slots__ = ("__private", "x")

    def __init__(self) -> None:
        self.x = 1
        self.__private = 2

    def bump(self) -> int:
        self.__private += 1
        self._Slotted__private += 1
        return self.__private


class Base:
    def __init__(self) -> None:
        self.__hidden = [1]
        self.made = "base"

    def hidden(self) -> list[int]:
        return self.__hidden

    def value(self) -> int:
        return 1


class Derived(Base):
    def __init__(self) -> None:
        super().__init__()
        self.__hidden = {"a": 1}
        self.__hidden["b"] = len(self.__hidden)

    def value(self) -> int:
        self.__hidden["c"] += (
            super().value() if "c" in self.__hidden else 0 if self.__hidden else 1
        )  # KeyError
        return 0

    def both(self) -> Any:
        return __class__, self.hidden(), self.__hidden


def order_of_assignment(log: Log) -> Any:
    o = Loud(log)
    said(log, o).x = said(log, 1)
    said(log, o)[said(log, "k")] = said(log, 2)
    said(log, o).a, said(log, o)[said(log, 0)] = said(log, (1, 2))
    said(log, o).a = said(log, o)[said(log, 1)] = y = said(log, 5)
    o.x.y.z = o.x
    o.x[o.y] = o.z
    first, *o.rest = [1, 2, 3]
    [o.b, (o.c, o.d)] = 1, (2, 3)
    o.annotated: int = said(log, 3)
    o[said(log, 1)]: int = 4
    o.unassigned: int
    del o.x, o[said(log, 2)], said(log, o).y
    del said(log, o)[said(log, 3)]
    return y


def order_of_augmented(log: Log) -> Any:
    o = Loud(log)
    said(log, o).x += said(log, 1)
    said(log, o)[said(log, "k")] += said(log, 2)
    o[o.a] += o.b
    o[1:2] += o
    o[said(log, 1) : said(log, 2)] += said(log, 3)
    o[o.x, 1:2] += 1
    o += 1
    return locals().keys()


def order_of_reading(log: Log) -> Any:
    o = Loud(log)
    said(log, o).x
    said(log, o)[said(log, 1)]
    o[said(log, 1)]
    o[said(log, 1) : said(log, 2) : said(log, 3)]
    o[1:2], o[:], o[::2], o[1, 2:3], o[said(log, 1), 2 : said(log, 3)]
    o.m(said(log, 1), *[2], k=said(log, 3), z=said(log, 4))
    o.append(said(log, 1))
    o.get(said(log, 1), o.default)
    o.x.pop(o.y)
    o.update(said(log, 1), k=said(log, 2))
    said(log, 1) < said(log, 2) < said(log, 0) < said(log, 9)
    said(log, 1) in o in [o, said(log, 1)]
    (o and o.x and not o.y) or said(log, 3)
    [x for x in o if o.flag if not o.other]
    {k: v for k in o for v in o[k]}
    len(o), bool(o), list(o), tuple(o), sorted(o)
    f(*o, o.x, a=o.y) if o else None
    f"{o.x!r:>{len(o)}} {o[said(log, 1)]}"
    return o.x if o.y else o.z


def f(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


def errors_of_attributes(log: Log) -> Any:
    p, s, found = Plain(), Slotted(), []
    for attempt in (
        lambda: p.y,
        lambda: s.y,
        lambda: None.x,
        lambda: p.x.y,
        lambda: p.iterms,
        lambda: s.bumb(),
        lambda: Plain.nothing,
        lambda: sys.nothing,
        lambda: Loud(log).missing,
        lambda: p.nope,
        lambda: delattr(p, "nope"),
        lambda: setattr(s, "nope", 1),
        lambda: p.table["nope"],
        lambda: p.items[3],
        lambda: p.items["a"],
        lambda: p.items.nope(),
        lambda: p.items.pop(),
        lambda: p.items.append(),
        lambda: {1, 2}[0],
        lambda: p.table[[]],
        lambda: len(3),
        lambda: [*3],
        lambda: f(**3),
        lambda: 3 in 3,
        lambda: undefined_name,
    ):
        try:
            attempt()
        except Exception as error:
            found.append((type(error).__name__, str(error), getattr(error, "name", None)))
    return found


def errors_of_assignment(log: Log) -> Any:
    s, found = Slotted(), []

    def assign() -> None:
        s.nope = 1

    def delete() -> None:
        del s.x
        del s.x

    def unpack() -> None:
        a, b = [1, 2, 3]

    def augment() -> None:
        s.x += None

    def unbound() -> None:
        nothing += 1

    def item() -> None:
        (1, 2)[0] = 3

    def iterate() -> None:
        d = {1: 1}
        for k in d:
            d[k + 1] = 1

    def cell() -> Any:
        def inner() -> Any:
            return late

        inner()
        late = 1
        late = 2
        return inner

    for attempt in (assign, delete, unpack, augment, unbound, item, iterate, cell):
        try:
            attempt()
        except Exception as error:
            found.append((type(error).__name__, str(error)))
    return found


def uncaught(log: Log) -> Any:
    p = Plain()
    p.table["a"] = {}

    def inner() -> Any:
        return [p.table["a"][p.x].y for _ in p.table]

    return inner()


def globals_are_rebound(log: Log) -> Any:
    global total, made_here
    total = 0
    for total in range(3):
        log.append(total)
    total += 5
    (total := total + 1)
    made_here = [total]
    made_here += [1]
    with Loud(log) as total:
        log.append(total)
    import os.path as made_here

    del made_here
    try:
        made_here
    except NameError as error:
        log.append(str(error))
    total, other = [1, 2]
    return total, globals()["total"], other


def cells_are_shared(log: Log) -> Any:
    n, kept = 0, []

    def bump(by: int = 1) -> int:
        nonlocal n
        n += by
        n = n + 1
        return n

    for i in range(3):
        kept.append(lambda: i)
    bump(3)
    try:
        raise ValueError("x")
    except ValueError as n:
        kept.append(lambda: str(n))
        log.append(str(n))
    with Loud(log, "a") as a, Loud(log, a) as b:
        kept.append(lambda: (a, b))
    a = b = 1
    a, b = b, 2
    n = 5
    return [each() for each in kept], bump(), n


def comprehensions(log: Log) -> Any:
    p = Plain()
    p.items = [1, 2, 3]
    p.table = {1: [1], 2: [2]}
    x = 5
    return (
        [p.x + i for i in p.items if p.table],
        {i for i in p.table if i in p.items},
        {k: [v + x for v in p.table[k]] for k in p.table},
        list(i for i in p.items),
        sum(p.x for _ in p.items),
        [y := 3, y + 1],
        [(z := i) for i in p.items],
        z,
        [p.table[i + 1 - 1] for i in p.table],
        [p.x for p.x in p.items],
        [0 for p.table[said(log, 7)] in [8]],
        p.table,
        [lambda: i for i in p.items][0](),
        [(a, b) for a, b in p.table.items() for c in [a] if c],
        list(map(lambda i: i + p.x, p.items)),
        dict(zip(p.items, p.items)),
        list(enumerate(p.items)),
        list(filter(None, p.items)),
        list(reversed(p.items)),
        max(p.items),
        min(p.items, key=lambda i: -i),
        any(p.items),
        "-".join([str(i) for i in p.items]),
    )


def generators(log: Log) -> Any:
    p = Plain()
    p.items = [1, 2]

    def produce() -> Any:
        got = yield p.x
        p.x = got
        p.items.append((yield p.x))
        p.table[(yield 1)] = yield 2
        p.x += yield 3
        yield from p.items
        try:
            yield 4
        finally:
            p.x = 9
        return p.x

    g, seen = produce(), []
    value = None
    for _ in range(20):
        try:
            seen.append(g.send(value))
        except StopIteration as stop:
            seen.append(stop.value)
            break
        value = len(seen) if len(seen) < 4 else None
    return seen, p.x, p.table, p.items


def containers(log: Log) -> Any:
    xs: list[Any] = [3, 1, 2]
    alias = xs
    xs += [4]
    xs *= 2
    xs[-1] = 0
    xs[1:2] = [7, 7]
    del xs[0], xs[1:2]
    xs.sort(key=lambda x: -x)
    d: dict[Any, Any] = {"a": 1}
    d |= {"b": 2}
    d.setdefault("c", []).append(3)
    d["c"] += [4]
    d[1, "x"] = d.get("zz", d.pop("a"))
    d.update(z=1, y=2)
    s = {1, 2}
    s |= {3}
    s.add(len(s))
    s -= {1}
    q = deque([1, 2], maxlen=3)
    q.append(3)
    q.appendleft(0)
    q.rotate(1)
    dd: Any = defaultdict(list)
    dd["k"].append(1)
    dd["n"]
    c: Any = Counter("abca")
    c["a"] += 1
    c["zz"] -= 1
    c.update("zz")
    o: Any = OrderedDict(a=1, b=2)
    o.move_to_end("a")
    b = bytearray(b"ab")
    b += b"c"
    b[0] = 0x41
    push = xs.append
    push(99)
    first, *rest = xs
    total = [*xs, *d, *s, *q]
    return (
        alias is xs, xs, d, s, list(q), dict(dd), dict(c), list(o), bytes(b), first, rest, total, {**d, "k": 1},
        7 in xs, 7 not in d, not xs, list(d.items()), [k for k in d.keys()], sorted(map(str, d.values())), xs == alias,
    )  # fmt: skip


def classes(log: Log) -> Any:
    p = Plain.made()
    p.double = 10
    p.count += 1
    Plain.limit += 1
    d = Derived()
    try:
        d.value()
    except KeyError as error:
        log.append(str(error))
    s = Slotted()
    s.x += 1

    class Local(Plain):
        limit = p.x
        values = [p.x for _ in range(2)]

        def bump(self) -> int:
            self.x += __class__.limit
            super().__init__()
            return super().double

    @functools.wraps(f)
    def wrapped(a: int = p.x, *, b: int = p.items.append(4) or 2) -> tuple[int, int]:
        return a, b

    return (
        p.x, p.double, p.count, Plain.count, Plain.limit, d.both()[1:], s.x, s.bump(), Local().bump(), Local.values,
        wrapped(), p.cached, p.cached, p.remembered(1), p.remembered(1), Plain.half(5), p.half(7),
        p.x, getattr(p, "zz", said(log, 3)), hasattr(p, "zz"), setattr(p, "zz", 4), p.zz, vars(p)["zz"],
        p.__dict__["x"], p.__class__.__name__, wrapped.__name__, object.__getattribute__(p, "x"),
    )  # fmt: skip


def flow(log: Log) -> Any:
    p = Plain()
    p.items = [1, 2, 3]
    while p.items:
        p.x += p.items.pop()
        if p.x == 4:
            continue
        if p.x > 100:
            break
    else:
        log.append("else")
    for p.x in [1, 2]:
        log.append(p.x)
    else:
        log.append(p.x)
    for p.table[said(log, "k")] in "ab":
        pass
    with Loud(log) as p.x, contextlib.suppress(KeyError):
        p.table["none"]
    try:
        try:
            p.table[p.nothing]
        finally:
            p.x = 5
            hidden = [lambda: p.x]
    except (AttributeError, KeyError) as p_error:
        log.append(str(p_error))
    else:
        p.x = 1
    try:
        raise ExceptionGroup("g", [ValueError(1), KeyError(2)])
    except* ValueError as group:
        p.x = len(group.exceptions)
    except* KeyError:
        p.table["g"] = 1
    match p.table:
        case {"k": k, **rest} if p.x:
            log.append((k, rest))
    match p:
        case Plain(x=1, table={}):
            log.append("matched")
    match [p.x, *p.items]:
        case [a, *others]:
            log.append((a, others))
    assert p.x, p.items
    return hidden[0](), p.table, p.x


def asynchronous(log: Log) -> Any:
    p = Plain()
    p.items = [1, 2, 3]

    class Context:
        async def __aenter__(self) -> Any:
            p.x += 1
            return self

        async def __aexit__(self, *_: Any) -> None:
            p.x += 1

    async def produce() -> Any:
        for i in p.items:
            yield i
            await asyncio.sleep(0)

    async def value(v: Any) -> Any:
        await asyncio.sleep(0)
        return v

    async def main() -> Any:
        async with Context() as c, Context() as p.c:
            p.x += await value(3)
        async for p.y in produce():
            p.table[await value(p.y)] = await value(p.y)
            p.items.append(await value(5)) if len(p.items) < 5 else None
        kept = [i async for i in produce() if p.x]
        also = {await value(i): p.table.get(await value(i)) for i in p.items}
        lazy = [i async for i in (p.x + i async for i in produce())]
        await asyncio.gather(*[value(i) for i in p.items])
        return kept, also, lazy, p.x, p.y, p.table, type(c).__name__

    return asyncio.run(main())


def warnings_say_the_users_line(log: Log) -> Any:
    class Old:
        def __getitem__(self, key: Any) -> Any:
            warnings.warn("old", UserWarning, stacklevel=2)
            return key

        @property
        def x(self) -> int:
            warnings.warn("property", UserWarning, stacklevel=2)
            return 1

    old = Old()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        old[1]
        old[said(log, 1)]
        [old[i] for i in [1]]
        old.x
        old.x + old[old.x]
    return [(str(each.message), each.lineno) for each in caught]


def names_of_ours_stay_hidden(log: Log) -> Any:
    p = Plain()
    p.table[said(log, "k")] = 1
    p.table[said(log, "k")] += 1
    p.x += 1
    inside = (lambda: sorted(locals()))()
    return sorted(locals()), sorted(vars()), sorted(dir()), inside


def evaluated(log: Log) -> Any:
    p = Plain()
    space = {"p": p}
    exec("p.x += 1; y = p.x", space)
    return space["y"], eval("p.x + 1"), [eval("p.x", {"p": p}) for _ in range(1)]


def shadowed_builtins(log: Log) -> Any:
    def len(x: Any) -> str:
        return f"mine {x!r}"

    sorted = lambda *a, **k: (a, k)
    getattr = said
    vars = 3
    return len([1]), sorted([2, 1], key=3), getattr(log, "x"), vars


def weird_keys(log: Log) -> Any:
    class Key:
        def __hash__(self) -> int:
            log.append("hash")
            return 1

        def __eq__(self, other: object) -> bool:
            log.append("eq")
            return True

    class Index:
        def __index__(self) -> int:
            log.append("index")
            return 0

    d = {Key(): 1}
    xs = [1, 2]
    d[Key()] = 2
    d[Key()] += 1
    xs[Index()] = xs[Index()] + 1
    xs[Index() : Index()] = [5]
    return Key() in d, d.get(Key()), d[Key()], xs, d.setdefault(Key(), 3), xs[True], xs[-1]


def subclasses_of_containers(log: Log) -> Any:
    class Upper(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            log.append(f"get {key}")
            return super().__getitem__(key.upper())

        def __setitem__(self, key: str, value: Any) -> None:
            super().__setitem__(key.upper(), value)

        def __missing__(self, key: str) -> Any:
            return f"no {key}"

        def __len__(self) -> int:
            return 100

    class Listed(list[Any]):
        extra = 1

        def append(self, x: Any) -> None:
            super().append(x)
            self.extra += 1
            list.append(self, x)

        def __iter__(self) -> Iterator[Any]:
            log.append("iter")
            return super().__iter__()

    u, xs = Upper(), Listed()
    u["a"] = 1
    xs.append(2)
    xs.extend([3])
    return u["a"], u["b"], len(u), u, [*xs], [x for x in xs], xs.extra, bool(u), "A" in u


def deleted_and_collected(log: Log) -> Any:
    import weakref

    class Kept:
        pass

    kept = Kept()
    ref = weakref.ref(kept)
    table = {kept: 1}
    table[said(log, None) or kept] = 2
    table[said(log, None) or kept] += 2
    del table[said(log, None) or kept]
    kept.table = table
    kept.table["x"] = len(kept.table)
    kept.table.clear()
    del kept
    import gc

    gc.collect()
    return ref() is None


PROGRAMS: list[Callable[[Log], Any]] = [
    order_of_assignment,
    order_of_augmented,
    order_of_reading,
    errors_of_attributes,
    errors_of_assignment,
    uncaught,
    globals_are_rebound,
    cells_are_shared,
    comprehensions,
    generators,
    containers,
    classes,
    flow,
    asynchronous,
    warnings_say_the_users_line,
    names_of_ours_stay_hidden,
    evaluated,
    shadowed_builtins,
    weird_keys,
    subclasses_of_containers,
    deleted_and_collected,
]
