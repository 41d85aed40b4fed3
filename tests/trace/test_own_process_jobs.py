"""Jobs of headway's own processes: their time in the queue and on a worker against what the program measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracing import Report, Traced, states_s, trace

pytestmark = [pytest.mark.native, pytest.mark.known_time]


def jobs(traced: Traced, function: str | None = None) -> list[Report]:
    return [
        unit for unit in traced.report["units"] if unit["kind"] == "job" and function in (None, unit["name"])
    ]


SOURCE = """
import json, os, time
import headway
def naps(name):
    begun = time.monotonic()
    time.sleep(0.05)
    return {"name": name, "begun": begun, "ended": time.monotonic(), "pid": os.getpid()}
def tiny(x): return x
def fails(): raise KeyError
def dies(): os.kill(os.getpid(), 9)
def main():
    said = {}
    with headway.Executor("processes", workers=2) as executor:
        futures = []
        for name in ("one", "two", "three", "four"):
            said[name] = {"submitted": time.monotonic()}
            futures.append(executor.submit(naps, name))
        for future in futures:
            noted = future.result()
            said[noted.pop("name")].update(noted)
        executor.submit(fails).exception()
        executor.submit(dies).exception()
    assert sum(headway.map(tiny, range(2000), on="processes", workers=2)) == 1999000
    print(json.dumps(said))
if __name__ == "__main__":
    main()
"""


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    return trace(SOURCE, tmp_path=tmp_path_factory.mktemp("own"))


@pytest.mark.parametrize("at", range(4))
def test_a_job_shows_when_it_was_submitted_begun_and_ended_and_where(known: Traced, at: int) -> None:
    unit = jobs(known, "naps")[at]
    zero_s = json.loads((known.directory / "trace.json").read_text())["start_ns"] / 1e9
    start, begun, end = (unit[key] + zero_s for key in ("start_s", "begun_s", "end_s"))
    # What is sent to a worker that has something to do may be taken back: they need not begin in their order.
    measured = next(
        said for said in known.said.values() if begun <= said["begun"] + 1e-6 and said["ended"] <= end + 1e-6
    )

    assert measured["submitted"] <= start <= begun
    assert unit["run_s"] == pytest.approx(end - begun, abs=1e-5)
    assert unit["queue_s"] == pytest.approx(begun - start, abs=1e-5)
    assert unit["states"]["waiting"]["sleep"] >= 0.02
    worker = known.unit(unit["carrier"])
    assert (worker["kind"], worker["pid"]) == ("thread", measured["pid"])
    assert known.name(unit["parent"]) == "main"
    assert unit["created_at"].rsplit("/", 1)[1].startswith("prog.py:")


def test_the_states_of_a_job_add_up_to_its_life(known: Traced) -> None:
    for unit in jobs(known):
        assert abs(states_s(unit) - (unit["end_s"] - unit["start_s"])) < 1e-6


def test_outcomes_are_told(known: Traced) -> None:
    (fails,) = jobs(known, "fails")
    (dies,) = jobs(known, "dies")

    assert fails["outcome"] == "failed"
    assert (dies["outcome"], dies["begun_s"] is None) == (None, False)
    assert {unit["outcome"] for unit in jobs(known, "tiny")} == {"done"}


def test_a_pool_is_told_with_its_workers(known: Traced) -> None:
    ones = {
        row["name"]: next(pool for pool in known.report["pools"] if pool["id"] == row["pool"])
        for row in known.report["functions"]
    }

    assert ones["naps"] is ones["fails"] is ones["dies"] is not ones["tiny"]
    one = ones["naps"]
    assert (one["type"], one["kind"], one["size"]) == ("headway", "processes", 2)
    assert one["most_running"] in (1, 2)  # a process may come late
    assert (one["jobs"], one["begun"], one["ended"], one["failed"]) == (6, 6, 5, 1)
    assert (one["queued"], one["running"], one["not_told"]) == (0, 0, 0)
    assert 1 < ones["tiny"]["jobs"] < 2000  # batches


def test_what_a_program_audits_itself_is_left_alone(tmp_path: Path) -> None:
    traced = trace(
        """
import sys
heard = []
sys.addaudithook(lambda event, args: heard.append((event, args)) if event.startswith("headway") else None)
sys.audit("headway.flight", 1)
sys.audit("headway.flight", None, None, 1, "a", 3, 4)
sys.audit("headway.ends", 1, True)
sys.audit("headway")
print(heard)
""",
        tmp_path=tmp_path,
    )

    assert traced.status == 0
    assert "('headway.flight', (1,))" in traced.stdout
    assert jobs(traced) == []
