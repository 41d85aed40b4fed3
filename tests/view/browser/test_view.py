"""The page in a real browser: what it shows is what the report says."""

from pathlib import Path
from typing import Any

import pytest

from headway.trace.format import Kind
from headway.trace.report import as_dict
from synthetic import MS, T0, FakeTrace
from tracing import trace as trace_program

LANES = "#lanes"
GUTTER = 236
TOP = 42


@pytest.fixture
def convoy(tmp_path: Path) -> Path:
    """Two threads and a lock: `writer` has it for 300 ms, `reader` waits for 200 of them."""
    trace = FakeTrace(tmp_path / "trace", end_ns=T0 + 500 * MS, cpu_s=0.5)
    process = trace.process(end_ns=T0 + 500 * MS)
    inside = process.stack(("/home/me/app/bank.py", 14, "deposit"), ("/home/me/app/bank.py", 3, "main"))
    made = process.stack(("/home/me/app/bank.py", 7, "Bank.__init__"))
    released = process.stack(("/home/me/app/bank.py", 30, "audit"))
    lock = process.lock(made=made)
    writer = process.thread("writer")
    reader = process.thread("reader")
    writer.then(Kind.PYTHON, 100 * MS).then(Kind.SLEEP, 200 * MS).releases(lock, 300 * MS, released)
    writer.then(Kind.PYTHON, 200 * MS).ends()
    reader.then(Kind.NATIVE, 100 * MS).wait(Kind.LOCK, 200 * MS, lock, owner=0, waker=0, stack=inside)
    reader.then(Kind.GIL, 50 * MS, 0, 0, 0, 0).then(Kind.SLEEP, 150 * MS).ends()
    return trace.write()


def states_shown(page: Any) -> dict[tuple[str, str], int]:
    """ns by state and reason, of the first table of the report."""
    rows = page.eval_on_selector_all(
        ".states:first-of-type tr[data-ns]",
        "rows => rows.map(row => [row.dataset.state, row.dataset.reason, Number(row.dataset.ns)])",
    )
    return {(state, reason): ns for state, reason, ns in rows}


def states_told(report: dict[str, Any]) -> dict[tuple[str, str], int]:
    """The same, of all threads, from the JSON report."""
    sums: dict[tuple[str, str], int] = {}
    for unit in report["units"]:
        if unit["kind"] != "thread":
            continue
        for state, of in unit["states"].items():
            for reason, seconds in of.items() if isinstance(of, dict) else [("", of)]:
                sums[state, reason] = sums.get((state, reason), 0) + round(seconds * 1e9)
    return {key: ns for key, ns in sums.items() if ns}


def lane(page: Any, name: str) -> int:
    """The height at which a lane lies."""
    found = page.evaluate(
        """name => {
            const view = window.headway, node = view.model.shown.find(node => node.name === name);
            return node ? view.painter.top(node) + node.height / 2 : -1;
        }""",
        name,
    )
    assert found > 0, f"no lane {name}"
    return int(found)


def at(page: Any, share: float) -> int:
    """Where a share of the range in sight lies."""
    width = page.evaluate("window.headway.painter.width")
    return int(GUTTER + share * (width - GUTTER))


def click(page: Any, name: str, share: float) -> None:
    page.click(LANES, position={"x": at(page, share), "y": lane(page, name)})


def until(page: Any, condition: str) -> None:
    """Wait until something is so. The page itself allows no eval, which playwright's own way of waiting needs."""
    while not page.evaluate(condition):
        page.wait_for_timeout(10)


def settled(page: Any) -> None:
    """Wait until the report has followed the range."""
    until(
        page,
        "Number(document.getElementById('range').dataset.from) === window.headway.model.t0"
        " && Number(document.getElementById('range').dataset.until) === window.headway.model.t1",
    )


def test_the_sums_of_the_whole_run_are_those_of_the_report(convoy: Path, show: Any) -> None:
    page = show(convoy)
    assert states_shown(page) == states_told(as_dict(convoy))
    assert page.text_content("#verdict") == as_dict(convoy)["verdict"]


def test_a_click_on_a_wait_tells_what_it_waited_for_who_had_it_and_both_stacks(
    convoy: Path, show: Any
) -> None:
    page = show(convoy)
    click(page, "reader", 0.4)
    told = page.inner_text("#details")
    assert "reader waits for a lock for 200 ms" in told
    assert "lock made at bank.py:7" in told
    terms = dict(
        page.eval_on_selector_all(
            "#details dt", "terms => terms.map(term => [term.textContent, term.nextSibling.textContent])"
        )
    )
    assert (terms["held by"], terms["woken by"]) == ("writer", "writer")
    stacks = page.eval_on_selector_all("#details .stack li", "items => items.map(item => item.textContent)")
    assert stacks == ["depositbank.py:14", "mainbank.py:3", "auditbank.py:30"]


def test_the_links_of_a_wait_lead_to_the_lock_and_to_who_woke_it(convoy: Path, show: Any) -> None:
    page = show(convoy)
    click(page, "reader", 0.4)
    page.click("#details .link:text-is('lock made at bank.py:7')")
    assert "1, 200 ms together" in page.inner_text("#details")
    click(page, "reader", 0.4)
    page.click("#details .link:text-is('writer') >> nth=1")
    assert "writer sleeps for 200 ms" in page.inner_text("#details")


def test_the_report_follows_the_range_that_is_in_sight(convoy: Path, show: Any) -> None:
    page = show(convoy)
    click(page, "reader", 0.4)
    page.keyboard.press("f")
    settled(page)
    around = 200 * MS * 0.05
    start, end = page.evaluate("[window.headway.model.t0, window.headway.model.t1]")
    assert (start, end) == (100 * MS - around, 300 * MS + around)
    shown = states_shown(page)
    assert shown["waiting", "lock"] == 200 * MS
    assert shown["waiting", "sleep"] == 200 * MS
    assert shown["running", "native"] == around
    assert shown["running", "python"] == 2 * around
    assert shown["ready", "gil"] == around
    locks = page.eval_on_selector_all(".locks tr", "rows => rows.map(row => Number(row.dataset.ns))")
    assert locks == [200 * MS]
    page.keyboard.press("0")
    settled(page)
    assert states_shown(page) == states_told(as_dict(convoy))


def test_keys_zoom_and_move(convoy: Path, show: Any) -> None:
    page = show(convoy)
    page.mouse.move(at(page, 0.5), 400)

    def width() -> float:
        return float(page.evaluate("window.headway.model.t1 - window.headway.model.t0"))

    before = width()
    page.keyboard.press("w")
    until(page, f"window.headway.model.t1 - window.headway.model.t0 < {before}")
    zoomed = width()
    start = page.evaluate("window.headway.model.t0")
    page.keyboard.press("d")
    until(page, f"window.headway.model.t0 > {start}")
    assert abs(width() - zoomed) < 1
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("?")
    assert not page.is_visible("#help")


def test_one_can_mark_drag_and_follow_who_woke_it(convoy: Path, show: Any) -> None:
    page = show(convoy)
    click(page, "reader", 0.4)
    page.keyboard.press("m")
    assert page.evaluate("window.headway.model.marked") == [100 * MS, 300 * MS]
    page.keyboard.press("g")
    assert "writer sleeps for 200 ms" in page.inner_text("#details")
    page.keyboard.press(".")
    assert "writer runs Python for 200 ms" in page.inner_text("#details")
    page.keyboard.press("m")
    y = lane(page, "writer")
    page.keyboard.down("Shift")
    box = page.locator(LANES).bounding_box()
    page.mouse.move(at(page, 0.2), box["y"] + y)
    page.mouse.down()
    page.mouse.move(at(page, 0.6), box["y"] + y, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    settled(page)
    start, end = page.evaluate("[window.headway.model.t0, window.headway.model.t1]")
    assert abs(start - 100 * MS) < MS
    assert abs(end - 300 * MS) < MS


def test_a_search_leaves_the_lanes_that_match_and_what_they_are_in(convoy: Path, show: Any) -> None:
    page = show(convoy)
    page.keyboard.press("/")
    page.keyboard.type("reader")
    names = page.evaluate("window.headway.model.shown.map(node => node.name)")
    assert names[-1] == "reader"
    assert "writer" not in names or names.index("writer") < names.index("reader")
    assert page.text_content("#found") == "1 found"
    page.keyboard.press("Enter")
    page.fill("#search", "nobody")
    assert page.evaluate("window.headway.model.shown.length") == 0


def test_the_gil_has_a_lane_that_says_who_holds_it(convoy: Path, show: Any) -> None:
    page = show(convoy)
    click(page, "GIL", 0.1)
    assert "writer held the GIL for 100 ms" in page.inner_text("#details")
    click(page, "GIL", 0.7)
    assert "writer held the GIL for 200 ms" in page.inner_text("#details")
    assert "reader, 50.0 ms of that" in page.inner_text("#details")


def test_who_woke_whom_is_an_arrow(convoy: Path, show: Any) -> None:
    page = show(convoy)
    until(page, "window.headway.painter.drawn === 2")
    page.keyboard.press("e")
    until(page, "window.headway.painter.drawn === 0")
    click(page, "reader", 0.4)
    until(page, "window.headway.painter.drawn === 1")


def test_the_life_cycle_counts_what_happened(convoy: Path, show: Any) -> None:
    page = show(convoy)
    click(page, "reader", 0.4)
    page.click("[data-tab=cycle]")
    ways = dict(
        page.eval_on_selector_all("[data-way]", "all => all.map(one => [one.dataset.way, one.textContent])")
    )
    assert ways == {
        "running waiting": "1",
        "waiting ready": "1",
        "ready waiting": "1",
        "waiting terminated": "1",
    }
    ns = dict(
        page.eval_on_selector_all(
            "[data-state]", "all => all.map(one => [one.dataset.state, Number(one.dataset.ns)])"
        )
    )
    assert (ns["running"], ns["ready"], ns["waiting"]) == (100 * MS, 50 * MS, 350 * MS)


def test_a_finding_is_a_mark_that_leads_to_it(tmp_path: Path, show: Any) -> None:
    trace = FakeTrace(tmp_path / "trace", end_ns=T0 + 1000 * MS)
    process = trace.process(end_ns=T0 + 1000 * MS)
    refill = process.stack(("/home/me/app/cache.py", 31, "Cache.refill"))
    lock = process.lock(release_stack=refill, longest_hold_ns=45 * MS)
    holder = process.thread("holder")
    for _ in range(20):
        holder.then(Kind.PYTHON, 5 * MS).then(Kind.SLEEP, 45 * MS, 0, refill)
    holder.ends()
    for number in range(2):
        reader = process.thread(f"reader-{number}", at_ns=T0)
        for _ in range(10):
            reader.then(Kind.PYTHON, 5 * MS).wait(Kind.LOCK, 40 * MS, lock, owner=0, waker=0, stack=refill)
        reader.then(Kind.SLEEP, T0 + 1000 * MS - reader.at_ns).ends()
    directory = trace.write()
    (finding,) = as_dict(directory)["findings"]
    page = show(directory)

    (mark,) = page.evaluate("window.headway.painter.flags.map(flag => [flag.finding.kind, flag.x0])")
    assert mark[0] == finding["kind"] == "lock-convoy"
    page.mouse.move(at(page, 0.5), 400)
    page.keyboard.press("w")
    page.click(LANES, position={"x": mark[1] + 5, "y": 34})
    settled(page)
    told = page.inner_text("#report")
    assert all(part in told for part in (finding["sentence"], *finding["evidence"], finding["advice"]))
    start, end = page.evaluate("[window.headway.model.t0, window.headway.model.t1]")
    assert start <= finding["start_s"] * 1e9 < finding["end_s"] * 1e9 <= end


HOSTILE = """</script><script>alert(1)</script>"'<img src=x onerror=alert(2)>\x1b[31m\u202e&lt;\u2028"""


def test_names_in_a_trace_are_only_ever_text(tmp_path: Path, show: Any) -> None:
    trace = FakeTrace(
        tmp_path / "trace", end_ns=T0 + 100 * MS, cwd=HOSTILE, meta={"command": [HOSTILE, "\udc80"]}
    )
    process = trace.process(end_ns=T0 + 100 * MS, command=(HOSTILE,))
    stack = process.stack((HOSTILE, 1, HOSTILE))
    lock = process.lock(made=stack)
    process.thread(HOSTILE[:60]).then(Kind.PYTHON, 40 * MS, 0, stack).then(Kind.SLEEP, 60 * MS).ends()
    reader = process.thread("reader").then(Kind.PYTHON, 10 * MS)
    reader.wait(Kind.LOCK, 90 * MS, lock, owner=0, waker=0, stack=stack).ends()
    process.task(HOSTILE[:60], T0, T0 + 50 * MS, totals={Kind.SLEEP: 50 * MS}, carrier=0)
    page = show(trace.write())

    click(page, "reader", 0.5)
    for tab in ("findings", "cycle", "process", "range"):
        page.click(f"[data-tab={tab}]")
    page.mouse.move(at(page, 0.4), lane(page, "reader") + 1)
    assert page.evaluate("document.querySelectorAll('script').length") == 2
    assert page.evaluate("document.querySelectorAll('img, iframe, object').length") == 0
    text = page.inner_text("body")
    assert "<script>alert(1)</script>" in text
    assert not {"\x1b", "\u202e", "\u2028"} & {*text, *page.title()}


def test_a_process_shows_what_its_threads_share_and_what_each_has(convoy: Path, show: Any) -> None:
    page = show(convoy)
    page.click("[data-tab=process]")
    shared, threads = page.inner_text(".shared"), page.inner_text(".threads")
    assert "one GIL, held 60 % of the time" in shared
    assert "1 wait for the lock made at bank.py:7" in shared.replace("\n", "")
    assert "own id: tid 100" in threads
    assert "own id: tid 101" in threads
    assert "deposit" in threads


@pytest.mark.native
def test_tasks_and_jobs_have_lanes_of_which_the_report_knows_the_states(tmp_path: Path, show: Any) -> None:
    program = """
        import asyncio, time

        async def child(lock):
            async with lock:
                await asyncio.sleep(0.05)

        async def main():
            lock = asyncio.Lock()
            tasks = [asyncio.create_task(child(lock), name=f"child {n}") for n in "abc"]
            await asyncio.to_thread(time.sleep, 0.1)
            await asyncio.gather(*tasks)

        asyncio.run(main())
    """
    traced = trace_program(program, tmp_path=tmp_path)
    page = show(traced.directory)
    for name, state, reason in (
        ("child c", "waiting", "lock"),
        ("child a", "waiting", "sleep"),
        ("time.sleep", "waiting", "sleep"),
    ):
        (unit,) = (unit for unit in traced.report["units"] if unit["name"] == name)
        shown = page.evaluate(
            """([id, reason]) => {
                const { model } = window.headway, { start, end, kind } = model.columns, lane = model.nodes.get(id).lane;
                let sum = 0;
                for (let i = lane.first; i < lane.last; i++) if ((kind[i] & 31) === reason) sum += end[i] - start[i];
                return sum / 1e9;
            }""",
            [unit["id"], Kind[reason.upper()].value],
        )
        told = unit["states"][state][reason]
        assert told > 0.04
        assert abs(shown - told) < 0.02 * told


def test_a_trace_without_a_thread_is_a_page_that_says_so(tmp_path: Path, show: Any) -> None:
    trace = FakeTrace(tmp_path / "trace", end_ns=T0 + 100 * MS)
    page = show(trace.write())
    assert page.evaluate("document.body.dataset.failed") is None
    assert page.text_content("#verdict") == "nothing to tell: no thread of the program was traced in 100 ms"


def test_many_lanes_are_low_and_each_has_its_name(tmp_path: Path, show: Any) -> None:
    trace = FakeTrace(tmp_path / "trace", end_ns=T0 + 100 * MS)
    process = trace.process(end_ns=T0 + 100 * MS)
    for number in range(200):
        thread = process.thread(f"thread {'abcdefghij'[number % 10]}{'abcdefghijklmnopqrst'[number // 10]}")
        thread.then(Kind.PYTHON, (number % 7 + 1) * MS).then(Kind.SLEEP, (100 - number % 7 - 1) * MS).ends()
    page = show(trace.write())
    lanes = page.evaluate(
        "window.headway.model.shown.filter(node => node.type === 'thread').map(node => [node.name, node.height])"
    )
    assert len({name for name, _ in lanes}) == 200
    assert {height for _, height in lanes} == {13}
    page.mouse.move(at(page, 0.5), 400)
    page.mouse.wheel(0, 100_000)
    until(page, "window.headway.model.scroll > 0")
    assert lane(page, lanes[-1][0]) < 800


def test_light_and_dark_follow_the_system_and_can_be_switched(convoy: Path, show: Any) -> None:
    page = show(convoy, dark=True)
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(colour) == "rgb(21, 24, 27)"
    page.keyboard.press("t")
    assert page.evaluate(colour) == "rgb(255, 255, 255)"
