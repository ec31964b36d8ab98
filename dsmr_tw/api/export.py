"""Responsible for the routes of API version 2 below ``export/``: hours and days as CSV files.

Tests: ``tests/api/test_export.py``
"""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Final

from attrs import define, field
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from dsmr_tw.api import problems
from dsmr_tw.api.fields import day
from dsmr_tw.api.gate import Gate, Way
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.paging import BAD_DAY, Query
from dsmr_tw.api.problems import bad_fields, try_again
from dsmr_tw.api.streaming import Stream
from dsmr_tw.export import TABLES, Period
from dsmr_tw.interfaces import IStore
from dsmr_tw.limits import EXPORTS, Limits
from dsmr_tw.stored import ApiKey

CSV: Final = "text/csv"


@define
class ExportApi:
    """What the ledger adds up to, for spreadsheets and for other programs."""

    store: IStore
    gate: Gate
    meters: MeterBook
    limits: Limits
    clock: IReactorTime
    _under_way: int = field(default=0, init=False)
    """How many exports are being sent: each holds a page of rows, as long as its client takes."""

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route("/api/v2/export/hours.csv")
    def hours(self, request: Request) -> Deferred[bytes]:
        """Hours."""
        return self.gate.enter(request, "Export Hours", GET=Way("read", partial(self.send, "hours"), CSV))

    @app.route("/api/v2/export/days.csv")
    def days(self, request: Request) -> Deferred[bytes]:
        """Days."""
        return self.gate.enter(request, "Export Days", GET=Way("read", partial(self.send, "days"), CSV))

    async def send(self, name: str, request: Request, key: ApiKey) -> bytes:
        """The table with this name, as long as the days ``from`` and ``to`` make it."""
        query = Query.of(request)
        period = asked_period(query)
        meter = await self.meters.asked(query, key)
        if self._under_way >= EXPORTS:
            self.limits.hit("exports")
            raise try_again("Too many exports are under way.")
        self._under_way += 1
        try:
            export = await TABLES[name](self.store, meter.id, meter.zone, period)
            # Before the headers: a store that is away is still answered as it should be.
            first = await export.part()
            _announce(request, file_name(name, period))
            if request.method != b"HEAD":
                await Stream(request, self.clock).send(first, export)
        finally:
            self._under_way -= 1
        return b""


def asked_period(query: Query) -> Period:
    """The days that the parameters ``from`` and ``to`` name; a blank one names none.

    Raises: ``Problem`` 400 naming each that is no day, or ``to`` when it is before ``from``.
    """
    found: dict[str, date] = {}
    errors: dict[str, list[str]] = {}
    for name in ("from", "to"):
        text = query.get(name)
        if not text.strip():
            continue
        try:
            found[name] = day(text)
        except ValueError:
            errors[name] = [BAD_DAY]
    period = Period(found.get("from"), found.get("to"))
    if period.is_backwards:
        errors["to"] = ["The last day is before the first."]
    if errors:
        raise bad_fields(errors)
    return period


def file_name(name: str, period: Period) -> str:
    """What a browser calls the file: ``dsmr-hours_2024-01-01_2024-12-31.csv``."""
    days = (str(day) for day in (period.first, period.last) if day is not None)
    return f"{'_'.join((f'dsmr-{name}', *days))}.csv"


def _announce(request: Request, name: str) -> None:
    request.setHeader("Content-Type", f"{CSV}; charset=utf-8")
    request.setHeader("Content-Disposition", f'attachment; filename="{name}"')
