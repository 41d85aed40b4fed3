"""Which scenarios a command line names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

from headway.errors import UsageError
from headway.target import Target

__all__ = ["Scenario", "find"]

_PREFIXES = ("check_", "scenario")


class Scenario(NamedTuple):
    """A function to be checked."""

    name: str
    """As it can be typed."""
    function: Callable[[], Any]


def find(text: str) -> list[Scenario]:
    """The scenarios that `module:function`, `file.py::function` or `file.py` stands for.

    Raises:
        UsageError: There is none of that name, or it cannot be told which are meant.
    """
    if text.endswith(".py"):
        return _in_file(text)
    place, mark, function = text.partition("::")
    if not mark:
        return [Scenario(text, Target.parse(text).load())]
    name = function.replace("::", ".")
    return [Scenario(text, Target.parse(f"{place}:{name}").load())]


def _in_file(path: str) -> list[Scenario]:
    module = Target.parse(f"{path}:scenario").load_module()
    own = {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, FunctionType)
        and value.__module__ == module.__name__
        and not name.startswith("_")
        and not _needs(value)
    }
    named = [name for name in own if name.startswith(_PREFIXES)]
    if not named and len(own) == 1:
        named = list(own)
    if not named:
        some = " or ".join(f"{path}::{name}" for name in list(own)[:3])
        raise UsageError(
            f"{path}: which function?",
            hint=some or "a scenario is a function without arguments; check_ begins its name",
        )
    return [Scenario(f"{path}::{name}", own[name]) for name in named]


def _needs(function: Callable[..., Any]) -> bool:
    """Does it need arguments?"""
    return any(
        parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        for parameter in inspect.signature(function).parameters.values()
    )
