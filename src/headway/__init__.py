"""Concurrency for Python that you can run, trace and check.

Run: `map`, `Executor`, `scope`, `pipeline`, `Channel`, `Limit`. Trace: the command `headway trace`, `record`,
`assert_no_findings`. Check: `explore`, `replay`, the mark `pytest.mark.headway`.
"""

from headway.errors import (
    CallError,
    Cancelled,
    CannotControl,
    CannotObserve,
    CannotSend,
    ChannelClosed,
    CheckError,
    FindingsFound,
    HeadwayError,
    HeadwayWarning,
    InitializerFailed,
    MissingExtra,
    RemoteError,
    ReplayDiverged,
    ScheduleFailure,
    TimedOut,
    TraceNotFound,
    TraceTooNew,
    TraceUnreadable,
    UsageError,
    WorkerDied,
    WouldBlock,
)

TYPE_CHECKING = False  # that of `typing`, which each worker process would import for it
if TYPE_CHECKING:
    from typing import Any

    from headway.check.explore import explore as explore
    from headway.check.explore import replay as replay
    from headway.check.verdict import Verdict as Verdict
    from headway.run.cancellation import cancelled as cancelled
    from headway.run.channel import Channel as Channel
    from headway.run.executor import Executor as Executor
    from headway.run.future import Future as Future
    from headway.run.limit import Limit as Limit
    from headway.run.mapping import map as map  # noqa: A004 (headway.map is meant to stand beside the built-in)
    from headway.run.pipeline import Pipeline as Pipeline
    from headway.run.pipeline import Step as Step
    from headway.run.pipeline import pipeline as pipeline
    from headway.run.pipeline import step as step
    from headway.run.report import Report as Report
    from headway.run.results import Results as Results
    from headway.run.retry import Retry as Retry
    from headway.run.scope import Scope as Scope
    from headway.run.scope import scope as scope
    from headway.run.scoped.job import Job as Job
    from headway.run.selection import receive_any as receive_any
    from headway.run.selection import receive_any_async as receive_any_async
    from headway.trace.block.recording import Recording as Recording
    from headway.trace.block.recording import assert_no_findings as assert_no_findings
    from headway.trace.block.recording import record as record

__version__ = "0.1.0"

# Loaded when first used, so that `import headway` costs next to nothing.
_LATER = {
    "Channel": "headway.run.channel",
    "Executor": "headway.run.executor",
    "Future": "headway.run.future",
    "Job": "headway.run.scoped.job",
    "Limit": "headway.run.limit",
    "Pipeline": "headway.run.pipeline",
    "Recording": "headway.trace.block.recording",
    "Report": "headway.run.report",
    "Results": "headway.run.results",
    "Retry": "headway.run.retry",
    "Scope": "headway.run.scope",
    "Step": "headway.run.pipeline",
    "Verdict": "headway.check.verdict",
    "assert_no_findings": "headway.trace.block.recording",
    "cancelled": "headway.run.cancellation",
    "explore": "headway.check.explore",
    "map": "headway.run.mapping",
    "pipeline": "headway.run.pipeline",
    "receive_any": "headway.run.selection",
    "receive_any_async": "headway.run.selection",
    "record": "headway.trace.block.recording",
    "replay": "headway.check.explore",
    "scope": "headway.run.scope",
    "step": "headway.run.pipeline",
}

__all__ = [
    "CallError",
    "Cancelled",
    "CannotControl",
    "CannotObserve",
    "CannotSend",
    "Channel",
    "ChannelClosed",
    "CheckError",
    "Executor",
    "FindingsFound",
    "Future",
    "HeadwayError",
    "HeadwayWarning",
    "InitializerFailed",
    "Job",
    "Limit",
    "MissingExtra",
    "Pipeline",
    "Recording",
    "RemoteError",
    "ReplayDiverged",
    "Report",
    "Results",
    "Retry",
    "ScheduleFailure",
    "Scope",
    "Step",
    "TimedOut",
    "TraceNotFound",
    "TraceTooNew",
    "TraceUnreadable",
    "UsageError",
    "Verdict",
    "WorkerDied",
    "WouldBlock",
    "__version__",
    "assert_no_findings",
    "cancelled",
    "explore",
    "map",
    "pipeline",
    "receive_any",
    "receive_any_async",
    "record",
    "replay",
    "scope",
    "step",
]


def __getattr__(name: str) -> "Any":
    import importlib

    if name not in _LATER:
        raise AttributeError(f"module 'headway' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
