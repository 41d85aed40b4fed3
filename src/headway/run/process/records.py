"""Log records and warnings on their way from a worker: they reach the parent's loggers and its warnings."""

from __future__ import annotations

import sys
from _pickle import dumps, loads

from headway.run.process import wire

TYPE_CHECKING = False  # of `typing`, which would cost every worker some milliseconds
if TYPE_CHECKING:
    import logging
    import types
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from typing import Any

    Text = str | tuple[str, int] | None  # a pattern is its text and its flags
    Filter = tuple[str, Text, str, str, Text, int]

__all__ = ["Forwarder", "filters_here", "hear_record", "hear_warning", "levels_here"]


# In the parent


def levels_here() -> dict[str, int] | None:
    """The levels of all loggers that have one, the root's as ""; None if nobody here logs."""
    logging = sys.modules.get("logging")
    if logging is None:
        return None
    root = logging.getLogger()
    levels = {"": root.level}
    for name, logger in list(root.manager.loggerDict.items()):
        level = getattr(logger, "level", 0)
        if level:
            levels[name] = level
    return levels


def filters_here() -> list[Filter]:
    """The warnings filters, their categories and patterns as text."""
    warnings = sys.modules.get("warnings")
    if warnings is None:
        return []

    def text(pattern: Any) -> Text:
        # Those that Python begins with have plain text, which is to be equal, and costs a worker no import of `re`.
        return pattern if pattern is None or isinstance(pattern, str) else (pattern.pattern, pattern.flags)

    return [
        (action, text(message), category.__module__, category.__qualname__, text(module), line)
        for action, message, category, module, line in warnings.filters
    ]


def hear_record(body: memoryview) -> None:
    """Give a worker's log record to the logger of its name."""
    import logging

    record = logging.makeLogRecord(loads(body))
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def hear_warning(body: memoryview, registry: dict[Any, Any]) -> None:
    """Show a worker's warning as if it had been raised here, once for all workers."""
    import warnings

    try:
        message, category, path, line = loads(body)
        warnings.warn_explicit(message, category, path, line, registry=registry)
    except Exception:  # made an error here, or unknown here; there is no caller to tell
        return


# In the worker


class Forwarder:
    """Sends log records and warnings to the parent, from whatever thread.

    Args:
        post: Sends a frame some time soon.
    """

    def __init__(self, post: Callable[[bytes], None]) -> None:
        self._post = post
        self._levels: dict[str, int] | None = None
        self._filters: list[Filter] = []
        self._set = -1
        self._handler: logging.Handler | None = None

    def set_up(self, levels: dict[str, int] | None, filters: list[Filter]) -> None:
        """Take over the parent's levels and filters."""
        import warnings

        self._levels = levels
        warnings.showwarning = self._show
        self._filters, self._set = filters, -1
        self.catch_up()
        if levels is not None:
            if "logging" in sys.modules:
                self._set_levels()
            else:
                sys.meta_path.insert(0, _Later("logging", self._set_levels))

    def catch_up(self) -> None:
        """Set the filters whose categories can be found by now; none is worth an import."""
        found = [one for one in self._filters if hasattr(sys.modules.get(one[2]), one[3])]
        if len(found) == self._set:
            return
        self._set = len(found)
        import warnings

        # All anew, in the parent's order: one that is found late may be an early one.
        warnings.resetwarnings()
        warnings.filters[:] = [  # type: ignore[index]
            (action, _pattern(message), getattr(sys.modules[module], name), _pattern(of), line)
            for action, message, module, name, of, line in found
        ]

    def _show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        *_: object,
        **__: object,
    ) -> None:
        thing = (message, category, filename, lineno)
        try:
            from headway.run.process.payload import dump

            (data, buffers), _by_value = dump(thing)
            if buffers:
                raise ValueError("too large")
        except Exception:
            data = dumps((f"{category.__name__}: {message}", UserWarning, filename, lineno), 5)
        self._post(wire.frame(wire.WARNING, 0, data))

    def _set_levels(self) -> None:
        import logging

        root = logging.getLogger()
        if self._handler is None:
            emit = self._emit

            class Forward(logging.Handler):
                def emit(self, record: logging.LogRecord) -> None:
                    emit(record)

            self._handler = Forward()
            root.addHandler(self._handler)
        for name, level in (self._levels or {}).items():
            logging.getLogger(name or None).setLevel(level)

    def _emit(self, record: logging.LogRecord) -> None:
        fields = dict(vars(record))
        assert self._handler is not None
        try:
            fields["msg"] = record.getMessage()
        except Exception:
            self._handler.handleError(record)
            return
        fields["args"] = None
        if record.exc_info:
            import logging

            fields["exc_text"] = record.exc_text or logging.Formatter().formatException(record.exc_info)
            fields["exc_info"] = None
        try:
            data = dumps(fields, 5)
        except Exception:
            simple = (int, float, str, bytes, bool, type(None))
            fields = {
                name: value if isinstance(value, simple) else repr(value) for name, value in fields.items()
            }
            data = dumps(fields, 5)
        self._post(wire.frame(wire.LOG, 0, data))


def _pattern(text: Text) -> Any:
    if text is None or isinstance(text, str):
        return text
    import re

    return re.compile(*text)


class _Later:
    """A finder that does something once a module has been imported, and is in nobody's way before."""

    def __init__(self, module: str, then: Callable[[], None]) -> None:
        self._module = module
        self._then = then

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name != self._module:
            return None
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        from importlib.util import find_spec

        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        run = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            run(module)
            self._then()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec
