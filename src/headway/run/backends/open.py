"""Opens the backend that `on=` names."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, NamedTuple, cast

from headway.errors import MissingExtra, UsageError
from headway.run.backends.contract import Backend, Setup
from headway.run.number import is_whole

if TYPE_CHECKING:
    from headway.run.backends.executor import Submits

__all__ = ["NAMES", "check", "is_known", "names_like", "open_backend"]


class _Place(NamedTuple):
    """Where a backend is, and what it needs that may not be installed."""

    module: str
    cls: str
    needs: tuple[str, ...] = ()
    extra: str = ""


_PLACES = {
    "serial": _Place("serial", "Serial"),
    "threads": _Place("threads", "Threads"),
    "processes": _Place("processes", "Processes"),
    "interpreters": _Place("interpreters", "Interpreters"),
    "asyncio": _Place("event_loop", "Asyncio"),
    "greenlets": _Place("greenlets", "Greenlets", ("gevent",), "greenlets"),
    "dask": _Place("dask_cluster", "Dask", ("dask", "distributed"), "dask"),
    "ray": _Place("ray_cluster", "Ray", ("ray",), "ray"),
}
NAMES = tuple(_PLACES)
"""What `open_backend` opens by name; none of them is imported before."""

_SCHEMES = {"dask": "dask", "tcp": "dask", "tls": "dask", "ray": "ray"}
"""Of URLs: whose cluster it is. `tcp` and `tls` are what Dask's scheduler prints as its address."""


def open_backend(on: str | Submits | Backend, workers: int | None = None, setup: Setup = Setup()) -> Backend:
    """Open a backend.

    Args:
        on: One of `NAMES`; the URL of a cluster, such as `dask://host:8786`, `tcp://host:8786` or
            `ray://host:10001`; any executor that speaks PEP 3148; or a backend, which is returned as it is.
        workers: How many calls may run at a time; None is what suits the backend.
        setup: How workers are made.
    Raises:
        UsageError: There is no such backend.
        MissingExtra: It needs a package that is not installed, or a newer Python.
    """
    check(on)
    if isinstance(on, Backend):
        return on
    if not isinstance(on, str):
        from headway.run.backends.executor import borrow

        return borrow(on, workers, setup)
    scheme, _, rest = on.partition("://")
    if rest:
        return _open(_SCHEMES[scheme], workers, setup, f"tcp://{rest}" if scheme == "dask" else on)
    return _open(on, workers, setup, None)


def check(on: object) -> None:
    """Find out whether a backend can be meant, without opening it.

    Raises:
        UsageError: There is no such backend, or it cannot be here.
    """
    if isinstance(on, Backend):
        return
    if not isinstance(on, str):
        # A class would pass for its instance.
        if isinstance(on, type) or not callable(getattr(on, "submit", None)):
            raise UsageError(
                f"on={on!r} is neither a name nor a URL nor an executor",
                hint=f"workers={on}" if is_whole(on) else f"{names_like('')}; or an executor",
            )
        return
    if not is_known(on):
        raise UsageError(f"there is no backend {on!r}", hint=f"{names_like(on)}; or an executor")
    if on == "processes" and sys.platform != "linux":
        raise UsageError(
            "on='processes' needs Linux", hint="on=concurrent.futures.ProcessPoolExecutor() works here"
        )


def is_known(on: str) -> bool:
    """Whether it is the name of a backend, or the URL of a cluster."""
    scheme, _, rest = on.partition("://")
    return (bool(rest) and scheme in _SCHEMES) or on in _PLACES


def names_like(on: str) -> str:
    """For a hint: what an unknown name may be meant to be, and all names that there are."""
    import difflib  # only for who has mistaken a name

    known = f"one of auto, {', '.join(NAMES)}, dask://HOST:PORT or ray://HOST:PORT"
    close = difflib.get_close_matches(on.partition("://")[0], ["auto", *NAMES], n=1)
    return f"did you mean {close[0]!r}? It is {known}" if close else f"it is {known}"


def _open(name: str, workers: int | None, setup: Setup, address: str | None) -> Backend:
    place = _PLACES[name]
    try:
        module = importlib.import_module(f"headway.run.backends.{place.module}")
    except ModuleNotFoundError as error:
        # Not when a package is there and broken: what is missing then is for the reader to see.
        if error.name not in place.needs:
            raise
        raise MissingExtra(
            f"on={name!r} needs the package {error.name}, which is not installed",
            hint=f"pip install 'headway[{place.extra}]'",
        ) from error
    cls = getattr(module, place.cls)
    backend = cls(workers, setup) if address is None else cls(workers, setup, address=address)
    return cast("Backend", backend)
