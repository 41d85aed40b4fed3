"""Bounds: how long a turn is, when turns are given fairly, and after how many steps there is no end."""

__all__ = [
    "FAIR_TURN",
    "FIRST_STEPS",
    "FREE_STEPS",
    "IDLE_ROUNDS",
    "MANY_SWITCHES",
    "MOST_STEPS",
    "SPIN",
    "TICK_NS",
    "TURN",
]

SPIN = 500
"""Points that a unit passes without a switch before others get a turn."""
FAIR_TURN = 50
"""The same, when turns are given fairly."""
MANY_SWITCHES = 256
"""Switches after which the turn of a unit ends at its next point. A turn begins anew with each switch: without this,
units that take turns as the strategy likes would poll for ever, and no clock would go on, nor an end be seen."""
FREE_STEPS = 10_000
"""Points of all units after which turns are given fairly, and no longer as the strategy likes."""
MOST_STEPS = 50_000
"""Points after which a program whose turns were fair makes no progress, unless it is known to take more."""
IDLE_ROUNDS = 60
"""Times that units offer their turn, and nobody changes anything, before time goes on."""
TURN = 8
"""Points that a turn of a task counts for, which runs from one `await` to the next."""
TICK_NS = 1_000_000
"""What the clock goes on by for a program that spins until it shows a later time."""
FIRST_STEPS = 500_000
"""Points of the first execution after which it is taken for one that does not end."""
