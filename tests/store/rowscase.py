"""What tests of the lists of the ledger stand on: rows as if they had been computed, and a way to list them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Any, Final

from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import DAY
from dsmr_tw.domain.spans import QUARTER, SpanKind, SpanRow
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.spans import recount
from dsmr_tw.stored import SpanFilter, SpanPage
from tests.arrivals import MINUTE, NOON
from tests.contracts.storecase import FIRST
from tests.store.test_sqlite import ZONE, SqliteCase

LOCAL: Final = MeterZone(ZONE)

OTHER: Final = FIRST + 1

BEGIN: Final = NOON - NOON % DAY
"""The midnight (UTC) before."""


class RowsCase(SqliteCase):
    """A test that says itself what the ledger has computed."""

    def put(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Store rows, and count the quarters and hours there are."""

        def write(connection: Connection) -> None:
            for row in rows:
                connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
            for meter_id in (FIRST, OTHER):
                recount(connection, meter_id, NOON - 5_000 * DAY, NOON + 5_000 * DAY)

        self.ask(self.store.database.write, write)

    def put_quarters(self, *starts: int, last_after: int = QUARTER - MINUTE, meter_id: int = FIRST) -> None:
        """Quarters without gaps, each numbered by its amount; their last accepted reading stands at their end."""
        self.put(
            "quarter",
            [
                (meter_id, at, number, 0, 0, 0, 0, 0, 0, 0, None, None, False, False, at, at + last_after)
                for number, at in enumerate(starts)
            ],
        )

    def put_gas(self, equipment_id: int, at: int, amount: int, start: bool = False, end: bool = False) -> None:
        """A quarter of a device, and whether its ends are estimated."""
        self.put("device_quarter", [(FIRST, equipment_id, at, amount, 0, start, end, at, at)])

    def put_devices(self, *types: int) -> None:
        """M-Bus devices of the first meter, numbered from 1 on."""
        self.put(
            "equipment",
            [(number, FIRST, of, f"DEVICE-{number}", number, 0, 0) for number, of in enumerate(types, start=1)],
        )

    def put_hours(self, *starts: int, meter_id: int = FIRST) -> None:
        """Hours, each numbered by its amount."""
        self.put(
            "hour_statistics",
            [(meter_id, at, number, 2, 3, 4, None, False, False) for number, at in enumerate(starts)],
        )

    def put_days(self, first: date, last: date, *without: date, gas: int | None = 5, meter_id: int = FIRST) -> None:
        """The days from one to another, but for some; each with the same amounts, and its date as a position."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        self.put(
            "day_statistics",
            [
                (meter_id, *LOCAL.bounds(day), 1, 2, 3, 4, gas, False, True, 11, day.toordinal(), 13, 14, 15, 16, 17)
                for day in days
                if day not in without
            ],
        )

    def list_of(
        self,
        kind: SpanKind,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
        meter_id: int = FIRST,
    ) -> SpanPage:
        """A page of a list."""
        wanted = SpanFilter(kind, meter_id, start, end)
        page: SpanPage = self.ask(self.store.statistics.page, wanted, descending, offset, limit)
        return page

    def rows_of(self, kind: SpanKind, *bounds: int | None, **options: Any) -> list[SpanRow]:
        """All rows of a list, which must be as many as it says."""
        page = self.list_of(kind, *bounds, **options)
        self.assertEqual(page.count, len(page.rows))
        return page.rows
