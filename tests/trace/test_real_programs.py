"""Real servers and libraries under load: they answer and end as ever, and the report says what they did."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from headway.trace.report import as_dict
from observed import program_of
from tracing import PROGRAMS, Report, trace

pytestmark = [pytest.mark.native, pytest.mark.slow, pytest.mark.timeout(120)]

CLIENTS, ROUNDS = 4, 25
BAD = {"deadlock", "stuck", "leaked", "loop-blocked", "pool-starved"}
"""Findings that these servers give no reason for. Others depend on what else the machine does."""


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not for an installation without {', '.join(missing)}")


@contextmanager
def served(command: list[str], directory: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server under `headway trace`, and its address."""
    with subprocess.Popen(
        [sys.executable, "-m", "headway", "trace", "-o", str(directory), "--", sys.executable, *command],
        cwd=PROGRAMS / "servers",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if found := re.search(r"[Ll]istening at:? (http://[\d.:]+)", line):
                    yield found[1], process
                    break
            else:
                pytest.fail("the server did not start")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def load(address: str, pages: list[str]) -> Counter[str]:
    """Ask for the pages over and over, from several threads, and count the answers."""
    answers: Counter[str] = Counter()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(ROUNDS):
                for page in pages:
                    with urllib.request.urlopen(address + page, timeout=60) as answer:
                        answers[page] += answer.status == 200
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    return answers


def run(command: list[str], pages: list[str], directory: Path) -> Report:
    """Serve, load, and stop by SIGTERM, as a supervisor does; the report."""
    with served(command, directory) as (address, process):
        assert load(address, pages) == dict.fromkeys(pages, CLIENTS * ROUNDS)
        os.kill(program_of(process.pid), signal.SIGTERM)
        assert process.stdout is not None
        rest = process.stdout.read()  # also so that the pipe does not fill
        assert process.wait() == 0, rest
    report = as_dict(directory)
    assert not [one for one in report["findings"] if one["kind"] in BAD], report["findings"]
    assert report["exit"] == 0
    return report


def units(report: Report, kind: str) -> list[Report]:
    return [unit for unit in report["units"] if unit["kind"] == kind]


@needs("aiohttp")
def test_a_server_of_aiohttp(tmp_path: Path) -> None:
    report = run(["aiohttp_app.py"], ["/waits", "/computes", "/thread"], tmp_path / "trace")

    slept = sum(unit["states"]["waiting"]["sleep"] for unit in units(report, "task"))
    assert slept >= CLIENTS * ROUNDS * 0.005
    jobs = [unit for unit in units(report, "job") if unit["outcome"] == "done"]
    assert len(jobs) == CLIENTS * ROUNDS
    assert sum(unit["states"]["waiting"]["sleep"] for unit in jobs) >= CLIENTS * ROUNDS * 0.002


@needs("gunicorn", "flask")
def test_gunicorn_with_threads(tmp_path: Path) -> None:
    command = ["-m", "gunicorn", "flask_app:app", "--bind", "127.0.0.1:0"]
    command += ["--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket"]
    report = run(command, ["/waits", "/computes", "/locks"], tmp_path / "trace")

    master, *workers = units(report, "process")
    assert [worker["parent"] for worker in workers] == [master["id"]] * 2
    slept = sum(unit["states"]["waiting"]["sleep"] for unit in units(report, "thread"))
    assert slept >= CLIENTS * ROUNDS * 0.006
    # A connection is a job, or several, of the pool of its worker.
    assert len([unit for unit in units(report, "job") if unit["outcome"] == "done"]) >= CLIENTS * ROUNDS * 3


@needs("gunicorn", "django")
def test_django_on_gunicorn_with_threads(tmp_path: Path) -> None:
    command = ["-m", "gunicorn", "django_app:app", "--bind", "127.0.0.1:0"]
    command += ["--worker-class", "gthread", "--threads", "4", "--no-control-socket"]
    report = run(command, ["/waits", "/computes", "/locks", "/asks"], tmp_path / "trace")

    master, worker = units(report, "process")
    assert worker["parent"] == master["id"]
    slept = sum(unit["states"]["waiting"]["sleep"] for unit in units(report, "thread"))
    assert slept >= CLIENTS * ROUNDS * 0.006
    assert len([unit for unit in units(report, "job") if unit["outcome"] == "done"]) >= CLIENTS * ROUNDS * 4
    assert any("django_app.py" in (lock["made_at"] or "") for lock in report["locks"])


@needs("celery")
def test_a_worker_of_celery_with_threads(tmp_path: Path) -> None:
    directory, environment = tmp_path / "trace", {**os.environ, "CELERY_FOLDER": str(tmp_path)}
    command = [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "-P", "threads", "-c", "4"]
    with subprocess.Popen(
        [sys.executable, "-m", "headway", "trace", "-o", str(directory), "--", *command],
        cwd=PROGRAMS / "servers",
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            # The broker is a folder: what is sent before the worker is there waits for it.
            answer = subprocess.run(
                [sys.executable, "celery_app.py"],
                cwd=PROGRAMS / "servers",
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert answer.stdout == "570\n", answer.stderr
            os.kill(program_of(process.pid), signal.SIGTERM)
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait() == 0, said
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    report = as_dict(directory)

    assert not [one for one in report["findings"] if one["kind"] in BAD], report["findings"]
    jobs = [unit for unit in units(report, "job") if unit["outcome"] == "done"]
    assert len(jobs) == 60
    assert sum(unit["states"]["waiting"]["sleep"] for unit in jobs) >= 20 * 0.011


@needs("gevent")
def test_a_wsgi_server_of_gevent(tmp_path: Path) -> None:
    report = run(["gevent_app.py"], ["/waits", "/computes", "/asks"], tmp_path / "trace")

    waited = sum(
        unit["states"]["waiting"]["sleep"] for unit in units(report, "greenlet") if unit["role"] is None
    )
    assert waited >= CLIENTS * ROUNDS * 2 * 0.005
    assert len([unit for unit in units(report, "greenlet") if unit["role"] == "hub"]) >= 1


@needs("joblib")
def test_joblib_with_processes_of_loky_and_with_threads(tmp_path: Path) -> None:
    traced = trace("joblib_loky", tmp_path=tmp_path)

    assert traced.said > 0
    main, *others = traced.processes()
    assert len(others) >= 2
    assert not [one for one in traced.report["findings"] if one["kind"] in BAD], traced.report["findings"]
    assert main["states"]["running"]["python"] > 0
