"""Starts another Python in one of many ways: `spawns.py HOW`. Prints its exit status."""

import os
import subprocess
import sys

CHILD = [sys.executable, "-c", "import threading; threading.Thread(target=int).start(); raise SystemExit(3)"]


def spawned(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


how = sys.argv[1]
if how == "run":
    print(subprocess.run(CHILD).returncode)
elif how == "no_vfork":
    setattr(subprocess, "_USE_VFORK", False)  # noqa: B010 - documented, but final for type checkers
    print(subprocess.run(CHILD).returncode)
elif how == "preexec":
    print(subprocess.run(CHILD, preexec_fn=int).returncode)
elif how == "new_session":
    print(subprocess.run(CHILD, start_new_session=True, close_fds=False).returncode)
elif how == "posix_spawn":
    print(spawned(os.posix_spawn(CHILD[0], CHILD, os.environ)))
elif how == "posix_spawnp":
    print(spawned(os.posix_spawnp(CHILD[0], CHILD, os.environ)))
