"""Concurrency for Python that you can trace: what every thread and process runs, and what it waits for."""

from headway.errors import (
    CannotObserve,
    HeadwayError,
    TraceNotFound,
    TraceTooNew,
    TraceUnreadable,
    UsageError,
)

__version__ = "0.1.0"

__all__ = [
    "CannotObserve",
    "HeadwayError",
    "TraceNotFound",
    "TraceTooNew",
    "TraceUnreadable",
    "UsageError",
    "__version__",
]
