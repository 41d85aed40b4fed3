"""Where there is no GIL of CPython's kind, it is said to be unknown; what is still exact is shown."""

import shutil
import sys

import pytest

from headway.trace.report import as_dict
from tracing import Traced, run, source_file

pytestmark = [
    pytest.mark.native,
    pytest.mark.skipif(sys.version_info >= (3, 12), reason="not for every Python: what is traced is PyPy"),
    pytest.mark.skipif(shutil.which("pypy3") is None, reason="there is no pypy3 (apt-get install pypy3)"),
]

PROGRAM = """
    import threading, time
    def work():
        time.sleep(0.1)
        sum(range(1_000_000))
    threads = [threading.Thread(target=work) for _ in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    print("done")
"""


@pytest.fixture(scope="module")
def pypy(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    tmp_path = tmp_path_factory.mktemp("pypy")
    path, directory = source_file(PROGRAM, tmp_path), tmp_path / "trace"
    ended = run(
        [sys.executable, "-m", "headway", "trace", "-o", directory, "--", "pypy3", path], cwd=tmp_path
    )
    return Traced(directory, ended.returncode, ended.stdout, ended.stderr, as_dict(directory))


def test_pypy_runs_as_it_does_without_the_tracer(pypy: Traced) -> None:
    assert (pypy.status, pypy.stdout) == (0, "done\n")


def test_the_gil_of_pypy_is_unknown_and_never_zero(pypy: Traced) -> None:
    assert pypy.report["gil"] is None
    assert pypy.report["gils"] == []
    for thread in pypy.threads():
        assert thread["gil_held_s"] is None
        assert "gil" not in thread["states"]["ready"]
        assert "python" not in thread["states"]["running"]
    assert "GIL: held" not in pypy.stderr
    assert "GIL not seen" in pypy.stderr
    assert any("GIL cannot be seen" in note for note in pypy.report["notes"])


def test_what_pypy_threads_wait_for_is_shown(pypy: Traced) -> None:
    sleepers = [thread for thread in pypy.threads() if thread["states"]["waiting"]["sleep"] > 0.09]
    assert len(sleepers) == 3
