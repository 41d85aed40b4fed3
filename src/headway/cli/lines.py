"""The lines that `headway map` reads: from stdin, or from files."""

from __future__ import annotations

import bisect
import os
import stat
import sys
from collections.abc import Iterator, Sequence

from headway.errors import HeadwayError, UsageError
from headway.run.line import Line

__all__ = ["Lines"]

_CHUNK = 1 << 16


class Lines:
    """Lines with their numbers, each as soon as it is there. Any thread may read them, once.

    Args:
        files: Their names; `-` is stdin, and so is none at all.
        separator: Ends a line: a newline or NUL.
        skip_blank: Leave out lines of white space only; they count nevertheless.

    Raises:
        UsageError: A file cannot be read.
    """

    def __init__(self, files: Sequence[str], *, separator: bytes, skip_blank: bool) -> None:
        self._separator = separator
        self._skip_blank = skip_blank
        self._names = files or ["-"]
        for name in self._names:
            _check(name)
        self._stdin = _take_stdin() if "-" in self._names else -1
        self._begins: list[int] = []  # of each file that was opened: how many lines came before it
        self.slow = any(not _is_regular(name, self._stdin) for name in self._names)
        """Whether the next line may take long to come, as through a pipe."""

    def __iter__(self) -> Iterator[Line]:
        number = 0
        for name in self._names:
            self._begins.append(number)
            for line in self._read(name):
                number += 1
                if not (self._skip_blank and not line.strip()):
                    yield number, line

    def where(self, number: int) -> str:
        """Say where a line is: `line 3`, or `file:3` if files were named."""
        index = bisect.bisect_left(self._begins, number) - 1
        name = self._names[index]
        return (
            f"line {number}"
            if name == "-" and len(self._names) == 1
            else f"{name}:{number - self._begins[index]}"
        )

    def _read(self, name: str) -> Iterator[bytes]:
        # No file object: the interpreter cannot end while a daemon thread waits inside that of stdin.
        fd = self._stdin
        try:
            if name != "-":
                fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
            begun: list[bytes] = []
            while chunk := os.read(fd, _CHUNK):
                first, *others = chunk.split(self._separator)
                begun.append(first)
                if others:
                    yield b"".join(begun)
                    yield from others[:-1]
                    begun = others[-1:]
            if last := b"".join(begun):
                yield last
        except OSError as error:
            failure = HeadwayError(f"cannot read {'stdin' if name == '-' else name}: {error.strerror}")
            failure.exit_status = 1
            raise failure from error
        finally:
            if name != "-" and fd >= 0:
                os.close(fd)


def _check(name: str) -> None:
    if name == "-":
        return
    if os.path.isdir(name):
        raise UsageError(f"{name} is a directory", hint=f"find {name} -type f | headway map ...")
    if not os.path.exists(name):
        raise UsageError(f"no such file: {name}", hint=f"looked in {os.getcwd()}")
    if not os.access(name, os.R_OK):
        raise UsageError(f"cannot read {name}: permission denied")


def _take_stdin() -> int:
    """Move stdin elsewhere: what the function and its children read there must not be our lines. As xargs does."""
    try:
        taken = os.dup(0)
    except OSError:
        raise UsageError("stdin is closed", hint="pipe lines into it, or name a file: -a FILE") from None
    if os.isatty(taken) and sys.stderr is not None:
        sys.stderr.write("headway: reading lines from the terminal; Ctrl-D ends them\n")
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    return taken


def _is_regular(name: str, stdin: int) -> bool:
    return stat.S_ISREG((os.fstat(stdin) if name == "-" else os.stat(name)).st_mode)
