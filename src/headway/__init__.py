"""Concurrency for Python that you can run and trace: maps and executors, and what every thread does and waits for."""

import importlib
from typing import TYPE_CHECKING, Any

from headway.errors import (
    CallError,
    CannotObserve,
    CannotSend,
    ChannelClosed,
    HeadwayError,
    InitializerFailed,
    MissingExtra,
    RemoteError,
    TimedOut,
    TraceNotFound,
    TraceTooNew,
    TraceUnreadable,
    UsageError,
    WorkerDied,
)

if TYPE_CHECKING:
    from headway.run.executor import Executor as Executor
    from headway.run.mapping import map as map  # noqa: A004 (headway.map is meant to stand beside the built-in)
    from headway.run.pipeline import Pipeline as Pipeline
    from headway.run.pipeline import Step as Step
    from headway.run.pipeline import pipeline as pipeline
    from headway.run.pipeline import step as step
    from headway.run.report import Report as Report
    from headway.run.results import Results as Results
    from headway.run.retry import Retry as Retry

__version__ = "0.1.0"

# Loaded when first used, so that `import headway` costs next to nothing.
_LATER = {
    "Executor": "headway.run.executor",
    "Pipeline": "headway.run.pipeline",
    "Report": "headway.run.report",
    "Results": "headway.run.results",
    "Retry": "headway.run.retry",
    "Step": "headway.run.pipeline",
    "map": "headway.run.mapping",
    "pipeline": "headway.run.pipeline",
    "step": "headway.run.pipeline",
}

__all__ = [
    "CallError",
    "CannotObserve",
    "CannotSend",
    "ChannelClosed",
    "Executor",
    "HeadwayError",
    "InitializerFailed",
    "MissingExtra",
    "Pipeline",
    "RemoteError",
    "Report",
    "Results",
    "Retry",
    "Step",
    "TimedOut",
    "TraceNotFound",
    "TraceTooNew",
    "TraceUnreadable",
    "UsageError",
    "WorkerDied",
    "__version__",
    "map",
    "pipeline",
    "step",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'headway' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
