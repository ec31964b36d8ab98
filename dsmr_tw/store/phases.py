"""Responsible for what a reading says of power, and of the single phases, in two columns of its row.

Twelve plain columns would cost more than all else of a reading together, so powers, voltages and currents share one
number, as bytes:

- Power per phase is one signed value, delivered positive and returned negative, since a phase does one at a time.
- The first of the ``LAYOUTS`` that fits says how many bits each value has; its place among them is in the first four.
- What fits none (absent here and there, odd, huge) is a text that says it plainly, in thousandths:
  ``"164,17,;0,0,;232100,,;1000,0,"`` for powers delivered; powers returned; voltages; currents. Where a column can't
  be both, the text stands among the bytes behind a tag of its own.
- No phase at all is ``NULL``.

Layouts may be added at the end of the row; those that are there are what the readings of ten years were written with.

Tests: ``tests/store/test_phases.py``
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import frozen

from dsmr_tw.domain.reading import NO_PHASES, Phases

Packed: TypeAlias = bytes | str | None

Quantities: TypeAlias = tuple[Phases, Phases, Phases, Phases]
"""Powers delivered, powers returned, voltages, currents."""

NOTHING: Final[Quantities] = (NO_PHASES, NO_PHASES, NO_PHASES, NO_PHASES)

TAG_BITS: Final = 4
TAG: Final = (1 << TAG_BITS) - 1

AS_TEXT: Final = b"\x0f"
"""Before a text among bytes: the tag of no layout."""


@frozen
class Width:
    """How one value is written."""

    bits: int
    unit: int
    """It is a multiple of this many thousandths."""
    base: int = 0
    """The least that it can be, in thousandths."""


@frozen
class Layout:
    """How the values of one reading share a number."""

    cells: tuple[Width | None, ...]
    """Of net powers, voltages and currents, three each; ``None`` where the value is absent."""
    returned: bool = True
    """False: no power returned is printed, as in many a v2 POST."""


def _signed(bits: int) -> Width:
    """Whole W, returned or delivered."""
    return Width(bits, unit=1, base=-(1 << bits - 1))


def _three(power: Width, voltage: Width | None, current: Width | None, *, returned: bool = True) -> Layout:
    return Layout((power,) * 3 + (voltage,) * 3 + (current,) * 3, returned)


def _one(power: Width, voltage: Width | None, current: Width | None) -> Layout:
    return Layout((power, None, None, voltage, None, None, current, None, None))


HALF_VOLTS: Final = Width(8, unit=100, base=217_000)
"""dV from 217 V to 242.5 V: a healthy grid."""
FAIR_VOLTS: Final = Width(9, unit=100, base=205_000)
ANY_VOLTS: Final = Width(12, unit=100)

LAYOUTS: Final = (
    _three(_signed(11), HALF_VOLTS, Width(3, unit=1000)),  # 9 bytes: below 1 kW and 8 A
    _three(_signed(14), FAIR_VOLTS, Width(5, unit=1000)),  # 11 bytes: below 8 kW and 32 A
    _three(_signed(18), ANY_VOLTS, Width(9, unit=1000)),  # 16 bytes: whatever a connection can carry
    _three(_signed(15), ANY_VOLTS, Width(14, unit=10)),  # 16 bytes: hundredths of an ampere, as Belgians print them
    _three(_signed(15), None, Width(7, unit=1000)),  # 9 bytes: without voltages, as DSMR 4 prints
    _three(Width(17, unit=1), None, None, returned=False),  # 7 bytes: a v2 POST with powers delivered
    _one(_signed(15), ANY_VOLTS, Width(7, unit=1000)),  # 5 bytes
    _one(_signed(15), ANY_VOLTS, Width(14, unit=10)),  # 6 bytes
    _one(_signed(15), None, Width(7, unit=1000)),  # 4 bytes
)


def pack(quantities: Quantities) -> Packed:
    """The value of the column."""
    if quantities == NOTHING:
        return None
    delivered, returned, voltages, currents = quantities
    has_returned = returned != NO_PHASES
    net = _net(delivered, returned) if has_returned else delivered
    if net is not None:
        values = (*net, *voltages, *currents)
        for tag, layout in enumerate(LAYOUTS):
            if layout.returned is has_returned:
                packed = _number(tag, layout, values)
                if packed is not None:
                    return packed
    return ";".join(",".join("" if value is None else str(value) for value in phases) for phases in quantities)


def as_bytes(packed: Packed) -> bytes | None:
    """The same for a column that holds bytes only."""
    return AS_TEXT + packed.encode("ascii") if isinstance(packed, str) else packed


def unpack(packed: Packed) -> Quantities:
    """The quantities that ``pack`` was given."""
    if packed is None:
        return NOTHING
    if not isinstance(packed, str) and packed.startswith(AS_TEXT):
        packed = packed[len(AS_TEXT) :].decode("ascii")
    if isinstance(packed, str):
        delivered, returned, voltages, currents = map(_phases, packed.split(";"))
        return delivered, returned, voltages, currents
    number = int.from_bytes(packed, "little")
    layout = LAYOUTS[number & TAG]
    number >>= TAG_BITS
    values: list[int | None] = []
    for cell in layout.cells:
        if cell is None:
            values.append(None)
        else:
            values.append((number & (1 << cell.bits) - 1) * cell.unit + cell.base)
            number >>= cell.bits
    p1, p2, p3, v1, v2, v3, c1, c2, c3 = values
    if not layout.returned:
        return (p1, p2, p3), NO_PHASES, (v1, v2, v3), (c1, c2, c3)
    delivered = _part(p1, 1), _part(p2, 1), _part(p3, 1)
    returned = _part(p1, -1), _part(p2, -1), _part(p3, -1)
    return delivered, returned, (v1, v2, v3), (c1, c2, c3)


def pack_power(delivered: int, returned: int) -> int | str:
    """The power of all phases together, as ``power`` holds it: positive to the client, negative by the client."""
    if delivered < 0 or returned < 0 or (delivered and returned):
        return f"{delivered},{returned}"
    return delivered - returned


def _net(delivered: Phases, returned: Phases) -> Phases | None:
    """Delivered less returned; ``None`` where that would not tell both again."""
    net: list[int | None] = []
    for there, back in zip(delivered, returned, strict=True):
        if there is None or back is None:
            if there is not back:
                return None
            net.append(None)
        elif (there and back) or there < 0 or back < 0:
            return None
        else:
            net.append(there - back)
    l1, l2, l3 = net
    return l1, l2, l3


def _part(net: int | None, sign: int) -> int | None:
    """What flows in one direction."""
    return None if net is None else max(0, sign * net)


def _number(tag: int, layout: Layout, values: tuple[int | None, ...]) -> bytes | None:
    """The values in this layout; ``None`` when one does not fit."""
    number, shift = tag, TAG_BITS
    for cell, value in zip(layout.cells, values, strict=True):
        if cell is None and value is None:
            continue
        if cell is None or value is None:
            return None
        steps, rest = divmod(value - cell.base, cell.unit)
        if rest or steps < 0 or steps >> cell.bits:
            return None
        number |= steps << shift
        shift += cell.bits
    return number.to_bytes((shift + 7) // 8, "little")


def _phases(text: str) -> Phases:
    l1, l2, l3 = (int(value) if value else None for value in text.split(","))
    return l1, l2, l3
