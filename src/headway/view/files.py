"""Writes pages so that nobody but their owner can read them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from headway.errors import UsageError


def write_private(file: Path, text: str) -> None:
    """Write a file whole, by rename, with mode 0600.

    Raises:
        UsageError: It cannot be written; what was there before is still there.
    """
    try:
        # Subtle: a pipe or a device, such as /dev/stdout, is written to, and not replaced.
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
            return
        number, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # which makes it 0600
        try:
            with os.fdopen(number, "w", encoding="utf-8") as out:
                out.write(text)
            os.replace(name, file)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        raise UsageError(
            f"{file}: cannot write the page: {error.strerror or error}", hint="name another with -o FILE.html"
        ) from error


def temporary_file(name: str) -> Path:
    """A new file of nobody else's for a page, in the directory for temporary files."""
    number, path = tempfile.mkstemp(prefix=f"headway-{name}-", suffix=".html")
    os.close(number)
    return Path(path)
