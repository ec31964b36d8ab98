"""Hours and days as CSV files, over HTTP."""

from __future__ import annotations

import csv
from datetime import datetime
from io import StringIO

from twisted.python.failure import Failure

from dsmr_tw.domain.columns import DAY_HEADINGS
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.export import PAGE
from dsmr_tw.httpserver import FETCH_SECONDS, BoundedChannel
from dsmr_tw.limits import EXPORTS
from tests.arrivals import METER, OTHER_METER, QUARTER, SECOND_CABLE, heard
from tests.past import compute, local, store_readings
from tests.prices import contract
from tests.serving import KEY, Answer, ServedCase, Transport, answer_of, request_bytes

EXPORT = "/api/v2/export"
HOURS = f"{EXPORT}/hours.csv"
DAYS = f"{EXPORT}/days.csv"

END = b"\n0\r\n\r\n"
"""What a whole answer in chunks ends with, behind the line end of its last row."""


class ExportCase(ServedCase):
    """A house that was read until noon of 2024-04-02."""

    first_day = "2024-03-29"
    step = QUARTER

    def setUp(self) -> None:
        """Compute the ledger of its readings."""
        super().setUp()
        store_readings(self.served, f"{self.first_day}T00:00", "2024-04-02T12:00", step=self.step)
        compute(self.served)

    def begin(self, path: str) -> tuple[BoundedChannel, Transport]:
        """Ask for a file; nothing but its beginning is sent before the clock is moved."""
        channel, transport = self.served.channel()
        channel.dataReceived(request_bytes("GET", path, {"Host": "a", "X-AUTHKEY": KEY}))
        assert isinstance(transport, Transport)
        return channel, transport

    def file(self, path: str) -> Answer:
        """A whole file."""
        channel, transport = self.begin(path)
        self.served.clock.advance(0)
        answer = answer_of(transport.value())
        self.assertEqual(answer.status, 200, answer)
        channel.connectionLost(Failure(ConnectionError()))
        return answer

    def rows(self, path: str) -> list[list[str]]:
        """Its rows, the headings first."""
        return list(csv.reader(StringIO(self.file(path).text, newline="")))

    def starts(self, path: str) -> list[str]:
        """What its rows begin with."""
        return [row[0] for row in self.rows(path)[1:]]


class FileTests(ExportCase):
    """What is in the files."""

    def test_hours(self) -> None:
        """The hours that are over, oldest first, in local time: as importers of DSMR-reader's exports take them."""
        answer = self.file(HOURS)
        lines = answer.text.split("\r\n")
        self.assertEqual(
            lines[:2],
            [
                "Hour Start,Electricity 1 (Dutch Users: Low Tariff),Electricity 2 (Dutch Users: Normal Tariff),"
                "Electricity 1 Returned (Dutch Users: Low Tariff),Electricity 2 Returned (Dutch Users: Normal Tariff),"
                "Gas",
                "2024-03-29T00:00:00+01:00,0.400,0.100,0.040,0.000,0.080",
            ],
        )
        self.assertEqual((len(lines), lines[-1]), (1 + 107 + 1, ""))
        self.assertTrue(lines[-2].startswith("2024-04-02T11:00:00+02:00,"))

    def test_days(self) -> None:
        """The days that are over, with what they cost."""
        self.successResultOf(self.served.store.contracts.add(contract()))
        headings, *rows = self.rows(f"{DAYS}?from=2024-03-30&to=2024-03-30")
        self.assertEqual(headings, DAY_HEADINGS)
        self.assertEqual(
            ",".join(*rows),
            "2024-03-30,9.600,2.400,0.960,0.000,1.920,2.31,0.72,2.40,0.40,5.83,false,false,"
            "2024-03-30T00:00:00+01:00,10854.400,20213.600,1085.440,0.000,2024-03-30T00:00:00+01:00,5170.880",
        )

    def test_headers(self) -> None:
        """It is a file of text, named after what is in it; how long it will be nobody knows."""
        for path, name in (
            (HOURS, "dsmr-hours.csv"),
            (f"{DAYS}?from=2024-3-1", "dsmr-days_2024-03-01.csv"),
            (f"{DAYS}?from=2024-03-01&to=2024-04-30", "dsmr-days_2024-03-01_2024-04-30.csv"),
        ):
            headers = self.file(path).headers
            self.assertEqual(headers["Content-Type"], "text/csv; charset=utf-8")
            self.assertEqual(headers["Content-Disposition"], f'attachment; filename="{name}"')
            self.assertEqual(headers["Transfer-Encoding"], "chunked")
            self.assertNotIn("Content-Length", headers)

    def test_local_time_always(self) -> None:
        """Times are local, with or without ``--api-timestamps local``."""
        self.served = self.serve(local_timestamps=True)
        store_readings(self.served, "2024-04-02T00:00", "2024-04-02T12:00")
        compute(self.served)
        self.assertEqual(self.starts(HOURS)[0], "2024-04-02T00:00:00+02:00")

    def test_days_included(self) -> None:
        """``from`` and ``to`` are days of the meter's zone, both included; a blank one does not limit."""
        days = ["2024-03-29", "2024-03-30", "2024-03-31", "2024-04-01"]
        for query, expected in (
            ("", days),
            ("?from=&to=+", days),
            ("?from=2024-03-31", days[2:]),
            ("?to=2024-03-30", days[:2]),
            ("?from=2024-03-30&to=2024-03-31&day__gte=x", days[1:3]),
            ("?from=0001-01-01&to=9999-12-31", days),
            ("?from=2024-04-02", []),
        ):
            self.assertEqual(self.starts(DAYS + query), expected, query)
        self.assertEqual(len(self.starts(f"{HOURS}?from=2024-03-31&to=2024-03-31")), 23)

    def test_days_that_are_none(self) -> None:
        """What is no day is refused by name, as in lists, and so is an end before the beginning."""
        wrong = ["Enter a valid date."]
        for path in (HOURS, DAYS):
            for query, errors in (
                ("from=x&to=2024-02-30", {"from": wrong, "to": wrong}),
                ("from=2024-03-31T00:00:00Z", {"from": wrong}),
                ("to=31-03-2024&from=2024-03-30", {"to": wrong}),
                ("from=2024-03-31&to=2024-03-30", {"to": ["The last day is before the first."]}),
            ):
                answer = self.served.get(f"{path}?{query}")
                self.assertEqual((answer.status, answer.json), (400, errors), query)
                self.assertNotIn("Content-Disposition", answer.headers)

    def test_which_meter(self) -> None:
        """Another meter's file has its rows only; a meter that there is not has none."""
        start, end = local("2024-04-02T08:00"), local("2024-04-02T12:00")
        first = heard(start, equipment_id=METER)
        others = [heard(at, origin=SECOND_CABLE, equipment_id=OTHER_METER) for at in (start, end)]
        self.successResultOf(self.served.store.readings.add([[first, others[0]], [others[1]]], end))
        compute(self.served)
        self.assertEqual(self.starts(f"{HOURS}?meter=2")[0], "2024-04-02T08:00:00+02:00")
        self.assertEqual(self.starts(f"{DAYS}?meter=1")[0], "2024-03-29")
        answer = self.served.get(f"{HOURS}?meter=3")
        self.assertEqual((answer.status, answer.json), (400, {"meter": ["There is no such meter."]}))


class DoorTests(ExportCase):
    """Who gets a file."""

    def test_keys(self) -> None:
        """A key that may read suffices, and one is needed."""
        self.served.add_key("reads-only", "read")
        self.served.clock.advance(1)
        path = f"{DAYS}?to=2024-03-30"
        self.assertEqual(self.served.get(path, key="reads-only").status, 200)
        self.assertEqual(self.served.get(path, key=None).status, 403)
        self.assertEqual(self.serve(enabled=False).get(path).json, {"detail": "API is disabled"})

    def test_head(self) -> None:
        """HEAD tells what GET would, without a row."""
        for path in (HOURS, f"{DAYS}?from=2024-03-30"):
            answer = self.served.ask("HEAD", path)
            told = {name: self.file(path).headers[name] for name in ("Content-Type", "Content-Disposition")}
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertLessEqual(told.items(), dict(answer.headers).items())
        self.assertEqual(self.served.ask("HEAD", f"{HOURS}?from=x").status, 400)

    def test_methods(self) -> None:
        """There is nothing to be sent here."""
        answer = self.served.post(HOURS)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(self.served.ask("OPTIONS", DAYS).status, 200)
        for path in (f"{EXPORT}/readings.csv", f"{EXPORT}/", f"{HOURS}/"):
            self.assertEqual((self.served.get(path).status, path), (404, path))

    def test_accept(self) -> None:
        """Who takes CSV, or does not mind, gets it; so does who takes JSON, as from every route."""
        path = f"{DAYS}?to=2024-03-30"
        for accept in ("text/csv", "text/*;q=0.5", "text/html, */*;q=0.8", "application/json", ""):
            self.assertEqual(self.served.get(path, Accept=accept).status, 200, accept)
        answer = self.served.get(path, Accept="text/html")
        self.assertEqual((answer.status, list(answer.json)), (406, ["detail"]))
        self.assertEqual(self.served.get("/api/v2/meters", Accept="text/csv").status, 406)


class LongTests(ExportCase):
    """Files of more than a page."""

    first_day = "2024-02-15"
    step = HOUR
    hours = 47 * 24 - 1 + 12

    def test_all_of_it(self) -> None:
        """Every hour is in the file, once, and in order."""
        starts = self.starts(HOURS)
        self.assertGreater(self.hours, PAGE)
        self.assertEqual(len(starts), self.hours)
        self.assertEqual(len(set(starts)), self.hours)
        instants = [datetime.fromisoformat(start) for start in starts]
        self.assertEqual(sorted(instants), instants)

    def test_slices(self) -> None:
        """The reactor does other work between its parts."""
        _, transport = self.begin(HOURS)
        sizes = []

        def look() -> None:
            sizes.append(len(transport.value()))
            if not transport.value().endswith(END):
                self.served.clock.callLater(0, look)

        look()
        self.served.clock.advance(0)
        self.assertGreater(len(sizes), self.hours // 100)
        self.assertEqual(sizes, sorted(sizes))

    def test_a_client_that_never_reads(self) -> None:
        """What is written for it stays small, and after a minute it is cut off."""
        channel, transport = self.begin(HOURS)
        channel.pauseProducing()
        written = len(transport.value())
        for _ in range(FETCH_SECONDS):
            self.served.clock.advance(1)
        self.assertEqual(len(transport.value()), written)
        self.assertTrue(transport.aborted)

    def test_a_client_that_reads_later(self) -> None:
        """It gets the rest, from where it was."""
        channel, transport = self.begin(HOURS)
        channel.pauseProducing()
        self.served.clock.advance(1)
        channel.resumeProducing()
        self.served.clock.advance(0)
        self.assertEqual(answer_of(transport.value()).text, self.file(HOURS).text)

    def test_a_client_that_hangs_up(self) -> None:
        """No more is read for it."""
        channel, transport = self.begin(HOURS)
        written = len(transport.value())
        channel.connectionLost(Failure(ConnectionError()))
        self.served.reading.error = AssertionError("it is read all the same")
        self.served.clock.advance(1)
        self.assertEqual(len(transport.value()), written)
        self.assertEqual(self.served.clock.getDelayedCalls(), [])

    def test_a_client_that_hangs_up_before(self) -> None:
        """It may do so while the first rows are looked for, too."""
        self.file(HOURS)
        self.served.reading.held = True
        for number in range(EXPORTS + 1):
            channel, transport = self.begin(HOURS)
            channel.connectionLost(Failure(ConnectionError()))
            self.assertEqual((transport.value(), self.served.reading.cancelled), (b"", number + 1))
        self.served.reading.held = False
        self.assertEqual(len(self.starts(HOURS)), self.hours)

    def test_the_store_is_away(self) -> None:
        """Before the first row that is 503; later the connection is cut, and the file is not whole."""
        _, transport = self.begin(HOURS)
        self.served.reading.error = StoreUnavailable("the disk is gone")
        answer = self.served.get(DAYS)
        self.assertEqual((answer.status, answer.json), (503, {"detail": "The store is not available now."}))
        self.served.clock.advance(0)
        self.assertTrue(transport.aborted)
        self.assertFalse(transport.value().endswith(END))
        self.assertEqual(len(self.flushLoggedErrors(StoreUnavailable)), 1)
        self.served.reading.error = None

    def test_many_at_a_time(self) -> None:
        """Each holds rows in memory, so there may be a few; whoever ends or hangs up makes room."""
        under_way = [self.begin(HOURS)[0] for _ in range(EXPORTS)]
        answer = self.served.get(HOURS)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))
        self.assertEqual(answer.json, {"detail": "Too many exports are under way."})
        self.assertEqual(self.served.limits.hits["exports"], 1)
        under_way[0].connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.served.get(f"{HOURS}?from=2024-04-02").status, 200)
        self.served.clock.advance(0)
        self.assertEqual(len(self.starts(HOURS)), self.hours)
