"""Numbers for people: a unit and three digits."""

from __future__ import annotations

_UNITS = (("s", 1_000_000_000), ("ms", 1_000_000), ("µs", 1_000))


def duration(ns: int) -> str:
    """A duration: `1.23 s`, `45.6 ms`, `789 µs`, `12 ns`; `0 s`; minutes from ten minutes on."""
    if ns == 0:
        return "0 s"
    if ns < 0:
        return "-" + duration(-ns)
    if ns >= 600_000_000_000:
        minutes = round(ns / 60e9)
        return f"{minutes} min" if minutes < 600 else f"{digits(ns / 3600e9)} h"
    for name, size in _UNITS:
        # 999.5 of a unit would be written as 1000 of it
        if ns >= 0.9995 * size:
            return f"{digits(ns / size)} {name}"
    return f"{ns} ns"


def digits(value: float) -> str:
    """Three digits of a positive number below a million or so."""
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def percent(part: float, whole: float) -> str:
    """A share: `62 %`, `3.4 %`, `<0.1 %`."""
    share = 100 * part / whole if whole > 0 else 0.0
    if share == 0:
        return "0 %"
    if share < 0.1:
        return "<0.1 %"
    return f"{share:.0f} %" if share >= 9.95 else f"{share:.1f} %"


def count(number: int, noun: str) -> str:
    """A number with its noun: `1 thread`, `12,345 threads`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"
