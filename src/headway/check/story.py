"""A failing schedule as data, of which the table in a terminal, the page and the JSON document are made."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headway.check.naming import Names
from headway.check.place import Place, is_program, short
from headway.check.token import decode
from headway.check.unit import Unit

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.races.race import Race
    from headway.check.recorder import Recorder, Step

__all__ = ["tell"]

Point = tuple[int, int]
"""A unit, and its step."""


def tell(
    ending: Ending, recorder: Recorder, token: str, number: int, options: Options, race: Race | None
) -> dict[str, Any]:
    """All that is known of a failing schedule; it holds only what JSON has.

    Args:
        ending: How it ended.
        recorder: What each unit did.
        token: Of the schedule.
        number: Of the schedule, from 1; 0 if it was replayed.
        options: Of the exploration.
        race: At the heart of it, if there is one.
    """
    left = recorder.finish(ending.unit)
    failed = _failed(ending, recorder)
    switches = decode(token).deviations if token else {}
    kept = list(recorder.steps)
    steps = _without_ends(list(_that_matter(kept, left, switches)))
    switched, stays = _switched(steps, left, switches)
    if recorder.count == len(kept) and any(step.kind in ("switch", "run") for step in [*kept, *left]):
        switched = _with_greenlets(steps, switches, switched, stays)
    names = Names(
        [
            *(step.thing for step in [*steps, *left]),
            *(hold.lock for hold in recorder.held.values()),
            *(race.locks if race is not None else ()),
        ]
    )
    units = {step.unit for step in [*steps, *left]} | {0}
    if failed is not None:
        units.add(failed["unit"])
    return {
        "kind": ending.kind,
        "sentence": _sentence(ending, failed),
        "token": token,
        "schedule": number or None,
        "schedules": options.schedules if number else None,
        "seed": options.seed if number else None,
        "granularity": decode(token).granularity if token else options.granularity,
        "switches": len(switches),
        "units": [{"unit": unit, "name": recorder.names.get(unit, "?")} for unit in sorted(units)],
        "blocked": [_blocked(step, recorder, names) for step in left] if ending.error is None else [],
        "steps_left_out": recorder.count - len(recorder.steps),
        "steps": _steps(steps, switched, names),
        "failed": failed,
        "race": race.told(names) if race is not None else None,
    }


def _sentence(ending: Ending, failed: dict[str, Any] | None) -> str:
    if failed is not None and not failed["message"] and failed["text"]:
        return f"{ending.sentence}: {failed['text']}"
    cycle = ending.cycle
    if ending.kind == "deadlock" and len(cycle) > 1:
        return f"deadlock: {len(cycle)} {ending.nouns} wait for each other"
    return ending.sentence


def _that_matter(steps: Sequence[Step], left: list[Step], switches: Mapping[Point, int]) -> Iterable[Step]:
    """Without accesses to what only one unit touched, or nobody changed while there were several.

    Nor those of constructors to what nobody else has touched yet, but where units take turns.
    """
    touched: dict[object, set[int]] = {}
    written: set[object] = set()
    for step in [*steps, *left]:
        if step.variable is not None:
            touched.setdefault(step.variable, set()).add(step.unit)
            if step.write and not step.alone:
                written.add(step.variable)
    seen: dict[object, set[int]] = {}
    for place, step in enumerate(steps):
        key = step.variable
        if key is not None:
            already = seen.setdefault(key, set())
            already.add(step.unit)
            if key not in written or len(touched[key]) == 1:
                continue
            near = {other.unit for other in steps[max(0, place - 1) : place + 2]}
            if (
                step.makes
                and len(already) == 1
                and len(near) == 1
                and (step.unit, step.number) not in switches
            ):
                continue
        yield step


def _without_ends(steps: list[Step]) -> list[Step]:
    """That a greenlet has run to its end is told if it did nothing else that matters."""
    others = {step.unit for step in steps if step.kind != "run" and step.file}
    return [step for step in steps if step.kind != "run" or step.unit not in others]


def _thing(thing: object, names: Names) -> dict[str, str] | None:
    if thing is None:
        return None
    if isinstance(thing, Place):
        return {"kind": thing.noun, "name": names[thing], "made_at": thing.made_at}
    return {"kind": "unit" if isinstance(thing, Unit) else "other", "name": names[thing], "made_at": ""}


def _blocked(step: Step, recorder: Recorder, names: Names) -> dict[str, Any]:
    hold = recorder.held.get(id(step.thing))
    return {
        "unit": step.unit,
        "does": step.kind,
        "waits_for": _thing(step.thing, names),
        "held_by": step.thing.number if isinstance(step.thing, Unit) else hold.unit if hold else None,
        "holds": [
            {**(_thing(held.lock, names) or {}), "since": f"{held.file}:{held.line}"}
            for held in recorder.held.values()
            if held.unit == step.unit
        ],
        "file": step.file,
        "line": step.line,
        "text": step.text,
    }


def _steps(steps: list[Step], switched: Mapping[Point, int], names: Names) -> list[dict[str, Any]]:
    marked = set(switched.values())
    found: list[dict[str, Any]] = []
    for place, step in enumerate(steps):
        found.append(
            {
                "unit": step.unit,
                "does": step.kind,
                "file": step.file,
                "line": step.line,
                "text": step.text,
                "comment": _comment(step, names),
                "site": step.site if step.site >= 0 else None,
                "variable": step.label,
                "write": step.write,
                "value": step.value,
                "switched": place in marked,
            }
        )
    return found


def _switched(
    steps: list[Step], left: list[Step], switches: Mapping[Point, int]
) -> tuple[dict[Point, int], dict[Point, int]]:
    """For each switch the place in the list before which it was made; and those where the same unit went on then."""
    # A unit that goes on after another was chosen in its place was switched at the point that it goes on from.
    following: dict[int, Point] = {step.unit: (step.unit, step.number) for step in left}
    found: dict[Point, int] = {}
    stays: dict[Point, int] = {}
    for place in range(len(steps) - 1, -1, -1):
        unit = steps[place].unit
        key = following.get(unit)
        if key is not None and key in switches and place + 1 < len(steps):
            (found if steps[place + 1].unit != unit else stays)[key] = place + 1
        following[unit] = (unit, steps[place].number)
    return found, stays


def _with_greenlets(
    steps: list[Step], switches: Mapping[Point, int], found: dict[Point, int], stays: dict[Point, int]
) -> dict[Point, int]:
    """The same for greenlets, of which little may be told: not where they wait, nor that they have run at all.

    Args:
        steps: All of them.
        switches: Where the schedule switches, and to which unit.
        found: As for threads.
        stays: Likewise.
    """
    found = dict(found)
    for key, chosen in switches.items():
        unit, number = key
        if key in found or chosen == unit:
            continue
        if key in stays:  # of what was chosen nothing is told
            found[key] = stays[key]
            continue
        # Nothing is told of what the unit did before, or of what it does then: where what was chosen goes on.
        own = [place for place, step in enumerate(steps) if step.unit == unit]
        for last in (number - 1, number):
            place = max((place for place in own if steps[place].number <= last), default=-1) + 1
            if place < len(steps) and steps[place].unit == chosen:
                found.setdefault(key, place)
        if own and steps[own[0]].number == number and steps[own[0]].kind != "access":
            found.setdefault(key, own[0])
    return found


def _comment(step: Step, names: Names) -> str:
    """What the step did, where the source line does not say it."""
    name = names[step.thing] if step.thing is not None else ""
    if isinstance(step.thing, Place) and step.thing.inner and step.kind != "wait":
        return ""  # how a queue keeps itself in order
    match step.kind:
        case "acquire":
            return f"takes {name}" if step.got else f"{name}: timed out"
        case "try":
            return f"takes {name}" if step.got else f"{name}: not free"
        case "release":
            return f"frees {name}"
        case "wait":
            return f"{name}: woken" if step.got else f"{name}: timed out"
        case "notify":
            return f"notifies {name}"
        case "set" | "clear":
            return f"{step.kind}s {name}"
        case "start":
            return f"starts {name}"
        case "run":
            return "runs to its end"
        case "join":
            return f"{name} has ended" if step.got else f"{name}: timed out"
    return ""


def _failed(ending: Ending, recorder: Recorder) -> dict[str, Any] | None:
    """Where it was raised, in the program."""
    error = ending.error
    if error is None:
        return None
    number = next((number for number, name in recorder.names.items() if name == ending.unit), 0)
    file, line = "", 0
    trace = []
    for frame, at in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if is_program(name):
            file, line = name, at
            trace.append(f"{short(name)}:{at}:{frame.f_code.co_qualname}")
    return {
        "unit": number,
        "type": type(error).__name__,
        "message": _text_of(error),
        "traceback": trace,
        "file": short(file),
        "line": line,
        "text": linecache.getline(file, line).strip() if file else "",
    }


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as why:
        return f"(no message: {type(why).__name__})"
