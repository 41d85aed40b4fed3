"""A failing schedule as data, of which the table in a terminal, the page and the JSON document are made."""

from __future__ import annotations

import linecache
import re
import traceback
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from headway.check.ending import describe
from headway.check.place import Place, is_program, short
from headway.check.token import decode
from headway.check.unit import Unit

if TYPE_CHECKING:
    from headway.check.ending import Ending
    from headway.check.options import Options
    from headway.check.recorder import Recorder, Step

__all__ = ["short_name", "tell"]

_GIVEN = re.compile(r"(Thread-\d+) \(.*\)")


def tell(ending: Ending, recorder: Recorder, token: str, number: int, options: Options) -> dict[str, Any]:
    """All that is known of a failing schedule; it holds only what JSON has.

    Args:
        ending: How it ended.
        recorder: What each unit did.
        token: Of the schedule.
        number: Of the schedule, from 1; 0 if it was replayed.
        options: Of the exploration.
    """
    left = recorder.finish(ending.unit)
    failed = _failed(ending, recorder)
    steps = list(_that_matter(recorder.steps, left))
    names = _Names([*steps, *left], [hold.lock for hold in recorder.held.values()])
    switches = set(decode(token).deviations) if token else set()
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
        "steps": _steps(steps, left, switches, names),
        "failed": failed,
    }


def _sentence(ending: Ending, failed: dict[str, Any] | None) -> str:
    if failed is not None and not failed["message"] and failed["text"]:
        return f"{ending.sentence}: {failed['text']}"
    cycle = ending.cycle
    if ending.kind == "deadlock" and len(cycle) > 1:
        return f"deadlock: {len(cycle)} {ending.nouns} wait for each other"
    return ending.sentence


def _that_matter(steps: Iterable[Step], left: list[Step]) -> Iterable[Step]:
    """Without accesses to what only one unit touched, or nobody changed while there were several."""
    touched: dict[object, set[int]] = {}
    written: set[object] = set()
    for step in [*steps, *left]:
        if step.variable is not None:
            touched.setdefault(step.variable, set()).add(step.unit)
            if step.write and not step.alone:
                written.add(step.variable)
    for step in steps:
        key = step.variable
        if key is None or (key in written and len(touched[key]) > 1):
            yield step


class _Names:
    """What locks are called: as in the source; `#2` is the second that is made at its place; else L1, L2 and so on."""

    def __init__(self, steps: list[Step], held: list[object]) -> None:
        places: dict[int, Place] = {}
        for thing in [*(step.thing for step in steps), *held]:
            if isinstance(thing, Place):
                places.setdefault(id(thing), thing)
        called = {key: (place.name, place.noun, place.made_at) for key, place in places.items()}
        several = Counter(called.values())
        same: Counter[tuple[str, str, str]] = Counter()
        self._names: dict[int, str] = {}
        nameless = 0
        for key, kind in called.items():
            name = kind[0]
            if not name:
                nameless += 1
                name = f"{kind[1][0].upper()}{nameless}"
            elif several[kind] > 1:
                same[kind] += 1
                name = f"{name}#{same[kind]}"
            self._names[key] = name

    def __getitem__(self, thing: object) -> str:
        if isinstance(thing, Unit):
            return short_name(thing.name)
        return self._names.get(id(thing)) or describe(thing)


def short_name(unit: str) -> str:
    """A name without the function that Python adds to those that it gives itself."""
    found = _GIVEN.fullmatch(unit)
    return found[1] if found is not None else unit


def _thing(thing: object, names: _Names) -> dict[str, str] | None:
    if thing is None:
        return None
    if isinstance(thing, Place):
        return {"kind": thing.noun, "name": names[thing], "made_at": thing.made_at}
    return {"kind": "unit" if isinstance(thing, Unit) else "other", "name": names[thing], "made_at": ""}


def _blocked(step: Step, recorder: Recorder, names: _Names) -> dict[str, Any]:
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


def _steps(
    steps: list[Step], left: list[Step], switches: set[tuple[int, int]], names: _Names
) -> list[dict[str, Any]]:
    # A unit that goes on after another was chosen in its place was switched at the point that it goes on from.
    following: dict[int, tuple[int, int]] = {step.unit: (step.unit, step.number) for step in left}
    found: list[dict[str, Any]] = []
    after: Step | None = None
    switched: list[bool] = []
    for step in reversed(steps):
        switched.append(
            after is not None and after.unit != step.unit and following.get(step.unit) in switches
        )
        following[step.unit] = (step.unit, step.number)
        after = step
    switched.reverse()
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
                "switched": place > 0 and switched[place - 1],
            }
        )
    return found


def _comment(step: Step, names: _Names) -> str:
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
