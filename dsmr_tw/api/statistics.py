"""Responsible for the routes of API version 2 below ``statistics/``: what the ledger adds up to.

Lists of closed quarters, hours, days, months and years, and the total between any two instants.
Days, months and years are those of the meter's zone, and have costs, and temperatures.

Tests: ``tests/api/test_statistics.py``, ``tests/test_golden.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeAlias

from attrs import define
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from dsmr_tw.api import problems, shapes_ledger
from dsmr_tw.api.answers import json_answer
from dsmr_tw.api.fields import REQUIRED, instant
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import AskedMeter, MeterBook
from dsmr_tw.api.paging import BAD_INSTANT, Page, PageMaker, Query, Window, day_span, span
from dsmr_tw.api.problems import bad_fields
from dsmr_tw.domain.contract import contract_on, stretches
from dsmr_tw.domain.costs import Costs, costs_of
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.domain.spans import Amounts, SpanKind, SpanRow, Total
from dsmr_tw.domain.temperature import TemperatureSummary
from dsmr_tw.interfaces import IStore
from dsmr_tw.stored import ApiKey, SpanFilter

NOTHING: Final = Amounts(0, 0, 0, 0, None)
"""What is known of a time without readings."""

Costing: TypeAlias = Callable[[SpanRow], Costs]


@define
class StatisticsApi:
    """What went through the registers, span by span and between any two instants."""

    store: IStore
    gate: Gate
    meters: MeterBook
    pages: PageMaker
    clock: IReactorTime

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route("/api/v2/statistics/quarter")
    def quarters(self, request: Request) -> Deferred[bytes]:
        """Quarters of an hour."""
        return self._list(request, "Quarter Statistics", SpanKind.QUARTER)

    @app.route("/api/v2/statistics/hour")
    def hours(self, request: Request) -> Deferred[bytes]:
        """Hours."""
        return self._list(request, "Hour Statistics", SpanKind.HOUR)

    @app.route("/api/v2/statistics/day")
    def days(self, request: Request) -> Deferred[bytes]:
        """Days."""
        return self._list(request, "Day Statistics", SpanKind.DAY)

    @app.route("/api/v2/statistics/month")
    def months(self, request: Request) -> Deferred[bytes]:
        """Months."""
        return self._list(request, "Month Statistics", SpanKind.MONTH)

    @app.route("/api/v2/statistics/year")
    def years(self, request: Request) -> Deferred[bytes]:
        """Years."""
        return self._list(request, "Year Statistics", SpanKind.YEAR)

    @app.route("/api/v2/statistics/total")
    def total(self, request: Request) -> Deferred[bytes]:
        """Any stretch of time."""
        return self.gate.enter(request, "Total", GET=Way("read", self.show_total))

    def _list(self, request: Request, name: str, kind: SpanKind) -> Deferred[bytes]:
        return self.gate.enter(request, name, GET=Way("read", partial(self.list_spans, kind)))

    async def list_spans(self, kind: SpanKind, request: Request, key: ApiKey) -> bytes:
        """A page of closed spans of a kind."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        name = shapes_ledger.STARTS[kind]
        is_short = kind in (SpanKind.QUARTER, SpanKind.HOUR)
        limited = (span if is_short else day_span)(query, name, meter.zone)
        wanted = SpanFilter(kind, meter.id, limited.start, limited.end, self._now())

        async def read(window: Window) -> Page[SpanRow]:
            found = await self.store.statistics.page(wanted, query.descends(name), window.offset, window.limit)
            if is_short:
                return Page(found.count, found.rows, partial(shapes_ledger.short_span, kind=kind, show=meter.show))
            shape = partial(
                shapes_ledger.long_span,
                kind=kind,
                zone=meter.zone,
                costs=await self._costs(kind, meter, found.rows),
                temperatures=await self._temperatures(found.rows),
                show=meter.show,
            )
            return Page(found.count, found.rows, shape)

        return await self.pages.answer(request, query, read)

    async def show_total(self, request: Request, key: ApiKey) -> bytes:
        """What went through the registers from ``start`` to ``end``."""
        query = Query.of(request)
        meter = await self.meters.asked(query, key)
        start, end = _instants(query, meter.zone)
        total = await self.store.statistics.total(meter.id, start, end, self._now())
        if total is None:
            total = Total(start, end, NOTHING, estimated=True, gas_estimated=True)
        return json_answer(request, shapes_ledger.total(total, meter.show))

    def _now(self) -> int:
        return int(self.clock.seconds() * SECOND)

    async def _costs(self, kind: SpanKind, meter: AskedMeter, rows: Sequence[SpanRow]) -> Costing:
        """What each of the rows costs: its days' amounts, each under the contract of its day."""
        contracts, zone = await self.store.contracts.all(meter.id), meter.zone
        if kind is SpanKind.DAY:
            return lambda row: costs_of(row.amounts, contract_on(contracts, zone.day_of(row.start)), days=1)
        parts = [
            (row.start, zone.day_start(first), zone.day_start(end), contract)
            for row in rows
            for first, end, contract in stretches(contracts, zone.day_of(row.start), zone.day_of(row.end))
        ]
        sums = await self.store.statistics.sums(meter.id, [(start, end) for _, start, end, _ in parts])
        found = {row.start: Costs() for row in rows}
        for (row_start, _, _, contract), added in zip(parts, sums, strict=True):
            found[row_start] += costs_of(added.amounts, contract, added.days)
        return lambda row: found[row.start]

    async def _temperatures(self, rows: Sequence[SpanRow]) -> dict[int, TemperatureSummary | None]:
        """What was measured outdoors in each of the rows, by their starts."""
        summaries = await self.store.temperatures.summaries([(row.start, row.end) for row in rows])
        return dict(zip((row.start for row in rows), summaries, strict=True))


def _instants(query: Query, zone: MeterZone) -> tuple[int, int]:
    """The parameters ``start`` and ``end``.

    Raises: ``Problem`` 400 naming each that is not there, or is no date or time.
    """
    found: dict[str, int] = {}
    errors: dict[str, list[str]] = {}
    for name in ("start", "end"):
        text = query.get(name)
        try:
            found[name] = instant(text, zone)
        except ValueError:
            errors[name] = [BAD_INSTANT if text.strip() else REQUIRED]
    if not errors and found["end"] < found["start"]:
        errors["end"] = ["The end is before the start."]
    if errors:
        raise bad_fields(errors)
    return found["start"], found["end"]
