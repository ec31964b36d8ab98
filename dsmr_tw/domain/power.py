"""Responsible for the power of a reading as one value: what is delivered less what is returned, in W.

Few readings have both.  Such a one is a number beyond all powers, which holds the two; in SQLite it may be a text that
says them, ``"DELIVERED,RETURNED"``.

Tests: ``tests/domain/test_power.py``
"""

from __future__ import annotations

from typing import Final

BOTH: Final = 1 << 62
"""A number from here on holds two powers."""

BITS: Final = 31
BASE: Final = 1 << BITS - 1
"""Each of the two lies this much higher in the number, so that it may be negative."""


def together(delivered: int, returned: int) -> int:
    """Both as one number.

    Raises: ``ValueError`` when one of them is more than a GW.
    """
    if delivered < 0 or returned < 0 or (delivered and returned):
        if not -BASE <= delivered < BASE or not -BASE <= returned < BASE:
            raise ValueError(f"power of {delivered} W and {returned} W can't be stored")
        return BOTH | delivered + BASE << BITS | returned + BASE
    return delivered - returned


def apart(power: int | str) -> tuple[int, int]:
    """Power delivered and returned, of either form."""
    if isinstance(power, str):
        delivered, returned = power.split(",")
        return int(delivered), int(returned)
    if power >= BOTH:
        return (power - BOTH >> BITS) - BASE, (power & (1 << BITS) - 1) - BASE
    return max(0, power), max(0, -power)


def net_power(power: int | str) -> int:
    """What is delivered less what is returned, of either form."""
    if isinstance(power, int) and power < BOTH:
        return power
    delivered, returned = apart(power)
    return delivered - returned
