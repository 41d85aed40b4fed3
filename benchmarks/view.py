"""How fast the page of a trace is written, opens, and moves, by the number of its intervals.

    python benchmarks/view.py [--intervals N ...] [--threads N] [--rounds N]

The traces are made: threads that run, want the GIL, wait for locks and for I/O, for times as they come (an exponential
distribution), with stacks and with who woke whom. Half of the intervals are within a tenth of the time, as in bursts.

Needs playwright, and chromium (Debian: apt-get install chromium). A frame is the time that the page's own drawing
takes, measured in the page with one thread and no graphics processor; the browser then shows it.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from conditions import afterwards, machine
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/support"))

from headway.trace import format as fmt
from headway.trace.format import Kind
from headway.view import write
from synthetic import T0, FakeTrace, S

KINDS = [Kind.PYTHON, Kind.GIL, Kind.NATIVE, Kind.LOCK, Kind.IO, Kind.SLEEP]
LASTS_NS = 20 * S
FRAMES = 90
MOVE = """async ([frames, wide]) => {
    const view = window.headway, { model, painter } = view;
    const width = model.wall * wide, took = [], between = [];
    let last = 0;
    for (let i = 0; i < frames; i++) {
        const at = ((model.wall - width) * i) / frames;
        model.range(at, at + width);
        const now = await new Promise(requestAnimationFrame);
        if (last) between.push(now - last);
        last = now;
        const began = performance.now();
        painter.paint();
        took.push(performance.now() - began);
    }
    const began = performance.now();
    view.summarise();
    return { took, between, report: performance.now() - began };
}"""


def make(directory: Path, intervals: int, threads: int) -> Path:
    """A trace with so many intervals."""
    chance = np.random.default_rng(intervals)
    trace = FakeTrace(directory, end_ns=T0 + LASTS_NS, cpu_s=20.0)
    process = trace.process(end_ns=T0 + LASTS_NS)
    stacks = [
        process.stack(*((f"/home/me/app/part{d}.py", s + d, f"function_{s}_{d}") for d in range(8)))
        for s in range(200)
    ]
    locks = [process.lock(made=stack, waits=1, wait_ns=1) for stack in stacks[:20]]
    each = intervals // threads
    for number in range(threads):
        thread = process.thread(f"worker-{number}", at_ns=T0)
        lengths = chance.exponential(1.0, each)
        lengths[: each // 2] /= 9
        ns = np.maximum((lengths * (LASTS_NS * 0.999 / lengths.sum())).astype(np.int64), 1)
        records = np.zeros(each, fmt.RECORD)
        kinds = chance.choice(KINDS, each)
        records["start_ns"] = T0 + np.concatenate([[0], np.cumsum(ns[:-1])])
        records["dur_kind"] = ns << 8 | kinds
        locked, wanted = kinds == Kind.LOCK, kinds == Kind.GIL
        records["a"] = np.where(locked, chance.integers(0, len(locks), each), 0)
        records["b"] = np.where(kinds == Kind.NATIVE, 0, chance.integers(1, len(stacks) + 1, each))
        for name in "cd":
            records[name] = np.where(locked | wanted, chance.integers(0, threads, each), 0)
        thread.bulk(records).ends()
    return trace.write()


def measure(browser: Any, file: Path) -> dict[str, float]:
    """Open a page, and move in it: seconds to open, and ms for a frame, with much and with little in sight."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(file.as_uri())
    page.wait_for_selector("body[data-ready], body[data-failed]", timeout=0)
    found = {"open_s": float(page.evaluate("Number(document.body.dataset.ready)")) / 1000}
    for name, wide in (("half", 0.5), ("near", 0.002)):
        moved = page.evaluate(MOVE, [FRAMES, wide])
        found[f"{name}_ms"] = statistics.median(moved["took"])
        found[f"{name}_worst_ms"] = sorted(moved["took"])[int(0.95 * FRAMES)]
        found[f"{name}_fps"] = 1000 / statistics.mean(moved["between"])
    page.evaluate("window.headway.model.whole()")
    page.evaluate("window.headway.painter.paint()")
    found["report_ms"] = page.evaluate(
        "(() => { const began = performance.now(); window.headway.summarise(); return performance.now() - began; })()"
    )
    page.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--intervals", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("no chromium here: apt-get install chromium")
    print(machine())
    print(
        f"{'intervals':>10} {'write':>8} {'file':>9} {'open':>7} {'frame, half the run':>28}"
        f" {'frame, 1/500 of it':>28} {'report':>8}"
    )
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as scratch:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for intervals in asked.intervals:
            directory = make(Path(scratch) / f"trace-{intervals}", intervals, asked.threads)
            began = time.perf_counter()
            file = write(directory, Path(scratch) / "page.html")
            wrote = time.perf_counter() - began
            rounds = [measure(browser, file) for _ in range(asked.rounds)]
            m = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
            frames = [f"{m[f'{n}_ms']:6.1f} ms (95 %: {m[f'{n}_worst_ms']:5.1f})" for n in ("half", "near")]
            print(
                f"{intervals:>10,} {wrote:6.2f} s {file.stat().st_size / 1e6:6.1f} MB {m['open_s']:5.2f} s"
                f" {frames[0]:>28} {frames[1]:>28} {m['report_ms']:5.0f} ms"
                f"   {m['half_fps']:.0f} and {m['near_fps']:.0f} frames/s",
                flush=True,
            )
        browser.close()
    print(afterwards())


if __name__ == "__main__":
    main()
