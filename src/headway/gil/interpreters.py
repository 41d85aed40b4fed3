"""The Python interpreters of this machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["installed"]

_NAME = re.compile(r"(python|pypy|graalpy)(\d(\.\d+)?t?)?|jython(\d(\.\d+)*)?|ipy(\d+)?")
_ENVIRONMENTS = (
    ("PYENV_ROOT", "~/.pyenv", "versions/*/bin/python"),
    ("UV_PYTHON_INSTALL_DIR", "~/.local/share/uv/python", "*/bin/python3"),
)
"""Where tools that install Pythons put them: an environment variable, its usual value, and what lies below."""


def installed() -> list[Path]:
    """What is found on PATH and where pyenv and uv put interpreters, each once; the one that runs this comes first.

    Virtual environments, and all names of one interpreter, count as that interpreter. What a name does when it is
    called is not known before: pyenv's are scripts.
    """
    seen: dict[Path, Path] = {}
    for found in (Path(sys.executable), *_on_path(), *_below()):
        if os.access(found, os.X_OK) and found.is_file():
            seen.setdefault(found.resolve(), found)
    return list(seen.values())


def _on_path() -> Iterator[Path]:
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield from sorted(_in_folder(Path(folder or ".")))


def _in_folder(folder: Path) -> Iterable[Path]:
    if folder.name == "shims" and folder.parent.name == ".pyenv":
        return []  # they stand for what lies in `versions`
    try:
        return [found for found in folder.iterdir() if _NAME.fullmatch(found.name)]
    except OSError:
        return []


def _below() -> Iterator[Path]:
    for variable, usual, below in _ENVIRONMENTS:
        root = Path(os.environ.get(variable) or usual).expanduser()
        if root.is_dir():
            yield from sorted(root.glob(below), key=_by_version)


def _by_version(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(path))]
