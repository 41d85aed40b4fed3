"""The function that a command line names: `module:function` or `file.py:function`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from headway.errors import UsageError

__all__ = ["Target"]


class Target(NamedTuple):
    """Where a function is; the same in every process that has the same `sys.path`."""

    module: str
    path: str | None
    """Of the file, if the module is to be loaded from there; None if it is imported by name."""
    function: str
    """May have dots: `Class.method`."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read it as typed, and let its module be found: from the current directory, or from the file's.

        Raises:
            UsageError: It is not of this form, or there is no such file.
        """
        place, colon, function = text.rpartition(":")
        if not colon or not place or not function:
            raise UsageError(
                f"{text}: which function?",
                hint=f"{text.rstrip(':') or 'module'}:FUNCTION, such as os.path:basename or tools.py:shorten",
            )
        if not place.endswith(".py") and os.sep not in place:
            _put_first(os.getcwd())
            return cls(place, None, function)
        path = os.path.abspath(place)
        if not os.path.isfile(path):
            close = _close(os.path.basename(path), _files(os.path.dirname(path)))
            raise UsageError(f"no such file: {place}", hint=close or f"looked in {os.getcwd()}")
        return cls(*_make_importable(path), function)

    def load(self) -> Callable[..., Any]:
        """Import the module, and get the function.

        Raises:
            UsageError: There is none, it cannot be called, or the module's own code raised.
        """
        module = self._import()
        found: Any = module
        for name in self.function.split("."):
            if not hasattr(found, name):
                raise UsageError(
                    f"{self._place} has no function {self.function}",
                    hint=_close(name, (own for own in dir(found) if callable(getattr(found, own, None)))),
                )
            found = getattr(found, name)
        if not callable(found):
            raise UsageError(
                f"{self._place}:{self.function} is not a function: {type(found).__name__} cannot be called"
            )
        return found  # type: ignore[no-any-return]

    def load_module(self) -> Any:
        """Import the module.

        Raises:
            UsageError: There is none, or its own code raised.
        """
        return self._import()

    @property
    def _place(self) -> str:
        return self.module if self.path is None else os.path.basename(self.path)

    def _import(self) -> Any:
        try:
            if self.path is None:
                return importlib.import_module(self.module)
            return sys.modules.get(self.module) or _load(self.module, self.path)
        except ModuleNotFoundError as error:
            if self.path is None and error.name and f"{self.module}.".startswith(f"{error.name}."):
                raise UsageError(
                    f"no module named {error.name}",
                    hint=_close(error.name, _modules()) or f"looked in {os.getcwd()} and where Python looks",
                ) from error
            raise self._raised(error) from error
        except (Exception, SystemExit) as error:
            raise self._raised(error) from error

    def _raised(self, error: BaseException) -> UsageError:
        last, at = "", error.__traceback__
        while at is not None:
            file = at.tb_frame.f_code.co_filename
            if not file.startswith("<frozen") and file != __file__:
                last = f" ({os.path.relpath(file)}:{at.tb_lineno})"
            at = at.tb_next
        return UsageError(f"{self._place} cannot be imported: {type(error).__name__}: {error}{last}")


def _put_first(directory: str) -> None:
    # As `python -m` and `python file.py` do; -P and PYTHONSAFEPATH ask for the opposite.
    if not sys.flags.safe_path and directory not in sys.path[:1]:
        sys.path.insert(0, directory)


def _make_importable(path: str) -> tuple[str, str | None]:
    """Let a file and those beside it be imported, and say its module's name, and the path if that does not suffice."""
    import importlib.util

    directory, file = os.path.split(path)
    name = os.path.splitext(file)[0]
    if name in sys.modules or name in sys.stdlib_module_names:
        # First, it would come in the way of the module that has this name.
        sys.path.append(directory)
    else:
        _put_first(directory)
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
        if spec is not None and spec.origin is not None and os.path.samefile(spec.origin, path):
            return name, None
    return f"__headway_{name.replace('.', '_')}__", path


def _load(name: str, path: str) -> Any:
    import importlib.machinery
    import importlib.util

    # A loader, since the file may have another suffix than .py.
    loader = importlib.machinery.SourceFileLoader(name, path)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _close(name: str, names: Iterable[str]) -> str | None:
    import difflib

    close = difflib.get_close_matches(name, list(names), n=3)
    return f"did you mean {' or '.join(close)}?" if close else None


def _files(directory: str) -> list[str]:
    return (
        [name for name in os.listdir(directory) if name.endswith(".py")] if os.path.isdir(directory) else []
    )


def _modules() -> set[str]:
    import pkgutil

    return {module.name for module in pkgutil.iter_modules()} | set(sys.stdlib_module_names)
