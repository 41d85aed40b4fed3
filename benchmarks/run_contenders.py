"""Who takes part in `run.py`: the libraries, and their settings on each workload."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from run_sessions import (
    Open,
    Session,
    dask_cluster,
    futures_processes,
    futures_threads,
    headway_map,
    joblib_parallel,
    loky_executor,
    mp_pool,
    mp_pool_eager,
    mp_threads,
    mpire_pool,
    pebble_processes,
    pebble_threads,
    plain_loop,
    ray_cluster,
)
from run_workloads import CORES, WORKS, tiny

PEERS = {
    "concurrent.futures": "",
    "multiprocessing": "",
    "joblib": "joblib",
    "loky": "loky",
    "mpire": "mpire",
    "pebble": "pebble",
    "dask": "distributed",
    "ray": "ray",
}
"""The libraries, and what must be installed for each."""


class Contender(NamedTuple):
    """One library in one setting."""

    name: str
    peer: str
    """Of `PEERS`; "" for the plain loop and "headway"."""
    open: Open


def contenders(row: str) -> list[Contender]:
    """Those of one workload; "at its best" only where that differs from the default."""
    work = WORKS[row]
    chunked = f"chunk {work.chunk}"
    many = work.threads > CORES
    threads = f"{work.threads} threads"
    found = [] if row in ("cold", "trip", "kill") else [Contender("serial", "", plain_loop)]
    found.append(Contender("headway", "headway", headway_map("auto")))
    for on in work.pinned:
        found.append(Contender(f"headway {on}", "headway", headway_map(on)))
        if many:
            found.append(Contender(f"headway {on}, {threads}", "headway", headway_map(on, many=True)))

    def add(name: str, peer: str, make: Callable[[bool], Open], best: str | None) -> None:
        found.append(Contender(name, peer, make(False)))
        if best:
            found.append(Contender(f"{name}, {best}", peer, make(True)))

    if "threads" in work.kinds:
        best = threads if many else None
        add("futures threads", "concurrent.futures", futures_threads, best)
        both = best or (chunked if work.chunk else None)
        add("mp ThreadPool.imap", "multiprocessing", mp_threads, both)
        add("joblib threading", "joblib", lambda b: joblib_parallel("threading", b), both)
        add("mpire threading", "mpire", lambda b: mpire_pool("threading", b), both)
        add("pebble threads", "pebble", pebble_threads, both)
        if "processes" not in work.kinds:
            add("dask threads", "dask", lambda b: dask_cluster(False, b), threads)
            add("ray", "ray", lambda b: ray_cluster(b, waiting=True), f"actor, {threads}")
    if "processes" in work.kinds:
        best = chunked if work.chunk else None
        forks = row != "cold"
        if forks:
            add("futures fork", "concurrent.futures", lambda b: futures_processes("fork", b), best)
        if not forks or best is None:
            add("futures spawn", "concurrent.futures", lambda b: futures_processes("spawn", b), None)
        add("futures forkserver", "concurrent.futures", lambda b: futures_processes("forkserver", b), best)
        start = "fork" if forks else "spawn"
        add(f"mp Pool.imap {start}", "multiprocessing", lambda b: mp_pool(start, b), best)
        if best:
            found.append(Contender("mp Pool.map, eager", "multiprocessing", mp_pool_eager))
        add("joblib loky", "joblib", lambda b: joblib_parallel("loky", b), best)
        add("loky", "loky", loky_executor, best)
        add(f"mpire {start}", "mpire", lambda b: mpire_pool(start, b), best)
        add(f"pebble {start}", "pebble", lambda b: pebble_processes(start, b), best)
        kill = row == "kill"
        dask_best = "allowed-failures 0" if kill else f"bag, {chunked}" if work.chunk else None
        add("dask processes", "dask", lambda b: dask_cluster(True, b), dask_best)
        ray_best = "max_retries 0" if kill else f"Pool.imap, {chunked}" if work.chunk else None
        add("ray", "ray", ray_cluster, ray_best)
    return found


def warm(session: Session) -> None:
    """Have every worker make a call."""
    if list(session.map(tiny, range(4 * CORES))) != list(range(1, 4 * CORES + 1)):
        raise RuntimeError("the workers do not work")
