"""Every known bug is found, at each seed; nobody is accused wrongly; and what is found is found again by its token."""

import functools
import json
import os
import subprocess
import sys
from typing import NamedTuple

import pytest

from corpus import Program, programs
from headway import ScheduleFailure, explore, replay

SEEDS = [int(seed) for seed in os.environ.get("HEADWAY_SEEDS", "0").split(",")]
"""CI takes one on the oldest Python and another on the newest; the benchmark takes twenty."""

KINDS = {"failure": {"exception"}, "lost-wakeup": {"lost-wakeup", "deadlock"}}
"""What a program of a kind may be found to be. To lose a wake-up is to wait for ever, too."""

BUGGY = [program for program in programs() if program.kind != "ok"]
CORRECT = programs(kind="ok")


class Told(NamedTuple):
    """What is kept of a failure, which itself holds the objects of its execution; later tests would pay for them."""

    kind: str
    token: str
    cause: type[BaseException | None]


@functools.cache
def found(program: Program, seed: int) -> Told:
    with pytest.raises(ScheduleFailure) as caught:
        explore(program.load(), granularity=program.level, seed=seed)
    return Told(caught.value.kind, caught.value.token, type(caught.value.__cause__))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", BUGGY, ids=lambda program: program.name)
def test_a_bug_is_found_at_each_seed_and_replayed(program: Program) -> None:
    for seed in SEEDS:
        failure = found(program, seed)
        assert failure.kind in KINDS.get(program.kind, {program.kind})
        with pytest.raises(ScheduleFailure) as again:
            replay(program.load(), failure.token)
        assert again.value.kind == failure.kind
        assert type(again.value.__cause__) is failure.cause


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", CORRECT, ids=lambda program: program.name)
def test_a_correct_program_is_not_accused(program: Program) -> None:
    for seed in SEEDS:
        verdict = explore(program.load(), granularity=program.level, seed=seed, schedules=300)
        assert verdict.schedules == 300 or verdict.exhausted or verdict.seconds >= 10


AGAIN = """
import json, sys
from corpus import programs
from headway import ScheduleFailure, replay
known = {program.name: program for program in programs()}
for name, token, kind in json.load(sys.stdin):
    try:
        replay(known[name].load(), token)
        print(f"{name}: did not fail")
    except ScheduleFailure as failure:
        if failure.kind != kind:
            print(f"{name}: {failure.kind}")
    except Exception as error:
        print(f"{name}: {error!r}")
"""


@pytest.mark.timeout(300)
def test_tokens_replay_in_another_process() -> None:
    tokens = []
    for program in BUGGY:
        failure = found(program, SEEDS[0])
        tokens.append((program.name, failure.token, failure.kind))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"}
    ran = subprocess.run(
        [sys.executable, "-c", AGAIN],
        input=json.dumps(tokens),
        capture_output=True,
        text=True,
        env=environment,
    )
    assert (ran.stdout, ran.stderr) == ("", "")
