"""Makes a failing schedule smaller: the fewest deviations from the plain one that still fail in the same way.

Source: delta debugging, Zeller, Hildebrandt, "Simplifying and isolating failure-inducing input", IEEE TSE 2002.
Differs: what is left out is not the program's input but a switch; a switch that has become impossible is passed over,
and the schedule that is kept is the one that really ran.
"""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["beginning", "shrink"]

_now = time.monotonic
Deviations = dict[tuple[int, int], int]

MOST_TRIES = 300
MOST_SECONDS = 2.0


def beginning(deviations: Deviations, fails: Callable[[Deviations], Deviations | None]) -> Deviations:
    """As few of the first deviations as fail, about: 1, or 4, or 16, and so on.

    What does not end is mostly decided early; and it takes long to try as long as units take turns at each point.

    Args:
        deviations: Of a schedule that fails, in their order.
        fails: As of `shrink`.
    """
    items = list(deviations.items())
    count = 1
    while count < len(items):
        ran = fails(dict(items[:count]))
        if ran is not None and len(ran) < len(deviations):
            return ran
        count *= 4
    return deviations


def shrink(
    deviations: Deviations,
    fails: Callable[[Deviations], Deviations | None],
    most_seconds: float = MOST_SECONDS,
) -> Deviations:
    """The smallest that was found in a few hundred tries.

    Args:
        deviations: Of a schedule that fails.
        fails: Runs one, and gives the deviations that it really had if it fails in the same way, else None.
        most_seconds: After which the best so far will do.
    """
    best = deviations
    end = _now() + most_seconds
    tries = 0
    parts = 2
    while best and tries < MOST_TRIES and _now() < end:
        keys = sorted(best)
        size = max(1, len(keys) // parts)
        for start in range(0, len(keys), size):
            without = {key: best[key] for key in keys[:start] + keys[start + size :]}
            tries += 1
            ran = fails(without)
            if ran is not None and len(ran) < len(best):
                best = ran
                parts = max(2, parts - 1)
                break
            if tries >= MOST_TRIES or _now() >= end:
                break
        else:
            if size == 1:
                break
            parts = min(len(keys), parts * 2)
    return best
