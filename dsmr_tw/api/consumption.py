"""Responsible for the routes of API version 2 below ``consumption/``, but for the supplier's prices.

Tests: ``tests/api/test_consumption.py``, ``tests/api/test_prices.py``, ``tests/test_golden.py``
"""

from __future__ import annotations

from datetime import date
from functools import partial

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_costs, shapes_ledger
from dsmr_tw.api.answers import json_answer
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import AskedMeter, MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window, span
from dsmr_tw.domain.contract import Contract, contract_on
from dsmr_tw.domain.costs import costs_of
from dsmr_tw.domain.reading import GAS, SECOND
from dsmr_tw.domain.spans import SpanKind, SpanRow
from dsmr_tw.interfaces import ILive, IStore
from dsmr_tw.stored import ApiKey, Minute, ReadingFilter, SpanFilter, StoredDeviceReading


@define
class ConsumptionApi:
    """What a house takes and returns, now and minute by minute."""

    store: IStore
    live: ILive
    gate: Gate
    meters: MeterBook
    pages: PageMaker
    clock: IReactorTime

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route("/api/v2/consumption/electricity-live")
    def electricity_live(self, request: Request) -> Deferred[bytes]:
        """The power now."""
        return self.gate.enter(request, "Electricity Live", GET=Way("read", self.show_electricity_live))

    @app.route("/api/v2/consumption/gas-live")
    def gas_live(self, request: Request) -> Deferred[bytes]:
        """The gas of the last interval."""
        return self.gate.enter(request, "Gas Live", GET=Way("read", self.show_gas_live))

    @app.route("/api/v2/consumption/today")
    def today(self, request: Request) -> Deferred[bytes]:
        """The day so far."""
        return self.gate.enter(request, "Today", GET=Way("read", self.show_today))

    @app.route("/api/v2/consumption/electricity")
    def electricity(self, request: Request) -> Deferred[bytes]:
        """Electricity, minute by minute."""
        return self.gate.enter(request, "Electricity", GET=Way("read", self.list_minutes))

    @app.route("/api/v2/consumption/gas")
    def gas(self, request: Request) -> Deferred[bytes]:
        """Gas, value by value."""
        return self.gate.enter(request, "Gas", GET=Way("read", self.list_gas))

    @app.route("/api/v2/consumption/quarter-hour-peak-electricity")
    def peaks(self, request: Request) -> Deferred[bytes]:
        """The average power of each quarter of an hour."""
        return self.gate.enter(request, "Quarter Hour Peak Electricity", GET=Way("read", self.list_peaks))

    async def show_electricity_live(self, request: Request, key: ApiKey) -> bytes:
        """The newest electricity values, from memory, and what they cost."""
        meter = await self.meters.asked(Query.of(request), key)
        contract = await self._contract_on(meter.zone.day_of(self._now()), meter)
        live = await self.live.latest(meter.id)
        return json_answer(request, shapes_costs.electricity_live(live, contract, meter.show))

    async def show_gas_live(self, request: Request, key: ApiKey) -> bytes:
        """The newest gas values, from memory, and what they cost."""
        meter = await self.meters.asked(Query.of(request), key)
        contract = await self._contract_on(meter.zone.day_of(self._now()), meter)
        live = await self.live.latest(meter.id)
        return json_answer(request, shapes_costs.gas_live(live, contract, meter.show))

    async def show_today(self, request: Request, key: ApiKey) -> bytes:
        """What went through the registers today, and what it costs: up to the latest reading."""
        meter = await self.meters.asked(Query.of(request), key)
        now = self._now()
        day = meter.zone.day_of(now)
        total = await self.store.statistics.total(meter.id, *meter.zone.bounds(day), now)
        if total is None:
            return json_answer(request, shapes_ledger.nothing_today(day))
        contract = await self._contract_on(day, meter)
        costs = costs_of(total.amounts, contract, days=1)
        return json_answer(request, shapes_ledger.today(day, total.amounts, costs, contract))

    async def list_minutes(self, request: Request, key: ApiKey) -> bytes:
        """A page of minutes."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes_ledger.READ_AT, meter.zone)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)

        async def read(window: Window) -> Page[Minute]:
            descending = query.descends(shapes_ledger.READ_AT)
            page = await self.store.readings.minutes(wanted, descending, window.offset, window.limit)
            return Page(page.count, page.minutes, partial(shapes_ledger.minute, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def list_gas(self, request: Request, key: ApiKey) -> bytes:
        """A page of values of the meter's gas devices."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes_ledger.READ_AT, meter.zone)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)

        async def read(window: Window) -> Page[StoredDeviceReading]:
            descending = query.descends(shapes_ledger.READ_AT)
            page = await self.store.readings.devices(wanted, GAS, descending, window.offset, window.limit)
            return Page(page.count, page.readings, partial(shapes_ledger.gas, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def list_peaks(self, request: Request, key: ApiKey) -> bytes:
        """A page of the ledger's quarters."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes_ledger.READ_AT_START, meter.zone)
        wanted = SpanFilter(SpanKind.QUARTER, meter.id, limited.start, limited.end, self._now())

        async def read(window: Window) -> Page[SpanRow]:
            descending = query.descends(shapes_ledger.READ_AT_START)
            page = await self.store.statistics.page(wanted, descending, window.offset, window.limit)
            return Page(page.count, page.rows, partial(shapes_ledger.peak, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def _contract_on(self, day: date, meter: AskedMeter) -> Contract | None:
        """The meter's contract of a day."""
        return contract_on(await self.store.contracts.all(meter.id), day)

    def _now(self) -> int:
        return int(self.clock.seconds() * SECOND)
