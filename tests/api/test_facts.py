"""Peaks and power failures over HTTP, from real telegrams."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Failure
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.threads import result_of
from tests.arrivals import CABLE, NOON, OTHER_METER, SECOND_CABLE, heard
from tests.golden_telegrams import telegram
from tests.serving import V1, ServedCase

PEAKS, EVENTS = "/api/v2/peaks", "/api/v2/events"


class FactsCase(ServedCase):
    """A test that posts telegrams and lists what they tell."""

    def post_telegram(self, name: str) -> None:
        """Post a telegram from the field."""
        answer = self.served.post(V1, {"telegram": telegram(name).decode("latin-1")})
        self.assertEqual(answer.status, 201, answer)

    def raw(self, name: str) -> RawTelegram:
        """A telegram from the field."""
        [outcome] = outcomes_in(telegram(name), CrcPolicy.OFF)
        assert isinstance(outcome, RawTelegram)
        return outcome

    def page(self, url: str) -> Any:
        """A page of a list."""
        answer = self.served.get(url)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def listed(self, url: str, name: str) -> list[Any]:
        """One field of the rows of a page."""
        return [row[name] for row in self.page(url)["results"]]


class PeakTests(FactsCase):
    """Peaks of months."""

    def setUp(self) -> None:
        """A Belgian meter in November."""
        super().setUp()
        self.post_telegram("be-emucs-50217-02")

    def test_a_peak(self) -> None:
        """A month has its first day, the end of its highest quarter, and what was delivered in that, in kW."""
        page = self.page(PEAKS)
        self.assertEqual(list(page), ["count", "next", "previous", "results"])
        self.assertEqual((page["count"], page["next"], page["previous"]), (4, None, None))
        self.assertEqual(
            list(page["results"][0].items()),
            [
                ("id", 643),
                ("month", "2023-08-01"),
                ("read_at_end", "2023-08-31T16:15:00Z"),
                ("average_delivered", "1.862"),
            ],
        )
        self.assertEqual(self.listed(PEAKS, "average_delivered"), ["1.862", "4.229", "4.927", "3.064"])

    def test_the_same_telegram_again(self) -> None:
        """What is told again is listed once."""
        before = self.page(PEAKS)
        self.post_telegram("be-emucs-50217-02")
        self.assertEqual(self.page(PEAKS), before)

    def test_pages(self) -> None:
        """Who follows ``next`` sees each month once, the newest first if that is wished."""
        seen, url = [], f"{PEAKS}?limit=3&ordering=-month"
        while url:
            page = self.page(url.removeprefix("http://meter.example:8080"))
            self.assertEqual(page["count"], 4)
            seen += [row["month"] for row in page["results"]]
            url = page["next"]
        self.assertEqual(seen, ["2023-11-01", "2023-10-01", "2023-09-01", "2023-08-01"])
        self.assertEqual(self.page(f"{PEAKS}?offset={'9' * 30}")["results"], [])

    def test_filters(self) -> None:
        """Days limit the list, both included; what is no day is refused."""
        for query, months in (
            ("month__gte=2023-09-01&month__lte=2023-10-01", ["2023-09-01", "2023-10-01"]),
            ("month=2023-10-01", ["2023-10-01"]),
            ("month__gte=2023-10-02&month__lte=", ["2023-11-01"]),
            ("month=2023-10-02&ended_at=x", []),
        ):
            self.assertEqual(self.listed(f"{PEAKS}?{query}", "month"), months, query)
        answer = self.served.get(f"{PEAKS}?month__gte=2023-10")
        self.assertEqual((answer.status, answer.json), (400, {"month__gte": ["Enter a valid date."]}))

    def test_in_another_zone(self) -> None:
        """A server that was told another time zone still lists each month once."""
        before = self.listed(PEAKS, "month")
        parsed = TelegramParser().parse(self.raw("be-emucs-50217-02"))
        for zone in ("Europe/Dublin", "Europe/Helsinki"):
            arrived = arrival(parsed, CABLE, NOON, meter_zone(zone))
            result_of(self.served.store.readings.add([[arrived]], NOON))
        self.assertEqual(self.listed(PEAKS, "month"), before)


class EventTests(FactsCase):
    """Power failures."""

    def setUp(self) -> None:
        """A Dutch meter that remembers two."""
        super().setUp()
        self.post_telegram("dsmr-4-2-00")

    def test_an_event(self) -> None:
        """A failure has a beginning, an end and a length; the oldest comes first."""
        page = self.page(EVENTS)
        self.assertEqual((page["count"], page["next"], page["previous"]), (2, None, None))
        self.assertEqual(
            list(page["results"][0].items()),
            [
                ("id", 1_618_553_987),
                ("kind", "power failure"),
                ("started_at", "2021-04-16T05:01:51Z"),
                ("ended_at", "2021-04-16T06:19:47Z"),
                ("seconds", 4676),
            ],
        )

    def test_lists(self) -> None:
        """Pages, order and filters are those of every list."""
        first, second = "2021-04-16T06:19:47Z", "2021-12-09T18:06:18Z"
        for query, ends in (
            ("ordering=-ended_at", [second, first]),
            ("ordering=-timestamp", [first, second]),
            ("limit=1&offset=1", [second]),
            (f"ended_at={first}", [first]),
            ("ended_at__gte=2021-04-16T08:19:48", [second]),
            ("ended_at__lte=2021-12-09", [first]),
        ):
            self.assertEqual(self.listed(f"{EVENTS}?{query}", "ended_at"), ends, query)
        answer = self.served.get(f"{EVENTS}?ended_at__lte=x")
        self.assertEqual((answer.status, answer.json), (400, {"ended_at__lte": ["Enter a valid date/time."]}))

    def test_of_unknown_length(self) -> None:
        """What another program noted without a length has no beginning."""
        self.served.do("DELETE FROM event")
        self.served.do(f"INSERT INTO event VALUES (1, {NOON}, 'sag', NULL)")
        [row] = self.page(EVENTS)["results"]
        self.assertEqual((row["kind"], row["started_at"], row["seconds"]), ("sag", None, None))

    def test_while_the_store_is_away(self) -> None:
        """A telegram that waited in the spool brings what it tells of the past with it."""
        self.served = self.serve()
        self.served.writing.error = StoreUnavailable("disk full")
        self.post_telegram("dsmr-4-2-00")
        self.assertEqual(self.page(EVENTS)["count"], 0)
        self.served.writing.error = None
        self.served.clock.advance(1)
        self.assertEqual(self.page(EVENTS)["count"], 2)

    def test_another_meter(self) -> None:
        """Each meter has its own, and a key for one sees no other's."""
        other = evolve(heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER), failures=(Failure(NOON, 9),))
        result_of(self.served.store.readings.add([[other]], NOON))
        self.assertEqual(self.listed(f"{EVENTS}?meter=2", "seconds"), [9])
        self.assertEqual(self.page(EVENTS)["count"], 2)
        self.served.add_key("second-only", "read", 2)
        self.assertEqual(self.served.get(EVENTS, key="second-only").json["count"], 1)
        self.assertEqual(self.served.get(f"{EVENTS}?meter=1", key="second-only").status, 403)
        self.assertEqual(self.served.get(f"{PEAKS}?meter=3").status, 400)

    def test_local_time(self) -> None:
        """``--api-timestamps local`` shows local time."""
        self.served = self.serve(local_timestamps=True)
        self.post_telegram("dsmr-4-2-00")
        self.assertEqual(self.listed(EVENTS, "ended_at")[0], "2021-04-16T08:19:47+02:00")
