"""Responsible for the values that a telegram or a v2 POST becomes, on their way to the store.

All measured values are ``int`` in thousandths of the telegram's unit (Wh, W, dm³, MJ, mV, mA); instants are UTC,
integer microseconds since 1970.  Absent is ``None``, never 0.

Tests: ``tests/domain/test_reading.py``
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

Phases: TypeAlias = tuple[int | None, int | None, int | None]
"""One quantity of the phases L1, L2 and L3; ``None`` where the meter prints none."""

NO_PHASES: Phases = (None, None, None)

GAS = 3
"""The M-Bus device type of gas; EN 13757-3."""

SECOND = 1_000_000
"""One second, in the microseconds that instants are counted in."""

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

YEAR_2000 = 946_684_800 * SECOND
"""2000-01-01T00:00:00Z: what is dated before it is stored and listed, but counts nowhere."""

YEAR_2020 = 1_577_836_800 * SECOND
"""2020-01-01T00:00:00Z: a server whose clock is before it has not been told the time yet."""


def counts(at: int, received_at: int) -> bool:
    """Whether something dated ``at`` may enter ledger, today and live values; what may not is stored and listed only.

    The year 2000 is the first that counts, and the day after the arrival the last moment, except where the arrival
    itself is dated before 2020, by a server that had not been told the time.
    """
    return at >= YEAR_2000 and (at <= received_at + DAY or received_at < YEAR_2020)


@frozen
class Reading:
    """All electricity values of one telegram, or of one v2 POST, at one instant."""

    at: int
    """The instant: the telegram's clock, or its arrival where it has none."""

    delivered_1: int
    """Position of register 1-0:1.8.1 in Wh; of 1-0:1.8.0 for a meter without tariffs."""

    returned_1: int
    """Position of register 1-0:2.8.1 in Wh; 0 for a meter without return registers."""

    delivered_2: int
    """Position of register 1-0:1.8.2 in Wh, and of those of further tariffs; 0 for a meter without tariffs."""

    returned_2: int
    """Position of register 1-0:2.8.2 in Wh, and of those of further tariffs; 0 for a meter without it."""

    currently_delivered: int
    """Power to the client in W, 1-0:1.7.0, or that of all phases; 0 when the meter prints none."""

    currently_returned: int
    """Power by the client in W, 1-0:2.7.0, or that of all phases; 0 when the meter prints none."""

    powers_delivered: Phases = NO_PHASES
    """Power to the client per phase in W, 1-0:21.7.0, 41.7.0 and 61.7.0."""

    powers_returned: Phases = NO_PHASES
    """Power by the client per phase in W, 1-0:22.7.0, 42.7.0 and 62.7.0."""

    voltages: Phases = NO_PHASES
    """Voltage per phase in mV, 1-0:32.7.0, 52.7.0 and 72.7.0."""

    currents: Phases = NO_PHASES
    """Current per phase in mA, unsigned, 1-0:31.7.0, 51.7.0 and 71.7.0."""


@frozen
class DeviceReading:
    """One value of one M-Bus device at the instant that the device gave it."""

    at: int
    """The device's own timestamp, in the line of the value."""

    value: int
    """Position in dm³ (gas, water), MJ (heat, cold) or Wh (electricity)."""

    device_type: int
    """EN 13757-3: 2 electricity, 3 gas, 4 and 12 heat, 6 hot water, 7 water, 10 and 11 cold, 13 heat and cold."""

    channel: int | None
    """M-Bus channel, 1 to 4, by order of installation; ``None`` for a v2 POST."""

    equipment_id: str | None
    """The device's printed id; ``None`` when it is missing, masked, or the value came by a v2 POST."""


@frozen
class MeterStatistics:
    """What a telegram says about the meter itself."""

    dsmr_version: str | None = None
    """P1 version, 1-3:0.2.8 or 0-0:96.1.4: ``"42"``, ``"50"``, ``"50217"``."""

    tariff: int | None = None
    """Tariff indicator, 0-0:96.14.0: the register that counts now."""

    power_failures: int | None = None
    """Power failures in any phase, 0-0:96.7.21."""

    long_power_failures: int | None = None
    """Long power failures in any phase, 0-0:96.7.9."""

    voltage_sags: Phases = NO_PHASES
    """Voltage sags per phase, 1-0:32.32.0, 52.32.0 and 72.32.0."""

    voltage_swells: Phases = NO_PHASES
    """Voltage swells per phase, 1-0:32.36.0, 52.36.0 and 72.36.0."""


@frozen
class MonthPeak:
    """The quarter of an hour with the highest average power of a month."""

    month_at: int
    """The first instant of that month in UTC, which stands for the month wherever the meter hangs."""

    at: int
    """The instant at which the quarter ended, by the meter's clock."""

    power: int
    """In W."""


@frozen
class Failure:
    """A long power failure."""

    at: int
    """The instant at which it ended."""

    seconds: int
    """How long it was; below ``UNKNOWN_SECONDS``."""


UNKNOWN_SECONDS = (1 << 31) - 1
"""68 years: what meters print for a failure that they do not know the length of."""


@frozen
class Origin:
    """Which cable or key something came by."""

    name: str
    """``"device /dev/ttyUSB0"`` or ``"key 3"``: stable over restarts, free of secrets."""

    meter_id: int | None = None
    """The meter that the owner tied this source or key to; ``None`` when DESIGN's rule of the ids decides."""


@frozen
class Arrival:
    """One telegram or one v2 POST, parsed, with when and from where it came: what an intake takes."""

    origin: Origin

    received_at: int
    """When it was taken from the line or the request; kept through every queue."""

    reading: Reading | None
    """``None`` for a telegram that holds values of M-Bus devices only."""

    devices: tuple[DeviceReading, ...] = ()
    """The values of its M-Bus devices; the first gas device among them is the reading's ``extra_device``."""

    equipment_id: str | None = None
    """The electricity meter's printed id; ``None`` when it is missing, masked, or came by a v2 POST."""

    statistics: MeterStatistics | None = None
    """``None`` for a v2 POST."""

    telegram: str | None = None
    """The telegram's text from ``/`` to the CRC; ``None`` for a v2 POST."""

    zone: str | None = None
    """The time zone in which the telegram's clocks were read; ``None`` for a v2 POST."""

    peaks: tuple[MonthPeak, ...] = ()
    """The highest quarters of months, one of each that it tells of; most telegrams repeat them."""

    failures: tuple[Failure, ...] = ()
    """The long power failures that it tells of; most telegrams repeat them."""

    by_arrival: bool = False
    """Whether it was dated by its arrival although the meter has a clock, since its owner does not trust that."""

    @property
    def facts(self) -> Facts:
        """All that it tells of the past."""
        return self.peaks, self.failures


Facts: TypeAlias = tuple[tuple[MonthPeak, ...], tuple[Failure, ...]]
"""What a telegram tells of the past."""

NO_FACTS: Facts = ((), ())


@frozen
class StoredReading:
    """A reading as the store gives it back."""

    id: int
    """Unique in the store, ascending in order of storing."""

    reading: Reading

    gas: DeviceReading | None = None
    """The value of the gas device that came with it."""


@frozen
class Receipt:
    """The store's word that one arrival is durable."""

    meter_id: int
    """The meter it was given to."""

    reading_id: int | None
    """The id of its reading, also when the identical reading was stored before; ``None`` without a reading."""

    created: bool
    """False when the identical reading was stored before."""
