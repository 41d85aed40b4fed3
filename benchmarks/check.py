"""How fast headway explores, and what it finds, beside interleave-test, frontrun, detangle and plain runs.

    python benchmarks/check.py [--quick] [--seeds N] [--only PART] [--tool NAME...] [--json FILE]

Part `speed`: schedules per second on three correct programs, for both carriers at each granularity; all tools run
equally many schedules, and rounds go over all tools. Part `bugs`: the programs of `tests/programs/check`, with the same
budget for every tool and seed, in processes that are stopped where they hang. Tools that are not installed are not run.

The whole takes many hours with 20 seeds: who does not find a bug uses up its budget. In 20 minutes, with all seeds and
tools, as many programs as fit, a sample of all:

    python benchmarks/check.py --only bugs --minutes 20 --seconds 1 --patience 5

`--seeds`, `--arm`, `--every` and `--tool` make it shorter, too. What is interrupted by Ctrl-C shows what it has.
"""

import argparse
import hashlib
import importlib.util
import json
import signal
import time
from pathlib import Path

from check_contenders import CONTENDERS, installed
from check_corpus import Program, programs
from check_sessions import PATIENCE_S, Search, rate, searches
from check_speed import CANNOT, SCENARIOS, TOOLS
from check_table import accusations, bug_table, figures, speed_table, worse
from conditions import afterwards, machine, tell, versions

QUICK = {"lost_update_attribute", "lock_order_two", "account_ordered_locks", "balance_over_await"}
"""One of each kind of failure that is common, one that is correct, and one with tasks."""
QUICK_TOOLS = {"headway threads access", "headway threads opcode", "headway greenlets access"}
RATE_LIMIT_S = 60.0

Bugs = dict[str, dict[str, list[Search] | str]]
Speeds = dict[str, dict[str, list[tuple[float | None, str]]]]


def runs_here(tool: str) -> bool:
    return importlib.util.find_spec(tool.partition(" ")[0].replace("-", "_")) is not None


def measure_speed(speeds: Speeds, tools: list[str], schedules: int, rounds: int) -> None:
    for number in range(rounds):
        for program in SCENARIOS:
            for tool in tools:
                known = speeds.setdefault(program, {}).setdefault(tool, [])
                if (tool, program) in CANNOT:
                    continue
                tell(f"round {number + 1} of {rounds}: {program}, {tool}")
                known.append(rate(program, tool, schedules, RATE_LIMIT_S))


def mixed(programs: list[Program]) -> list[Program]:
    """In an order that has nothing to do with what they are: the first few are a sample of all."""
    return sorted(programs, key=lambda program: hashlib.sha256(program.name.encode()).digest())


def measure_bugs(
    bugs: Bugs, tools: list[str], chosen: list[Program], options: argparse.Namespace, end: float
) -> None:
    """The program that the tools are at when the time is up does not count."""
    for at, program in enumerate(chosen, 1):
        for tool in tools:
            tell(f"program {at} of {len(chosen)}: {program.name}, {tool}")
            why = CONTENDERS[tool][1](program)
            if why:
                bugs[tool][program.name] = why
                continue
            seeds = range(
                options.seeds if program.kind != "ok" else min(options.seeds, options.correct_seeds)
            )
            budget = options.schedules, options.seconds, options.patience
            found: list[Search] = []
            for search in searches(tool, program.arm, program.name, *budget, seeds):
                found.append(search)
                if time.monotonic() > end:
                    for each in bugs.values():
                        each.pop(program.name, None)
                    return
            bugs[tool][program.name] = found


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="headway and a few programs: shows that it runs")
    parser.add_argument("--only", choices=["speed", "bugs"], help="one part")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds for each program [default: 20]")
    parser.add_argument(
        "--correct-seeds", type=int, metavar="N", default=3, help="at most, for correct programs [default: 3]"
    )
    parser.add_argument("--schedules", type=int, metavar="N", help="budget of a search [default: 1000]")
    parser.add_argument("--seconds", type=float, metavar="S", help="budget of a search [default: 10]")
    parser.add_argument(
        "--patience",
        type=float,
        metavar="S",
        default=PATIENCE_S,
        help=f"after its budget a search that does not end is stopped [default: {PATIENCE_S:g}]",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="then the part bugs ends, with the programs that it has had",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="of the part speed [default: 5]")
    parser.add_argument(
        "--every", type=int, metavar="N", default=1, help="one program in N, for a first look"
    )
    parser.add_argument("--arm", choices=["threads", "asyncio", "greenlets"], help="programs of one kind")
    parser.add_argument(
        "--tool", action="append", metavar="NAME", choices=[*CONTENDERS, *TOOLS], help=", ".join(CONTENDERS)
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures and every search to a file"
    )
    chosen = parser.parse_args()
    chosen.seeds = chosen.seeds or (1 if chosen.quick else 20)
    chosen.schedules = chosen.schedules or (50 if chosen.quick else 1000)
    chosen.seconds = chosen.seconds or (0.5 if chosen.quick else 10.0)
    chosen.rounds = chosen.rounds or (1 if chosen.quick else 5)
    return chosen


def main() -> None:
    chosen = options()
    began = machine()
    searching = [name for name in chosen.tool or CONTENDERS if name in CONTENDERS and installed(name)]
    running = [name for name in chosen.tool or TOOLS if name in TOOLS and runs_here(name)]
    corpus = programs(arm=chosen.arm)[:: chosen.every]
    if chosen.quick:
        searching = [name for name in searching if name.startswith(("headway", "plain"))]
        running = [name for name in running if name in QUICK_TOOLS]
        corpus = [program for program in corpus if program.name in QUICK]
    end = float("inf")
    if chosen.minutes is not None:
        end = time.monotonic() + 60 * chosen.minutes
        corpus = mixed(corpus)
    speeds: Speeds = {}
    bugs: Bugs = {tool: {} for tool in searching}
    cut = False
    try:
        if chosen.only != "bugs":
            measure_speed(speeds, running, chosen.schedules, chosen.rounds)
        if chosen.only != "speed":
            measure_bugs(bugs, searching, corpus, chosen, end)
    except KeyboardInterrupt:
        cut = True
    tell("")
    known = versions(["headway", "interleave-test", "frontrun", "detangle", "gevent"])
    print(f"{began}, {afterwards()}\n{known}")
    if cut:
        print("interrupted: what there is")
    if speeds:
        print(f"\nschedules per second, {chosen.schedules} schedules, median of {chosen.rounds}\n")
        print(speed_table(speeds))
    had = sum(all(program.name in found for found in bugs.values()) for program in corpus)
    if any(bugs.values()):
        if had < len(corpus):
            print(f"\n{had} of {len(corpus)} programs")
        budget = f"{chosen.schedules} schedules or {chosen.seconds:g} s"
        print(f"\nbugs: {budget}, {chosen.seeds} seeds; medians to the bug, where it was found\n")
        print(bug_table(bugs, corpus))
        for title, lines in (("accused", accusations(bugs, corpus)), ("worse", worse(bugs, corpus))):
            if lines:
                print("\n" + "\n".join(f"{title}: {line}" for line in lines))
    if chosen.json:
        out = {
            "machine": began,
            "versions": known,
            "budget": {"schedules": chosen.schedules, "seconds": chosen.seconds, "seeds": chosen.seeds},
            "programs": {"searched": had, "of": len(corpus)},
            "speed": speeds,
            "bugs": {
                tool: figures(found, corpus)
                | {
                    "programs": {
                        name: each if isinstance(each, str) else [vars(search) for search in each]
                        for name, each in found.items()
                    }
                }
                for tool, found in bugs.items()
            },
        }
        chosen.json.write_text(json.dumps(out, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    main()
