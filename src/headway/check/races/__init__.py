"""Races: accesses to one variable that nothing orders, at least one of them a write."""
