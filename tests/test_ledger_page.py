"""``docs/ledger.md`` is right: the telegrams of its tables are stored, and the rows of its tables come out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import instant_of
from dsmr_tw.domain.reading import DAY, HOUR, Arrival
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.domain.units import three_decimals
from dsmr_tw.store.connect import store_at
from dsmr_tw.stored import SpanFilter
from tests.arrivals import MINUTE, gas, heard
from tests.onpostgres import emptied

PAGE = Path(__file__).resolve().parent.parent / "docs" / "ledger.md"
Row = dict[str, str]

BEGINNING = "1-0:1.8.1 at its start"
GAS = "0-1:24.2.1 on the hour"


def sections() -> dict[str, str]:
    """The page's sections that have tables, by their headings."""
    parts = re.split(r"^## (.+)$", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return {name: text for name, text in zip(parts[::2], parts[1::2], strict=True) if "| telegrams from |" in text}


def tables(text: str) -> Iterator[list[Row]]:
    """The tables of a section."""
    for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        heading, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
        yield [dict(zip(heading, row, strict=True)) for row in rows]


def thousandths(text: str) -> int:
    """A number with three decimals."""
    whole, fraction = text.split(".")
    return int(whole + fraction)


def at(text: str) -> int:
    """The instant of an ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def telegrams(row: Row) -> Iterator[Arrival]:
    """What a row of a table of telegrams stands for."""
    every = int(row["every"].removesuffix(" min")) * MINUTE
    rise = thousandths(row["each time"]) if row["each time"] else 0
    begins, _, hourly = row[GAS].partition(" ")
    start = at(row["telegrams from"])
    for number, instant in enumerate(range(start, at(row["to"]) + 1, every)):
        devices = []
        if begins and instant % HOUR == 0:
            value = thousandths(begins) + (instant - start) // HOUR * thousandths(hourly)
            devices.append(gas(instant, value))
        position = thousandths(row["1-0:1.8.1"]) + number * rise
        yield heard(instant, *devices, equipment_id=row["meter"], delivered_1=position, delivered_2=0)


class PageTests(SynchronousTestCase):
    """Each example of the page."""

    def make_url(self) -> str | None:
        """An empty database, if it is not a file."""
        return None

    def check(self, name: str) -> None:
        """Store the telegrams of a section, and compare what comes out with its other tables."""
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.store = store_at(self.make_url(), path, "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        self.successResultOf(self.store.open())
        self.addCleanup(self.store.close)
        said, *expected = tables(sections()[name])
        arrivals = [arrival for row in said for arrival in telegrams(row)]
        now = arrivals[-1].received_at + DAY
        self.successResultOf(self.store.readings.add([arrivals], now))
        while self.successResultOf(self.store.ledger.recompute(1, now)):
            pass
        while self.successResultOf(self.store.ledger.close(1, now)):
            pass
        for table in expected:
            if "span" in table[0]:
                for row in table:
                    self.assertEqual(self.told(row), row)
            else:
                self.assertEqual(self.found(), [tuple(row.values()) for row in table])

    def told(self, row: Row) -> Row:
        """A row of the page as it would be with what is in the store."""
        kind, start = SpanKind(row["span"]), at(row["begins"])
        page = self.successResultOf(self.store.statistics.page(SpanFilter(kind, 1, start, start), False, 0, 9))
        [span] = page.rows
        position = ""
        if row[BEGINNING]:
            [(value,)] = self.rows("SELECT delivered_1_position FROM quarter WHERE instant = ?", start)
            position = three_decimals(value)
        return {
            "span": kind.value,
            "begins": row["begins"],
            BEGINNING: position,
            "electricity1": three_decimals(span.amounts.delivered_1),
            "estimated": "yes" if span.estimated else "no",
            "gas": "" if span.amounts.gas is None else three_decimals(span.amounts.gas),
            "gas_estimated": "yes" if span.gas_estimated else "no",
        }

    def found(self) -> list[tuple[str, str, str]]:
        """Epochs and outliers of the electricity, as the page lists them."""
        found = self.rows(
            "SELECT 'epoch', instant, reason FROM epoch WHERE equipment_id = 0"
            " UNION ALL SELECT 'outlier', instant, reason FROM outlier WHERE equipment_id = 0 ORDER BY instant"
        )
        zone = datetime.fromisoformat("2024-06-01T00:00+02:00").tzinfo
        return [
            (kind, datetime.fromtimestamp(instant // 1_000_000, zone).isoformat(timespec="minutes"), reason)
            for kind, instant, reason in found
        ]

    def rows(self, sql: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
        """What the database answers."""
        return self.successResultOf(
            self.store.database.read(lambda connection: connection.execute(sql, parameters).fetchall())
        )

    def test_an_outage(self) -> None:
        """What went through while nobody listened is spread over the time, and none of it is lost."""
        self.check("An outage of two and a half hours")

    def test_both_changes_of_the_clock(self) -> None:
        """Days of 92 and 100 quarters have all of them."""
        self.check("The days of 23 and 25 hours")

    def test_a_swap(self) -> None:
        """Each meter's own amounts are counted."""
        self.check("A meter that is swapped")

    def test_a_glitch(self) -> None:
        """A reading that can't be is listed, and costs nothing."""
        self.check("A glitch")

    def test_each_example_is_tested(self) -> None:
        """No section with tables is left out here."""
        self.assertEqual(len(sections()), 4)


class PageOnPostgresTests(PageTests):
    """The same over a PostgreSQL server."""

    def make_url(self) -> str:
        """An empty database."""
        return emptied()
