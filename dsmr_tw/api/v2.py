"""Responsible for the routes of API version 2 that are about readings, meters and the service itself.

``consumption/…`` is answered by ``dsmr_tw.api.consumption``, ``statistics/…`` by ``dsmr_tw.api.statistics``.
Each route names what it does for each method, and the least scope that a key needs for it; ``Gate`` judges the request
before that.

Tests: ``tests/api/test_v2.py``, ``tests/test_golden.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from dsmr_tw import __version__
from dsmr_tw.api import problems, shapes
from dsmr_tw.api.answers import json_answer, shielded
from dsmr_tw.api.auth import origin_of
from dsmr_tw.api.bodies import parse
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window, span
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import SECOND, Arrival, StoredReading
from dsmr_tw.interfaces import IHealth, IIntake, IStore
from dsmr_tw.stored import ApiKey, ReadingFilter


@define
class ApiV2:
    """The routes of version 2."""

    store: IStore
    intake: IIntake
    health: IHealth
    gate: Gate
    meters: MeterBook
    pages: PageMaker
    clock: IReactorTime

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route("/api/v2/datalogger/dsmrreading")
    def dsmrreading(self, request: Request) -> Deferred[bytes]:
        """Readings."""
        return self.gate.enter(
            request, "Dsmr Reading", GET=Way("read", self.list_readings), POST=Way("write", self.create_reading)
        )

    @app.route("/api/v2/datalogger/meter-statistics")
    def meter_statistics(self, request: Request) -> Deferred[bytes]:
        """What a meter says about itself."""
        return self.gate.enter(
            request,
            "Meter Statistics",
            GET=Way("read", self.show_statistics),
            PATCH=Way("write", self.change_statistics),
        )

    @app.route("/api/v2/meters")
    def all_meters(self, request: Request) -> Deferred[bytes]:
        """Metering points."""
        return self.gate.enter(request, "Meters", GET=Way("read", self.list_meters))

    @app.route("/api/v2/application/version")
    def version(self, request: Request) -> Deferred[bytes]:
        """Which version runs."""
        return self.gate.enter(request, "Version", GET=Way("read", self.show_version))

    @app.route("/api/v2/application/monitoring")
    def monitoring(self, request: Request) -> Deferred[bytes]:
        """What a person should look at."""
        return self.gate.enter(request, "Monitoring", GET=Way("read", self.show_problems))

    async def list_readings(self, request: Request, key: ApiKey) -> bytes:
        """A page of readings."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes.INSTANT, meter.zone)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)

        async def read(window: Window) -> Page[StoredReading]:
            descending = query.descends(shapes.INSTANT)
            page = await self.store.readings.page(wanted, descending, window.offset, window.limit)
            return Page(page.count, page.readings, partial(shapes.stored_reading, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def create_reading(self, request: Request, key: ApiKey) -> bytes:
        """Store a reading."""
        meter = await self.meters.wanted(key, "")
        posted = shapes.posted_reading(parse(request), meter_zone(meter.zone))
        devices = () if posted.gas is None else (posted.gas,)
        [receipt] = await shielded(self.intake.submit([Arrival(origin_of(key), self._now(), posted.reading, devices)]))
        assert receipt.reading_id is not None
        return json_answer(request, shapes.created_reading(receipt.reading_id, posted), HTTPStatus.CREATED)

    async def list_meters(self, request: Request, key: ApiKey) -> bytes:
        """All meters that the key may see."""
        meters = await self.meters.listed(key)
        return json_answer(request, [shapes.meter(meter, self.meters.show(meter)) for meter in meters])

    async def show_statistics(self, request: Request, key: ApiKey) -> bytes:
        """A meter's statistics."""
        meter = await self.meters.asked(Query.of(request), key)
        stored = await self.store.meters.statistics(meter.id)
        return json_answer(request, shapes.statistics(stored, meter.show))

    async def change_statistics(self, request: Request, key: ApiKey) -> bytes:
        """Set some of a meter's statistics."""
        meter = await self.meters.asked(Query.of(request), key)
        changes = shapes.statistics_changes(parse(request), meter.zone)
        stored = await shielded(self.store.meters.change_statistics(meter.id, changes))
        return json_answer(request, shapes.statistics(stored, meter.show))

    async def show_version(self, request: Request, key: ApiKey) -> bytes:
        """Our version."""
        return json_answer(request, shapes.version(__version__))

    async def show_problems(self, request: Request, key: ApiKey) -> bytes:
        """The problems that ``/health`` names."""
        problems_now = self.health.report()["problems"]
        assert isinstance(problems_now, Sequence)
        return json_answer(request, shapes.monitoring(problems_now))

    def _now(self) -> int:
        return int(self.clock.seconds() * SECOND)
