"""The report's section on jobs: what each pool was given, how long that stood in its queue, and what it ran."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from headway.trace.figures import count, duration
from headway.trace.format import Kind, PoolKind
from headway.trace.interval import RUNNING
from headway.trace.jobs import Calls
from headway.trace.pools import Pool
from headway.trace.report.contents import Contents
from headway.trace.report.lanes import WORDS
from headway.trace.report.tables import cut, cut_name
from headway.trace.stacks import short_path

_POOLS = 6
_ROWS = 4
_NAME = 24
_DID = [kind for kind in Kind if Kind.PYTHON <= kind <= Kind.OTHER] + [RUNNING]


def jobs(contents: Contents, columns: int) -> Iterable[Text]:
    """The pools whose jobs ran for longest, with their functions."""
    pools = [pool for pool in contents.trace.pools if pool.jobs or pool.lost]
    for pool in pools[:_POOLS]:
        yield Text(cut(_head(contents, pool), columns))
        yield Text(cut(f"  {_times(pool)}", columns))
        mine = [calls for calls in contents.calls if calls.pool == pool.id]
        if mine:
            yield Text(
                f"  {'function':{_NAME}} {'jobs':>7} {'in queue':>8} {'ran':>8} {'longest':>8}  did", "dim"
            )
        for calls in mine[:_ROWS]:
            yield Text(_row(contents, calls, columns))
        if len(mine) > _ROWS:
            yield Text(f"  and {count(len(mine) - _ROWS, 'more function')}", "dim")
    if len(pools) > _POOLS:
        rest = pools[_POOLS:]
        yield Text(
            f"and {count(len(rest), 'more pool')} with {count(sum(pool.jobs for pool in rest), 'job')}", "dim"
        )


def _head(contents: Contents, pool: Pool) -> str:
    whose = f"{contents.trace.unit(pool.process).pid} " if len(contents.trace.processes) > 1 else ""
    of = f" of {pool.size}" if pool.size and pool.size != pool.workers else ""
    ends = [f"{getattr(pool, name):,} {name}" for name in ("failed", "cancelled", "dropped")]
    ends += [f"{pool.queued:,} still in the queue", f"{pool.running:,} still running"]
    ends += [
        f"{pool.begun - pool.ended - pool.running:,} ended with its worker",
        f"{pool.lost:,} more not told",
    ]
    noun = "process" if pool.kind is PoolKind.PROCESSES else "worker"
    told = ", ".join(text for text in ends if not text.startswith("0 "))
    return (
        f"{whose}{pool.title}: {count(pool.workers, noun)}{of}, {count(pool.jobs, 'job')}, "
        f"at most {pool.most_running} at once" + (f"; {told}" if told else "")
    )


def _times(pool: Pool) -> str:
    if not pool.begun:
        return "none has begun"
    queue = f"in the queue {duration(pool.queue_mean_ns)} ({duration(pool.longest_queue_ns)})"
    run = f", ran {duration(pool.run_mean_ns)} ({duration(pool.longest_run_ns)})" if pool.ended else ""
    return f"on average (at most): {queue}{run}"


def _row(contents: Contents, calls: Calls, columns: int) -> str:
    did = sorted(((int(calls.totals[kind]), kind) for kind in _DID if calls.totals[kind]), reverse=True)
    words = ", ".join(f"{WORDS[kind]} {duration(ns)}" for ns, kind in did[:2])
    queue = duration(calls.queue_ns) if calls.queue_known else "?"
    run, longest = (duration(ns) if calls.run_known else "?" for ns in (calls.run_ns, calls.longest_ns))
    row = (
        f"  {cut_name(calls.name, _NAME):{_NAME}} {calls.count:>7,} {queue:>8} "
        f"{run:>8} {longest:>8}  {words or '-'}"
    )
    if calls.function is not None and calls.function.line:
        place = f"  {short_path(calls.function.file, contents.trace.meta.cwd)}:{calls.function.line}"
        row += place if len(row + place) <= columns else ""
    return cut(row, columns)
