"""Handovers: where CPython with the GIL hands it over, as seen while a scenario runs."""
