"""Responsible for a wire with a UART at its end: what a port hears that does not listen as the meter speaks."""

from __future__ import annotations

from dsmr_tw.domain.speed import LineSetting

UNITS = 460_800
"""Levels of the wire in a second: four for each bit of the fastest line."""


def wire(data: bytes, setting: LineSetting, inverted: bool = False) -> bytes:
    """The levels of a wire on which bytes go by, after a moment of rest and before another."""
    bit = UNITS // setting.baud
    rest = b"\1" * (20 * bit)
    levels = bytearray(rest)
    for byte in data:
        bits = [byte >> number & 1 for number in range(setting.bits)]
        if setting.parity == "E":
            bits.append(sum(bits) % 2)
        for level in (0, *bits, 1):
            levels += bytes([level]) * bit
    levels += rest
    return bytes(1 - level for level in levels) if inverted else bytes(levels)


def heard(levels: bytes, setting: LineSetting) -> bytes:
    """The bytes that a port makes of the levels; like Linux, it gives those on that look wrong as they are."""
    bit = UNITS // setting.baud
    places = [bit * number + bit // 2 for number in range(1, setting.bits + 1)]
    stop = bit // 2 + bit * (setting.bits + 1 + (setting.parity == "E"))
    got = bytearray()
    at = 0
    while (high := levels.find(1, at)) >= 0 and 0 <= (start := levels.find(0, high)) < len(levels) - stop:
        if levels[start + bit // 2]:
            # Too short to be the beginning of a byte.
            at = start + 1
            continue
        got.append(sum(levels[start + place] << number for number, place in enumerate(places)))
        at = start + stop
    return bytes(got)


def through(data: bytes, spoken: LineSetting, listened: LineSetting, inverted: bool = False) -> bytes:
    """What a port hears that listens in its own way."""
    return heard(wire(data, spoken, inverted), listened)
