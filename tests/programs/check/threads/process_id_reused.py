"""A process is killed if it has not been reaped, while another thread reaps it, and its number is given away.

The killer sees that nobody has reaped the child; the reaper reaps it, and number 7 goes to a new process; the killer
kills number 7.
"""

import threading

KIND = "failure"
LEVEL = "access"
SOURCE = "bpo-38630, python/cpython#82811: Popen.send_signal and reused process ids; https://bugs.python.org/issue38630"


class System:
    def __init__(self) -> None:
        self.running = {7: "child"}
        self.killed: list[str] = []

    def reap(self, pid: int) -> None:
        self.running[pid] = "innocent"

    def kill(self, pid: int) -> None:
        self.killed.append(self.running[pid])


class Process:
    def __init__(self, system: System, pid: int) -> None:
        self.system = system
        self.pid = pid
        self.reaped = False

    def wait(self) -> None:
        self.reaped = True
        self.system.reap(self.pid)

    def terminate(self) -> None:
        if not self.reaped:
            self.system.kill(self.pid)


def scenario() -> None:
    system = System()
    process = Process(system, 7)
    threads = [threading.Thread(target=part) for part in (process.wait, process.terminate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "innocent" not in system.killed
