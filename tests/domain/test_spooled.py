"""Tests of dsmr_tw.domain.spooled: a telegram that comes out of the spool is the one that went in."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import FIRST_INSTANT, LAST_INSTANT, meter_zone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Arrival, Origin
from dsmr_tw.domain.spooled import arrival_in, record_in, record_of
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in, telegrams_in
from dsmr_tw.errors import TelegramError
from tests.arrivals import CABLE, KEY, NOON, posted
from tests.telegramtext import telegram

CORPUS = sorted((Path(__file__).resolve().parent.parent / "telegrams").glob("*.txt"))
NOTHING_MEASURED = ("be-emucs-50223-00",)
ZONES = ("Europe/Amsterdam", "Europe/Brussels", "Europe/Dublin", "Indian/Maldives")


def taken(
    raw: RawTelegram, origin: Origin = CABLE, received_at: int = NOON, zone: str = ZONES[0], by_arrival: bool = False
) -> Arrival:
    """A telegram as an intake takes it."""
    return arrival(TelegramParser().parse(raw), origin, received_at, meter_zone(zone), by_arrival)


class RecordTests(SynchronousTestCase):
    """Records."""

    def again(self, before: Arrival) -> object:
        """What comes out when this goes in."""
        return arrival_in(record_of(before), TelegramParser())

    def test_every_telegram_of_the_corpus(self) -> None:
        """Whatever the dialect, and whether its CRC was looked at or not, the same values come out."""
        seen = 0
        for path in CORPUS:
            for raw in outcomes_in(path.read_bytes(), CrcPolicy.OFF):
                if isinstance(raw, RawTelegram):
                    if path.stem in NOTHING_MEASURED:
                        self.assertRaises(TelegramError, taken, raw)
                        continue
                    for zone in ZONES:
                        before = taken(raw, zone=zone)
                        self.assertEqual(self.again(before), before, path)
                    seen += 1
        self.assertGreaterEqual(seen, len(CORPUS) - 2)

    def test_facts_come_back(self) -> None:
        """What a telegram tells of the past outlives an outage of the store with it."""
        for name in ("be-emucs-50217-06", "dsmr-4-2-00"):
            [raw] = outcomes_in((CORPUS[0].parent / f"{name}.txt").read_bytes(), CrcPolicy.OFF)
            assert isinstance(raw, RawTelegram)
            again = self.again(taken(raw))
            assert isinstance(again, Arrival)
            self.assertTrue(again.peaks or again.failures, name)

    @given(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=80),
        st.none() | st.integers(1, 2**62),
        st.integers(FIRST_INSTANT, LAST_INSTANT),
        st.sampled_from(ZONES),
        st.booleans(),
    )
    def test_from_wherever_and_whenever_it_came(
        self, name: str, meter_id: int | None, received_at: int, zone: str, by_arrival: bool
    ) -> None:
        """Cable or key, the owner's choice of a meter and of a clock, time of arrival and zone are kept."""
        [raw] = telegrams_in(telegram(without="0-0:1.0.0"))
        before = taken(raw, Origin(name, meter_id), received_at, zone, by_arrival)
        self.assertEqual(self.again(before), before)

    def test_a_byte_of_any_value(self) -> None:
        """What is no text stays what it is."""
        data = b"/TST5\r\n\r\n1-0:1.8.1(000001.000*kWh)\r\n0-0:96.13.0(\xff\x00\x80)\r\n!"
        before = taken(RawTelegram(data, None), KEY)
        self.assertEqual(self.again(before), before)

    def test_a_record_that_is_no_telegram_any_more(self) -> None:
        """Another version of the program may have understood it; it is told in words."""
        [raw] = telegrams_in(telegram())
        record = record_of(taken(raw)).replace(b"1-0:1.8.1(001000", b"1-0:1.8.1(00x000")
        self.assertIsInstance(arrival_in(record, TelegramParser()), TelegramError)

    def test_for_people(self) -> None:
        """A record can be shown: when and from where it came, and the telegram as it was."""
        [raw] = telegrams_in(telegram())
        self.assertEqual(
            record_in(record_of(taken(raw, KEY))).text(), f"2024-04-02T10:00:00Z key 1\n{telegram().strip()}\n"
        )

    def test_only_telegrams(self) -> None:
        """A v2 POST is answered with what the store says, so it can't be kept for later."""
        with self.assertRaises(AssertionError):
            record_of(posted())
