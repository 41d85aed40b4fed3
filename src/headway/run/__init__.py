"""Run concurrent work: maps, executors, scopes and pipelines on any backend."""
