"""Start a program under the tracer, wait for it, and leave a trace directory behind."""

import contextlib
import json
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from headway import __version__, _native
from headway.errors import CannotObserve, UsageError
from headway.trace.watch import EVERY_S, OnDeadlock, Watch

MANIFEST = "trace.json"
MANIFEST_VERSION = 1

BUFFER_MB = 64
STACK_THRESHOLD_US = 100

# The terminal sends these to the program, too: whether to stop is the program's decision.
IGNORED = (signal.SIGINT, signal.SIGQUIT)
# These are sent to one process, and whoever sent them knows only headway's.
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


@dataclass(frozen=True)
class Run:
    """A program that has run and ended."""

    directory: Path
    status: int
    """Exit status, or minus the number of the signal that ended it."""
    said: tuple[str, ...]
    """What went wrong with the trace itself; the report cannot know it."""


def launch(
    command: list[str],
    *,
    directory: Path | None = None,
    buffer_mb: int = BUFFER_MB,
    stack_threshold_us: int = STACK_THRESHOLD_US,
    on_deadlock: OnDeadlock = "report",
) -> Run:
    """Run a command under the tracer, and wait until it has ended.

    Its standard streams, working directory, signal dispositions and limits are the caller's own; its
    environment has four variables more. While it runs, SIGINT and SIGQUIT are left to it and SIGTERM, SIGHUP,
    SIGUSR1 and SIGUSR2 are passed on to it. Processes that it leaves behind go on writing to the trace.

    Args:
        command: A program, found as a shell would, and its arguments.
        directory: A directory that is empty or does not exist; None makes `.headway/trace-N` here, or a
            directory for temporary files if this one cannot be written.
        buffer_mb: Megabytes of timeline kept for each process.
        stack_threshold_us: Waits longer than this many microseconds have their Python stack recorded.
        on_deadlock: What to do when threads are found that wait for each other for ever: say it on stderr; say
            also what all threads do (`dump`); end the program by SIGABRT as well (`abort`).
    Raises:
        UsageError: There is no such command, or `directory` is in use. Nothing was run.
        CannotObserve: There is no tracer in this installation, or no place to write. Nothing was run.

    Runs on: the main thread, since signal handlers are set.
    Waits: until the program has ended, blocked in the kernel; once a second it looks at what hangs.
    """
    library = _preloadable(_native.library())
    executable = _find(command[0])
    where, made, notes = _make_directory(directory)
    manifest: dict[str, Any] = {
        "headway_trace": MANIFEST_VERSION,
        "headway_version": __version__,
        "command": command,
        "cwd": os.getcwd(),
        "pid": None,
        "start_ns": time.monotonic_ns(),
        "start_unix_s": time.time(),
        "cores": len(os.sched_getaffinity(0)),
        "end_ns": None,
        "exit": None,
        "cpu_s": None,
        "options": {"buffer_mb": buffer_mb, "stack_threshold_us": stack_threshold_us},
        "notes": notes,
        "seen": [],
    }
    environment = dict(os.environ)
    environment["LD_PRELOAD"] = _with_library(environment.get("LD_PRELOAD", ""), library)
    environment["HEADWAY_TRACE_DIR"] = str(where)
    environment["HEADWAY_BUFFER_MB"] = str(buffer_mb)
    environment["HEADWAY_STACK_US"] = str(stack_threshold_us)
    try:
        # Before the program, so that a place where nothing can be written is found out in time.
        _write_manifest(where, manifest)
    except OSError as error:
        _discard(where, made=made)
        raise CannotObserve(f"cannot write a trace in {where}: {error.strerror}") from error

    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    with _signals() as (mask, came):
        manifest["start_ns"], manifest["start_unix_s"] = time.monotonic_ns(), time.time()
        try:
            # Python ignores these two from its start; a program started by a shell would not find them
            # ignored.
            pid = os.posix_spawn(
                executable,
                command,
                environment,
                setsigmask=mask,
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        except OSError as error:
            _discard(where, made=made)
            raise UsageError(f"cannot run {command[0]}: {error.strerror}") from error
        # Who started us may ignore it, which the program inherits; the kernel would then keep no status.
        signal.signal(signal.SIGCHLD, _nothing)
        manifest["pid"] = pid
        said: list[str] = []
        _try_manifest(where, manifest, said)
        watch = Watch(where, pid, manifest["start_ns"], on_deadlock)
        _wait(pid, watch, came)
        manifest["end_ns"] = time.monotonic_ns()
        manifest["seen"] = watch.seen
    _, wait_status, usage = os.wait4(pid, 0)
    status = os.waitstatus_to_exitcode(wait_status)
    manifest["exit"] = status
    manifest["cpu_s"] = usage.ru_utime + usage.ru_stime
    if _is_full(where):
        notes.append(f"there is no space left in {where}: processes and records may be missing")
    elif not any(where.glob("*.hw")):
        notes.append(_why_nothing(executable))
    _try_manifest(where, manifest, said)
    return Run(where, status, tuple(said))


def end_like(status: int) -> int:
    """End as the program ended: return its exit status, or die of the signal that killed it.

    Args:
        status: As in `Run`.
    Returns:
        The exit status; after a signal only if this process survived it, and then 128 plus its number.
    """
    if status >= 0:
        return status
    import resource

    with contextlib.suppress(OSError, ValueError):
        # The program's own core file, if there is one, must not be overwritten by ours.
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, ValueError):
        signal.signal(-status, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
    os.kill(os.getpid(), -status)
    return 128 - status


def _nothing(signum: int, frame: FrameType | None) -> None:
    """Take a signal that is the program's to answer."""


@contextlib.contextmanager
def _signals() -> Iterator[tuple[set[signal.Signals], int]]:
    """Leave the terminal's signals to the program, and keep others until `_wait` takes them.

    Yields:
        The signal mask that was in force, for the program; and a descriptor that gives the numbers of the signals that
        came, a byte each.
    """
    kept = {signal.SIGCHLD: signal.getsignal(signal.SIGCHLD)}
    # Subtle: handlers, not SIG_IGN, for signals that we ignore. A program that is started gets the default
    # in place of a handler, but inherits SIG_IGN. What was already ignored (nohup, a background job) stays
    # so for both.
    for signum in (*IGNORED, *FORWARDED):
        if signal.getsignal(signum) != signal.SIG_IGN:
            kept[signum] = signal.signal(signum, _nothing)
    # Not sigtimedwait: where it was interrupted, by a stop and SIGCONT say, and its time is over then, CPython returns
    # what happened to be in memory as the signal (Modules/signalmodule.c, signal_sigtimedwait_impl).
    came, comes = os.pipe()
    os.set_blocking(comes, False)
    wakeup = signal.set_wakeup_fd(comes, warn_on_full_buffer=False)
    mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD, *FORWARDED})
    try:
        yield {signal.Signals(s) for s in mask}, came
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for signum, old in kept.items():
            signal.signal(signum, old)
        signal.set_wakeup_fd(wakeup)
        os.close(came)
        os.close(comes)


def _wait(pid: int, watch: Watch, came: int) -> None:
    """Wait until the process has ended, and pass on to it what is sent to us meanwhile; look at it now and then."""
    signals = select.poll()
    signals.register(came, select.POLLIN)
    # Subtle: WNOWAIT keeps the process's number taken as long as a signal may be sent to it.
    look_s = time.monotonic() + EVERY_S
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if not signals.poll(max(0.0, look_s - time.monotonic()) * 1000):
            watch.look()
            look_s = time.monotonic() + EVERY_S
            continue
        for signum in os.read(came, 4096):
            if signum in FORWARDED:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signum)


def _find(name: str) -> str:
    found = shutil.which(name)
    if found is not None:
        return found
    if os.sep in name and os.path.isdir(name):
        raise UsageError(f"{name} is a directory, not a command")
    if os.sep in name and os.path.exists(name):
        raise UsageError(f"{name} is not executable", hint=f"chmod +x {name}, or name its interpreter")
    raise UsageError(f"no such command: {name}")


def _with_library(preloaded: str, library: str) -> str:
    others = [entry for entry in preloaded.replace(" ", ":").split(":") if entry and entry != library]
    return ":".join([library, *others])


def _preloadable(library: Path) -> str:
    """Give a path of the library that LD_PRELOAD can hold.

    The loader splits LD_PRELOAD at spaces and colons and expands `$`; there is no way to quote them. A
    library at such a path is reached by a symbolic link in a private directory, which stays, since processes
    left behind may need it.
    """
    if not set(str(library)) & set(" :$\t\n"):
        return str(library)
    private = Path(tempfile.gettempdir()) / f"headway-{os.getuid()}"
    link = private / f"{zlib.crc32(os.fsencode(library)):08x}.so"
    try:
        private.mkdir(mode=0o700, exist_ok=True)
        found = private.lstat()
        # Someone else's directory, or one that others can write, could make us load their library.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
            raise CannotObserve(f"{private} is not a private directory of this user")
        if not link.is_symlink() or link.readlink() != library:
            link.unlink(missing_ok=True)
            link.symlink_to(library)
    except OSError as error:
        raise CannotObserve(
            f"the path of {library} has a character that LD_PRELOAD cannot hold, "
            f"and no link to it could be made in {private}: {error.strerror}",
            hint="install headway at a path without spaces and colons",
        ) from error
    return str(link)


def _make_directory(wanted: Path | None) -> tuple[Path, bool, list[str]]:
    """Make the directory of a trace.

    Returns:
        Its absolute path, whether it is new, and what must be said about it.
    """
    if wanted is not None:
        return *_make_named(wanted.absolute()), []
    try:
        return _make_numbered(Path.cwd()), True, []
    except OSError as error:
        here = f"the current directory cannot be written ({error.strerror})"
    try:
        where = Path(tempfile.mkdtemp(prefix="headway-trace-"))
    except OSError as error:
        raise CannotObserve(
            f"{here}, nor can {tempfile.gettempdir()} ({error.strerror})", hint="headway trace -o DIR"
        ) from error
    return where, True, [f"{here}: the trace is in {where}"]


def _make_named(where: Path) -> tuple[Path, bool]:
    new = not where.exists()
    try:
        where.mkdir(parents=True, exist_ok=True)
        names = os.listdir(where)
    except FileExistsError as error:
        raise UsageError(f"-o {where}: is a file, not a directory") from error
    except OSError as error:
        raise CannotObserve(f"-o {where}: cannot make it: {error.strerror}") from error
    if MANIFEST in names:
        raise UsageError(
            f"-o {where}: there is a trace already",
            hint=f"choose another directory, or remove it: rm -r {where}",
        )
    if names:
        raise UsageError(f"-o {where}: the directory is not empty", hint="choose one that does not exist yet")
    return where, new


def _make_numbered(parent: Path) -> Path:
    home = parent / ".headway"
    home.mkdir(exist_ok=True)
    ignore = home / ".gitignore"
    if not ignore.exists():
        ignore.write_text("# Traces, made by headway\n*\n", encoding="utf-8")
    taken = [int(name[6:]) for name in os.listdir(home) if name.startswith("trace-") and name[6:].isdecimal()]
    number = max(taken, default=0) + 1
    while True:
        where = home / f"trace-{number}"
        try:
            where.mkdir()
        except FileExistsError:
            number += 1
        else:
            return where


def _discard(where: Path, *, made: bool) -> None:
    """Remove what a trace that never began has left, and its directory if that was made for it."""
    for name in (MANIFEST, f"{MANIFEST}.new"):
        with contextlib.suppress(OSError):
            (where / name).unlink()
    if made:
        with contextlib.suppress(OSError):
            where.rmdir()


def _write_manifest(where: Path, manifest: dict[str, Any]) -> None:
    new = where / f"{MANIFEST}.new"
    new.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    new.replace(where / MANIFEST)


def _try_manifest(where: Path, manifest: dict[str, Any], said: list[str]) -> None:
    """Write the manifest again; the program runs, or has run, so a failure is said and nothing more."""
    try:
        try:
            _write_manifest(where, manifest)
        except OSError:
            # On a full disk there is no room for a second file, but in the blocks of the first one there is.
            with contextlib.suppress(OSError):
                (where / f"{MANIFEST}.new").unlink()
            text = json.dumps(manifest, indent=1) + "\n"
            with (where / MANIFEST).open("r+", encoding="utf-8") as file:
                file.write(text)
                file.truncate()
    except OSError as error:
        line = f"cannot write {where / MANIFEST}: {error.strerror}"
        if line not in said:
            said.append(line)


def _is_full(where: Path) -> bool:
    try:
        space = os.statvfs(where)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < 1 << 20


def _why_nothing(executable: str) -> str:
    """Say why no process of the program left a file, as far as that can be seen from outside."""
    try:
        mode = os.stat(executable).st_mode
    except OSError:
        mode = 0
    if mode & (stat.S_ISUID | stat.S_ISGID):
        why = "it is setuid or setgid, and the system does not let it load the tracer"
    else:
        why = "likely it is statically linked or uses another C library than glibc"
    return f"no process was recorded: {executable}: {why}"
