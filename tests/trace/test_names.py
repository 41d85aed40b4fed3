"""What processes are called, from the commands that they were started with."""

import pytest

from headway.trace.model import _command_name

WORKER = "'worker 3 of headway'; import sys; sys.path[:] = ['/usr/lib', '']; from headway"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["/usr/bin/python3", "prog.py", "--fast"], "prog.py --fast"),
        (["python3.11", "-c", "print(1)"], "python -c print(1)"),
        (["/venv/bin/python", "-B", "-X", "utf8", "-c", WORKER], "worker 3 of headway"),
        (["python", "-c", WORKER[:40]], "worker 3 of headway"),  # the tracer cuts what is long
        (["python", "-c", "'text'.upper(); 1"], "python -c 'text'.upper(); 1"),
        (["python", "-c", "'it\\'s'; 1"], "python -c 'it\\'s'; 1"),
        (["python", "-c"], "python -c"),
        (["gcc", "-c", "'a'; b"], "gcc -c 'a'; b"),
        ([], "?"),
    ],
)
def test_a_process_is_called_what_its_command_is_known_by(command: list[str], name: str) -> None:
    assert _command_name(command) == name
