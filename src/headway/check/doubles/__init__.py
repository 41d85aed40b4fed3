"""Doubles of `threading`, `queue` and `time`: the same behaviour, at points of the execution and on its clock."""
