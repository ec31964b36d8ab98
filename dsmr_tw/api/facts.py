"""Responsible for the routes of API version 2 at ``peaks`` and ``events``: what meters date themselves.

Tests: ``tests/api/test_facts.py``
"""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_facts
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import Page, PageMaker, Query, Window, day_span, span
from dsmr_tw.domain.facts import MONTHS
from dsmr_tw.domain.reading import MonthPeak
from dsmr_tw.interfaces import IFacts
from dsmr_tw.stored import ApiKey, Event, ReadingFilter

PEAKS: Final = "/api/v2/peaks"
EVENTS: Final = "/api/v2/events"


@define
class FactsApi:
    """Peaks of months, and power failures."""

    facts: IFacts
    gate: Gate
    meters: MeterBook
    pages: PageMaker

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route(PEAKS)
    def peaks(self, request: Request) -> Deferred[bytes]:
        """The highest quarter of each month."""
        return self.gate.enter(request, "Peaks", GET=Way("read", self.list_peaks))

    @app.route(EVENTS)
    def events(self, request: Request) -> Deferred[bytes]:
        """Power failures."""
        return self.gate.enter(request, "Events", GET=Way("read", self.list_events))

    async def list_peaks(self, request: Request, key: ApiKey) -> bytes:
        """A page of peaks."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = day_span(query, shapes_facts.MONTH, MONTHS)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)

        async def read(window: Window) -> Page[MonthPeak]:
            descending = query.descends(shapes_facts.MONTH)
            page = await self.facts.peaks(wanted, descending, window.offset, window.limit)
            return Page(page.count, page.peaks, partial(shapes_facts.peak, show=meter.show))

        return await self.pages.answer(request, query, read)

    async def list_events(self, request: Request, key: ApiKey) -> bytes:
        """A page of power failures."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        limited = span(query, shapes_facts.ENDED_AT, meter.zone)
        wanted = ReadingFilter(meter.id, limited.start, limited.end)

        async def read(window: Window) -> Page[Event]:
            descending = query.descends(shapes_facts.ENDED_AT)
            page = await self.facts.events(wanted, descending, window.offset, window.limit)
            return Page(page.count, page.events, partial(shapes_facts.event, show=meter.show))

        return await self.pages.answer(request, query, read)
