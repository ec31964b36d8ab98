"""Responsible for finding the meter that a request is about.

Tests: ``tests/api/test_v2.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.api.paging import Query
from dsmr_tw.api.problems import bad_fields, forbidden
from dsmr_tw.api.shapes import ShowInstant, shown_in
from dsmr_tw.domain.localtime import MeterZone, meter_zone
from dsmr_tw.domain.meternames import meter_named
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IMeters
from dsmr_tw.stored import ApiKey, Meter

KNOWN_SECONDS: Final = 2
"""How long the list of meters is taken to be as it was: they are asked about with every request, and hardly change."""


@frozen
class AskedMeter:
    """The meter that a request is about."""

    id: int
    zone: MeterZone
    show: ShowInstant
    """How its instants are shown."""


@define
class MeterBook:
    """The meters, in memory."""

    meters: IMeters
    clock: IReactorTime
    local_timestamps: bool
    """Whether instants are shown in the meter's zone; else in UTC."""
    on_read: Callable[[list[Meter]], object] = field(default=len, repr=False)
    """Called with the meters whenever they were read; must not fail."""
    _known: list[Meter] = field(factory=list, repr=False)
    """Those known before the start, until they are read."""
    _known_until: float = field(default=0.0, init=False)

    async def asked(self, query: Query, key: ApiKey) -> AskedMeter:
        """The meter that the parameter ``meter`` names, as ``wanted``."""
        meter = await self.wanted(key, query.get("meter"))
        return AskedMeter(meter.id, meter_zone(meter.zone), self.show(meter))

    def show(self, meter: Meter) -> ShowInstant:
        """How this meter's instants are shown."""
        return shown_in(meter_zone(meter.zone) if self.local_timestamps else None)

    async def wanted(self, key: ApiKey, wanted: str) -> Meter:
        """The meter with this id or name; when none is named, that of the key, else the first.

        Raises: ``Problem`` 400 when there is none; 403 when the key is for another.
        """
        if key.meter_id is None and not wanted:
            return (await self._all())[0]
        found = await self._find(wanted or str(key.meter_id))
        if found is None:
            raise bad_fields({"meter": ["There is no such meter."]})
        if key.meter_id not in (None, found.id):
            raise forbidden("This key is for another meter.")
        return found

    async def zone_of(self, key: ApiKey) -> MeterZone:
        """The zone of the meter that a key is for, which is never another: the store is asked only about a new one."""
        found = next((meter for meter in self._known if meter.id == key.meter_id), None)
        return meter_zone((found or await self.wanted(key, "")).zone)

    async def listed(self, key: ApiKey) -> list[Meter]:
        """The meters that a key may see, as they are now."""
        meters = await self.meters.all()
        return [meter for meter in meters if key.meter_id in (None, meter.id)]

    async def _find(self, wanted: str) -> Meter | None:
        """By id, else by name; one that is not known may be new."""
        return meter_named(await self._all(), wanted) or meter_named(await self._all(anew=True), wanted)

    async def _all(self, anew: bool = False) -> list[Meter]:
        now = self.clock.seconds()
        if anew or now >= self._known_until or not self._known:
            try:
                self._known = await self.meters.directory()
                self.on_read(self._known)
            except StoreUnavailable:
                if not self._known:
                    raise
            self._known_until = now + KNOWN_SECONDS
        return self._known
