"""Responsible for the values that cross the ports: what is asked of a store, and what it gives back.

Tests: ``tests/contracts/store.py``
"""

from __future__ import annotations

from hashlib import sha256

from attrs import field, frozen

from dsmr_tw.domain.reading import DeviceReading, MeterStatistics, MonthPeak, Phases, StoredReading
from dsmr_tw.domain.spans import Amounts, SpanKind, SpanRow
from dsmr_tw.domain.temperature import Temperature

SCOPES = ("read", "write", "admin")
"""What a key may do; each scope includes those before it."""


@frozen
class ReadingFilter:
    """Which readings of a meter a list holds."""

    meter_id: int
    start: int | None = None
    """First instant, included."""
    end: int | None = None
    """Last instant, **included**: the API's ``timestamp__lte``."""


@frozen
class ReadingPage:
    """A slice of a list of readings."""

    count: int
    """How many readings the whole list holds, exactly."""
    readings: list[StoredReading]


@frozen
class Minute:
    """The readings of one minute, as one."""

    start: int
    """The minute's first instant; a minute without a reading has no row."""
    delivered_1: int
    returned_1: int
    delivered_2: int
    returned_2: int
    """Positions of the minute's last reading, in Wh."""
    currently_delivered: int
    currently_returned: int
    """Averages over the minute's readings, in W, rounded half up; so are those that follow."""
    powers_delivered: Phases
    """``None`` for a phase that no reading of the minute tells of."""
    powers_returned: Phases
    voltages: Phases
    currents: Phases


@frozen
class MinutePage:
    """A slice of a list of minutes."""

    count: int
    minutes: list[Minute]


@frozen
class StoredDeviceReading:
    """A value of an M-Bus device as the store gives it back."""

    id: int
    reading: DeviceReading
    previous: int | None
    """The position of the same device before it; ``None`` for its first."""


@frozen
class DevicePage:
    """A slice of a list of values of M-Bus devices."""

    count: int
    readings: list[StoredDeviceReading]


@frozen
class PeakPage:
    """A slice of a list of the peaks of months."""

    count: int
    peaks: list[MonthPeak]


@frozen
class Event:
    """Something that a meter has noted, with its date."""

    at: int
    """The instant at which it ended."""
    kind: str
    """``power failure``."""
    seconds: int | None
    """How long it was; ``None``: nobody says."""


@frozen
class EventPage:
    """A slice of a list of events."""

    count: int
    events: list[Event]


@frozen
class SpanFilter:
    """Which closed spans of a meter a list holds."""

    kind: SpanKind
    meter_id: int
    start: int | None = None
    """The first start of a span, included."""
    end: int | None = None
    """The last start of a span, **included**."""
    now: int | None = None
    """What the wall clock shows: a quarter that ends later is not closed, whatever the readings are dated."""


@frozen
class SpanPage:
    """A slice of a list of spans."""

    count: int
    rows: list[SpanRow]


@frozen
class DaySum:
    """What the closed days of a stretch add up to."""

    days: int
    """How many closed days there are in it."""
    amounts: Amounts


@frozen
class TemperaturePage:
    """A slice of a list of temperatures."""

    count: int
    temperatures: list[Temperature]


@frozen
class LedgerSummary:
    """How the ledger stands."""

    dirty_quarters: int
    """Marks that wait to be computed."""
    epochs: int
    outliers: int


@frozen
class Thinned:
    """What was dropped."""

    dropped: int
    """Readings."""
    more: bool
    """Whether there may be more to drop at once."""


@frozen
class StoreSize:
    """How large a store is."""

    total: int
    """Bytes."""
    free: int
    """Bytes of them that wait to be used again."""


@frozen
class Meter:
    """A metering point: one account of energy."""

    id: int
    name: str
    zone: str
    """Its time zone: ``"Europe/Amsterdam"``."""
    equipment: tuple[str, ...] = ()
    """The printed ids of its electricity meters, oldest first."""
    first_seen_at: int | None = None
    last_seen_at: int | None = None
    """When something arrived for it, first and last."""
    readings: int = 0


@frozen
class Equipment:
    """A physical meter, or an M-Bus device of it."""

    id: int
    meter_id: int
    """The account that it fills."""
    device_type: int
    """0: a meter that prints telegrams; else that of ``DeviceReading``."""
    printed_id: str | None
    """``None``: it is missing or masked."""
    channel: int | None
    first_seen_at: int
    """When something arrived from it, first and last; the last time may be a minute behind."""
    last_seen_at: int


@frozen
class LedgerNote:
    """Something about one set of a meter's registers at an instant."""

    equipment_id: int
    """The M-Bus device's; 0: the meter's electricity."""
    at: int
    text: str
    """Why an epoch begins or a reading is not counted; what a person decided."""


@frozen
class Findings:
    """What the ledger found in a meter's readings, and what a person decided over it."""

    epochs: list[LedgerNote]
    """Where they begin: the newest ones that were asked for, in order."""
    epoch_count: int
    """How many there are in all."""
    outliers: list[LedgerNote]
    outlier_count: int
    edits: list[LedgerNote]
    """All of them."""


@frozen
class Bulk:
    """How much is about to move."""

    readings: int
    device_readings: int


@frozen
class Move:
    """Values on their way from one account to another."""

    source_id: int
    target_id: int
    equipment: frozenset[int] | None = None
    """Whose values move; ``None``: all that the source has."""
    taken: int = 0
    """How many of them were taken so far."""
    done: bool = False
    """Whether the last of them was."""
    devices_done: bool = False
    """Values of M-Bus devices go first, then the readings that they came with."""
    after: tuple[int, ...] = ()
    """The key of the row that was looked at last."""


@frozen
class StoredStatistics:
    """What the last telegrams said about the meter itself."""

    meter_id: int
    at: int | None
    """Instant of the last telegram; ``None`` before the first."""
    statistics: MeterStatistics
    rejected_telegrams: int
    latest_telegram: str | None


def key_digest(key: bytes) -> bytes:
    """What is stored of a key, and what a request's key is looked up by."""
    return sha256(key).digest()


@frozen
class ApiKey:
    """A key's record. The key itself is stored nowhere but in the owner's file."""

    id: int
    name: str
    scope: str
    """``read``, ``write`` or ``admin``."""
    digest: bytes = field(repr=False)
    """Its ``key_digest``."""
    meter_id: int | None
    """The only meter it is for; ``None``: any."""
    created_at: int
    hint: str
    """The last characters of a generated key, to tell keys apart in a list; may be empty."""


@frozen
class Live:
    """The newest values of a meter: those of the youngest instant that counts."""

    reading: StoredReading
    tariff: int | None
    gas: DeviceReading | None
    """The newest value of its gas device."""
    previous_gas: DeviceReading | None
    """The value before it."""


@frozen
class Backup:
    """A backup that was made, and is good."""

    name: str
    """Of its file."""
    made_at: int
    """When, in whole seconds."""
    bytes: int
    """How large it is."""
