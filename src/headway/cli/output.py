"""What `headway map` writes to stdout: whole lines, none of them twice, and none lost to Ctrl-C."""

from __future__ import annotations

import os
import select
import signal
import sys
from types import FrameType, TracebackType

from headway.errors import HeadwayError

__all__ = ["Output"]

_PIECE = 4096
"""PIPE_BUF: when a pipe is ready for writing, so much does not block."""


class Output:
    """Holds lines until `flush`, and keeps Ctrl-C from coming between a result and its line.

    As a context: between `hold` and `flush` an interrupt is put off to the end of `flush`, unless stdout does
    not take anything; a second one is not put off.
    """

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._rest = memoryview(b"")
        self._poll = select.poll()
        self._poll.register(1, select.POLLOUT)
        self._held = False
        self._interrupted = False
        self._before: object = None

    def __enter__(self) -> Output:
        # Subtle: where the shell lets a job ignore Ctrl-C it stays so.
        self._before = signal.getsignal(signal.SIGINT)
        if self._before is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._on_interrupt)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not isinstance(error, BrokenPipeError):
                self.flush()
        finally:
            if self._before is signal.default_int_handler:
                signal.signal(signal.SIGINT, signal.default_int_handler)

    def _on_interrupt(self, signum: int, frame: FrameType | None) -> None:
        if self._held and not self._interrupted:
            self._interrupted = True
        else:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """Results have come, and are about to be added."""
        self._held = True

    def add(self, line: bytes) -> None:
        """Take a line, with its end."""
        self._lines.append(line)

    def flush(self) -> None:
        """Write all lines that were added, after what the function has printed.

        Raises:
            BrokenPipeError: Nobody reads stdout any more.
            KeyboardInterrupt: It was put off till now.
        """
        self._held = True
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
            self._rest = memoryview(bytes(self._rest) + b"".join(self._lines))
            self._lines.clear()
            while self._rest:
                self._held = False
                if self._interrupted:
                    break
                # Here it may be interrupted, and nothing is lost: `__exit__` tries again.
                self._poll.poll()
                self._held = True
                self._rest = self._rest[os.write(1, self._rest[:_PIECE]) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            failure = HeadwayError(f"cannot write to stdout: {error.strerror}")
            failure.exit_status = 1
            raise failure from error
        self._held = False
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt
