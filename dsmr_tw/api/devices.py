"""Responsible for the routes of API version 2 below ``devices``: a meter's M-Bus devices, and what each of them gave.

Tests: ``tests/api/test_devices.py``
"""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_facts, shapes_ledger
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window, span
from dsmr_tw.api.problems import not_found
from dsmr_tw.interfaces import IStore
from dsmr_tw.stored import ApiKey, Equipment, ReadingFilter, StoredDeviceReading

PATH: Final = "/api/v2/devices"


@define
class DevicesApi:
    """What hangs behind a meter: gas, water, heat."""

    store: IStore
    gate: Gate
    meters: MeterBook
    pages: PageMaker

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route(PATH)
    def all_devices(self, request: Request) -> Deferred[bytes]:
        """Devices."""
        return self.gate.enter(request, "Devices", GET=Way("read", self.list_devices))

    @app.route(f"{PATH}/<device_id>/readings")
    def readings(self, request: Request, device_id: str) -> Deferred[bytes]:
        """What one device gave."""
        return self.gate.enter(request, "Device Readings", GET=Way("read", partial(self.list_readings, device_id)))

    async def list_devices(self, request: Request, key: ApiKey) -> bytes:
        """A page of devices; a meter has few, so they are put in order and cut here."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)

        async def read(window: Window) -> Page[Equipment]:
            found = shapes_facts.ordered(await self._devices(meter.id), query.descends(shapes_facts.ID))
            shown = found[window.offset : window.offset + window.limit]
            return Page(len(found), shown, partial(shapes_facts.device, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def list_readings(self, device_id: str, request: Request, key: ApiKey) -> bytes:
        """A page of a device's values.

        Raises: ``Problem`` 404 when the meter that is asked about has no such device.
        """
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes_ledger.READ_AT, meter.zone)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)
        device = next((each for each in await self._devices(meter.id) if str(each.id) == device_id), None)
        if device is None:
            raise not_found()
        number = device.id

        async def read(window: Window) -> Page[StoredDeviceReading]:
            descending = query.descends(shapes_ledger.READ_AT)
            page = await self.store.readings.device(wanted, number, descending, window.offset, window.limit)
            return Page(page.count, page.readings, partial(shapes_ledger.gas, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def _devices(self, meter_id: int) -> list[Equipment]:
        """What the meter has beside itself."""
        return [each for each in await self.store.meters.equipment(meter_id) if each.device_type != 0]
