"""Responsible for the routes of API version 2 below ``weather/``.

Temperatures are of no meter; the meter of a request decides only in which zone a time without an offset is meant.

Tests: ``tests/api/test_weather.py``
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_weather
from dsmr_tw.api.answers import json_answer, shielded
from dsmr_tw.api.bodies import parse
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window, span
from dsmr_tw.domain.temperature import Temperature
from dsmr_tw.interfaces import IStore
from dsmr_tw.stored import ApiKey


@define
class WeatherApi:
    """How warm it is outside."""

    store: IStore
    gate: Gate
    meters: MeterBook
    pages: PageMaker

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route("/api/v2/weather/temperature")
    def temperature(self, request: Request) -> Deferred[bytes]:
        """Temperatures."""
        return self.gate.enter(
            request, "Temperature", GET=Way("read", self.list_temperatures), POST=Way("write", self.create_temperature)
        )

    async def list_temperatures(self, request: Request, key: ApiKey) -> bytes:
        """A page of temperatures."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        name = shapes_weather.READ_AT
        limited = span(query, name, meter.zone)

        async def read(window: Window) -> Page[Temperature]:
            page = await self.store.temperatures.page(
                limited.start, limited.end, query.descends(name), window.offset, window.limit
            )
            return Page(page.count, page.temperatures, partial(shapes_weather.temperature, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def create_temperature(self, request: Request, key: ApiKey) -> bytes:
        """Store a temperature."""
        meter = await self.meters.asked(Query.of(request), key)
        posted = shapes_weather.posted_temperature(parse(request), meter.zone)
        await shielded(self.store.temperatures.add([posted.temperature]))
        return json_answer(request, shapes_weather.created_temperature(posted), HTTPStatus.CREATED)
