"""Rewriting: points before the shared accesses of the user's own code, without tracing."""

from headway.check.rewriting.swap import Rewritten, rewritten

__all__ = ["Rewritten", "rewritten"]
