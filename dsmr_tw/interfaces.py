"""Responsible for the ports: what the services may ask of the adapters, and the web of the services.

Methods that return a Deferred say what it fires with.
All of them fail with ``StoreUnavailable`` when the store takes or gives nothing now.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from dsmr_tw.domain.reading import Arrival, DeviceReading, MeterStatistics, Origin, Receipt, StoredReading

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


class IReadings(Interface):
    """Readings, in the order (instant, id)."""

    def add(groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """Make all groups durable in one transaction, or none of them.

        With the readings go, in the same transaction: device readings, equipment, the choice of the meter,
        latest telegram, meter statistics, counts, and the marks of dirty quarters.
        A reading that is stored already changes nothing and is answered with its id.

        Fires with: a receipt for each arrival, in the same order and grouping, once everything is on disk.
        Raises: ``StoreUnavailable`` when nothing can be stored now; anything else when one of the arrivals is at fault.
        """

    def page(wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[ReadingPage]:
        """``limit`` readings from ``offset`` on; by (instant, id), both descending when ``descending``.

        Its cost does not grow with the number of readings stored.
        """

    def total() -> Deferred[int]:
        """How many readings of all meters are stored, counted between two commits."""

    def live(meter_id: int, until: int) -> Deferred[Live | None]:
        """The newest values dated from the year 2000 to ``until``, to begin with after a start."""


class IMeters(Interface):
    """Metering points."""

    def all() -> Deferred[list[Meter]]:
        """All meters, the first one first; there is always one."""

    def statistics(meter_id: int) -> Deferred[StoredStatistics]:
        """What the meter last said about itself."""

    def change_statistics(meter_id: int, changes: dict[str, object]) -> Deferred[StoredStatistics]:
        """Set the named fields of ``MeterStatistics`` (and ``rejected_telegrams``, ``latest_telegram``, ``at``).

        The six per-phase counts are named ``voltage_sags_l1`` … ``voltage_swells_l3`` in ``changes``.
        Fires with: the statistics after the change.
        """

    def reject(origin: Origin, telegrams: int) -> Deferred[None]:
        """Add to the count of rejected telegrams of the origin's meter."""


class IKeys(Interface):
    """API keys."""

    def all() -> Deferred[list[ApiKey]]:
        """All keys that are valid now, those added beside the server included."""

    def add(name: str, scope: str, digest: bytes, hint: str, now: int) -> Deferred[ApiKey]:
        """Store a key; fires with its record. Fails with ``StoreError`` when the digest is stored already."""

    def remove(key_id: int) -> Deferred[bool]:
        """Make a key invalid; fires with whether there was one."""


class IStore(Interface):
    """Everything that stays, gathered."""

    kind = Attribute("``sqlite`` or ``postgresql``")
    readings = Attribute("an IReadings")
    meters = Attribute("an IMeters")
    keys = Attribute("an IKeys")

    def open() -> Deferred[None]:
        """Open the database, bring its schema up to date, refuse a newer one with ``StoreRefused``."""

    def close() -> Deferred[None]:
        """Finish what is under way and close."""


class IIntake(Interface):
    """Readings in; receipts out when stored."""

    def submit(arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """Store all of the arrivals or none, as soon as possible.

        Fires with: a receipt for each, once durable.
        Raises: ``IntakeFull`` at once when too much waits; ``StoreUnavailable`` when the store takes nothing now;
        anything else when one of the arrivals is at fault.
        """

    def reject(origin: Origin, error: Exception) -> Deferred[None]:
        """Count a telegram that could not be taken, for the origin's meter; fires when it is counted, never fails."""


class ISource(Interface):
    """Where telegrams come from."""

    health = Attribute("a SourceHealth: how the source is at this moment")


class ILive(Interface):
    """The newest values, from memory."""

    def latest(meter_id: int) -> Live | None:
        """The newest values of a meter; ``None`` before the first."""


class IHealth(Interface):
    """What the service knows about itself."""

    def report() -> dict[str, object]:
        """The body of ``/health``: at least ``status`` (``ok``, ``degraded`` or ``failing``) and ``problems``."""
