"""Responsible for THE table: what each OBIS code means. Data, no logic.

A meter prints ``1-0:1.8.1(001073.079*kWh)``; the row of ``1-0:1.8.1`` says what that is called in this house, how its
value is printed, and in which unit.
Delivered is *to* the client (1.8.x, 1.7.0), returned is *by* the client (2.8.x, 2.7.0): this is the one place where a
code meets that word.
Rows that only meters of other countries print are in ``obis_abroad.py``; what is in no row is kept and counted as an
unknown line.

Source: P1 Companion Standards 2.2, 3.0, 4.0.7, 4.2.2 and 5.0.2, the tables of their chapter on the representation of
P1 telegrams; telegrams of Belgian meters; EN 13757-3 for the types of M-Bus devices.

Tests: ``tests/domain/test_obis.py``
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from attrs import frozen


class Kind(Enum):
    """How a value is printed, and what an unreadable one means."""

    MEASURED = auto()
    """A number with a unit, on which the account rests: unreadable, it makes the whole telegram unfit."""

    NUMBER = auto()
    """A number with a unit; unreadable, its line joins the unknown ones, as with all kinds below."""

    COUNT = auto()
    """A whole number without a unit."""

    TEXT = auto()
    """Kept as it is printed."""

    EQUIPMENT_ID = auto()
    """Hex octets, kept as they are printed; masked, they are no id."""

    FAILURES = auto()
    """The log of long power failures: ``(n)(0-0:96.7.19)``, then the end and the seconds of each."""

    SERIAL = auto()
    """Letters and digits of a nameplate, kept as they are printed; masked, they are no id."""

    PEAK = auto()
    """The highest quarter of the month under way: ``(200509134558S)(02.589*kW)``, in Ireland the other way round."""

    PEAKS = auto()
    """Peaks of past months, as in Belgium, or a month's end, as in Hungary: only its form tells which."""

    CURRENTS = auto()
    """One current or two: ``(100*A)(-100*A)`` or ``(65.0*A,-65.0*A)``."""

    DEVICE_VALUE = auto()
    """An M-Bus device's own time and value: ``(170110204000W)(00123.456*m3)``."""

    DEVICE_VALUE_30 = auto()
    """The same before DSMR 4: ``(170110200000)(00)(60)(1)(0-1:24.2.1)(m3)``, then ``(00123.456)`` on the next line."""


@frozen
class Register:
    """One row of the table."""

    name: str
    """Our word for it, and its place in ``Telegram.values`` or ``Telegram.texts``."""

    kind: Kind

    meaning: str
    """For people."""

    unit: str | None = None
    """The unit that the value is thousandths of; ``None``: none, or whichever is printed."""


_M, _N, _C, _T = Kind.MEASURED, Kind.NUMBER, Kind.COUNT, Kind.TEXT

REGISTERS: Final[dict[str, Register]] = {
    "1-3:0.2.8": Register("version", _T, "version of the P1 port"),
    "0-0:1.0.0": Register("clock", _T, "clock"),
    "0-0:96.1.1": Register("equipment_id", Kind.EQUIPMENT_ID, "equipment id"),
    "0-0:42.0.0": Register("logical_name", Kind.EQUIPMENT_ID, "logical device name"),
    "1-0:1.8.0": Register("delivered_total", _M, "delivered, all tariffs", "kWh"),
    "1-0:1.8.1": Register("delivered_1", _M, "delivered, tariff 1", "kWh"),
    "1-0:1.8.2": Register("delivered_2", _M, "delivered, tariff 2", "kWh"),
    "1-0:2.8.0": Register("returned_total", _M, "returned, all tariffs", "kWh"),
    "1-0:2.8.1": Register("returned_1", _M, "returned, tariff 1", "kWh"),
    "1-0:2.8.2": Register("returned_2", _M, "returned, tariff 2", "kWh"),
    "0-0:96.14.0": Register("tariff", _C, "tariff now"),
    "1-0:1.7.0": Register("currently_delivered", _M, "power delivered", "kW"),
    "1-0:2.7.0": Register("currently_returned", _M, "power returned", "kW"),
    "1-0:21.7.0": Register("power_delivered_l1", _M, "power delivered, L1", "kW"),
    "1-0:41.7.0": Register("power_delivered_l2", _M, "power delivered, L2", "kW"),
    "1-0:61.7.0": Register("power_delivered_l3", _M, "power delivered, L3", "kW"),
    "1-0:22.7.0": Register("power_returned_l1", _M, "power returned, L1", "kW"),
    "1-0:42.7.0": Register("power_returned_l2", _M, "power returned, L2", "kW"),
    "1-0:62.7.0": Register("power_returned_l3", _M, "power returned, L3", "kW"),
    "1-0:32.7.0": Register("voltage_l1", _N, "voltage, L1", "V"),
    "1-0:52.7.0": Register("voltage_l2", _N, "voltage, L2", "V"),
    "1-0:72.7.0": Register("voltage_l3", _N, "voltage, L3", "V"),
    "1-0:31.7.0": Register("current_l1", _N, "current, L1", "A"),
    "1-0:51.7.0": Register("current_l2", _N, "current, L2", "A"),
    "1-0:71.7.0": Register("current_l3", _N, "current, L3", "A"),
    "0-0:17.0.0": Register("threshold", _N, "limit of the power (or current) delivered"),
    "0-0:96.3.10": Register("breaker", _C, "main switch"),
    "0-0:96.7.21": Register("power_failures", _C, "power failures, any phase"),
    "0-0:96.7.9": Register("long_power_failures", _C, "long power failures, any phase"),
    "1-0:99.97.0": Register("power_failure_log", Kind.FAILURES, "log of long power failures"),
    "1-0:32.32.0": Register("voltage_sags_l1", _C, "voltage sags, L1"),
    "1-0:52.32.0": Register("voltage_sags_l2", _C, "voltage sags, L2"),
    "1-0:72.32.0": Register("voltage_sags_l3", _C, "voltage sags, L3"),
    "1-0:32.36.0": Register("voltage_swells_l1", _C, "voltage swells, L1"),
    "1-0:52.36.0": Register("voltage_swells_l2", _C, "voltage swells, L2"),
    "1-0:72.36.0": Register("voltage_swells_l3", _C, "voltage swells, L3"),
    "0-0:96.13.1": Register("message_code", _T, "code for the consumer"),
    "0-0:96.13.0": Register("message", _T, "message for the consumer"),
}
"""What the meter says about itself and about electricity."""

DEVICE_REGISTERS: Final[dict[str, Register]] = {
    "0-n:24.1.0": Register("type", _C, "type"),
    "0-n:96.1.0": Register("equipment_id", Kind.EQUIPMENT_ID, "equipment id"),
    "0-n:24.2.1": Register("position", Kind.DEVICE_VALUE, "position"),
    "0-n:24.3.0": Register("position", Kind.DEVICE_VALUE_30, "position"),
    "0-n:24.2.3": Register("uncorrected", Kind.DEVICE_VALUE, "position, not converted to a standard temperature"),
    "0-n:24.4.0": Register("valve", _C, "valve or switch"),
    "0-n:96.1.1": Register("second_id", Kind.EQUIPMENT_ID, "equipment id"),
    "0-n:96.1.2": Register("ean", _T, "code of the connection"),
    "0-n:96.3.10": Register("relay", _C, "relay"),
}
"""What it says about the M-Bus device on channel n: ``0-1:`` to ``0-5:``."""


@frozen
class DeviceType:
    """What an M-Bus device measures."""

    meaning: str
    unit: str
    """Of its positions; a value in another unit is not taken."""


DEVICE_TYPES: Final[dict[int, DeviceType]] = {
    2: DeviceType("electricity", "kWh"),
    3: DeviceType("gas", "m3"),
    4: DeviceType("heat", "GJ"),
    6: DeviceType("hot water", "m3"),
    7: DeviceType("water", "m3"),
    10: DeviceType("cold", "GJ"),
    11: DeviceType("cold", "GJ"),
    12: DeviceType("heat", "GJ"),
    13: DeviceType("heat and cold", "GJ"),
}

TYPE_OF_UNIT: Final[dict[str, int]] = {"kWh": 2, "m3": 3, "GJ": 4}
"""What a device that does not print its type is taken for, by its unit: the commonest by far."""

HEAT_IN_KWH: Final = ("kWh", "GJ")
"""The one other unit that is taken, and for which: some meters count heat in kWh or MWh."""


def measured(kind: int | None, unit: str) -> int | None:
    """The type of a device that prints this type and its position in this unit; ``None`` when they do not tell, or fit.

    A type that is not printed is that of the unit, and a unit that is not printed that of the type.
    """
    kind = kind or TYPE_OF_UNIT.get(unit, 0)
    known = DEVICE_TYPES.get(kind)
    fits = known is not None and (unit in ("", known.unit) or (unit, known.unit) == HEAT_IN_KWH)
    return kind if fits else None
