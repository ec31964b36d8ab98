"""Tests of dsmr_tw.datalogger: a telegram's way to the store, and to those who follow it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import DAY, GAS, SECOND, Arrival, DeviceReading, Receipt
from dsmr_tw.domain.telegram import RawTelegram, telegrams_in
from dsmr_tw.errors import StoreUnavailable, TelegramError
from dsmr_tw.interfaces import IIntake
from dsmr_tw.limits import Limits
from dsmr_tw.spool import Spool
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ReadingFilter, ReadingPage, StoredStatistics
from tests.arrivals import CABLE, KEY, MINUTE, NOON, devices_only, heard, posted, water
from tests.serving import Work
from tests.telegramtext import signed, telegram

FIRST = 1


def raw(text: str) -> RawTelegram:
    """A telegram as the line's receiver hands it on."""
    [telegram] = telegrams_in(text)
    return telegram


class DataloggerCase(SynchronousTestCase):
    """A datalogger before a real store, at noon."""

    def setUp(self) -> None:
        """Open an empty store."""
        self.clock = Clock()
        self.clock.advance(NOON // SECOND)
        path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.writing = Work()
        self.store = sqlite_store(path, "Europe/Amsterdam", self.writing, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(self.close)
        self.spool = Spool(path.with_name("spool"), maybeDeferred)
        self.spool.open()
        self.addCleanup(self.spool.close)
        self.told: list[tuple[Sequence[Arrival], Sequence[Receipt]]] = []
        self.datalogger = self.make(self.follow)

    def close(self) -> None:
        """Close the store, be it away or not."""
        self.away(False)
        result_of(self.store.close())

    def make(self, *followers: object) -> Datalogger:
        """A datalogger."""
        zone = MeterZone("Europe/Amsterdam")
        datalogger = Datalogger(
            self.store,
            self.clock,
            zone,
            Limits(),
            self.spool,
            followers=followers,  # type: ignore[arg-type]
        )
        datalogger.startService()
        return datalogger

    def follow(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """Follow what is stored."""
        stored = {reading.id for reading in self.page().readings}
        self.assertLessEqual({receipt.reading_id for receipt in receipts if receipt.reading_id}, stored)
        self.told.append((arrivals, receipts))

    def receive(self, text: str, received_at: int = NOON) -> None:
        """Let a telegram come from the cable."""
        self.datalogger.telegram_received(raw(text), received_at, CABLE)

    def submit(self, *arrivals: Arrival) -> list[Receipt]:
        """Submit arrivals, which are stored at once."""
        return self.successResultOf(self.datalogger.submit(arrivals))

    def page(self) -> ReadingPage:
        """What is stored."""
        page: ReadingPage = result_of(self.store.readings.page(ReadingFilter(FIRST), False, 0, 100))
        return page

    def statistics(self) -> StoredStatistics:
        """What the meter said about itself."""
        statistics: StoredStatistics = result_of(self.store.meters.statistics(FIRST))
        return statistics

    def away(self, away: bool) -> None:
        """Let the disk take no writes, or take them again."""
        self.writing.error = StoreUnavailable("the disk is full") if away else None


class LineTests(DataloggerCase):
    """Telegrams of a line."""

    def test_a_telegram_is_stored_within_its_second(self) -> None:
        """Its values, its gas, its text and what it says about the meter are all there."""
        self.receive(telegram())
        self.assertEqual(self.page().count, 0)
        self.clock.advance(1)
        [stored] = self.page().readings
        self.assertEqual((stored.reading.at, stored.reading.delivered_1), (NOON - 10 * SECOND, 1_000_000))
        self.assertEqual(
            stored.gas,
            DeviceReading(NOON - 5 * MINUTE, 500_000, GAS, 1, "4730303030303030303030303030303031"),
        )
        self.assertEqual(self.statistics().latest_telegram, telegram().strip())
        self.assertEqual((self.statistics().at, self.statistics().statistics.tariff), (NOON - 10 * SECOND, 2))

    def test_a_telegram_without_anything_measurable_is_the_lines_fault(self) -> None:
        """The source is told, counts it and goes on; nothing is stored."""
        empty = telegram(without="1-0:1.8").replace("0-1:24.2.1(240402115500S)(00500.000*m3)\r\n", "")
        with self.assertRaises(TelegramError):
            self.datalogger.telegram_received(RawTelegram(empty[: empty.index("!") + 1].encode(), None), NOON, CABLE)
        self.assertEqual(self.datalogger.spooling.waiting, 0)

    def test_unknown_lines_are_counted(self) -> None:
        """Lines that nobody understands cost nothing; more of them than are kept count as a limit that was met."""
        for number, hits in ((64, 0), (65, 1)):
            lines = "".join(f"1-0:99.99.{n}(1)\r\n" for n in range(number))
            body = telegram().replace("0-0:96.14.0", f"{lines}0-0:96.14.0")
            told = self.datalogger.telegram_received(raw(signed(body[: body.index("!") + 1])), NOON, CABLE)
            self.assertEqual((told.unknown_lines, len(told.unknown)), (number, 64))
            self.assertEqual(self.datalogger.limits.hits["unknown_lines"], hits)

    def test_a_telegram_is_never_refused_for_its_date(self) -> None:
        """A clock that is years off is stored and listed."""
        self.receive(telegram(clock="690101120000W"))
        self.receive(telegram(clock="010101120000W"))
        self.receive(telegram(clock="000101010000W"))
        self.clock.advance(1)
        self.assertEqual(len(self.page().readings), 3)
        # The clock that was never set is replaced by the instant of arrival.
        self.assertIn(NOON, [stored.reading.at for stored in self.page().readings])

    def test_a_line_outlives_an_outage_of_the_store(self) -> None:
        """What came while the disk took nothing is stored when it does, with its own time of arrival."""
        self.receive(telegram())
        self.away(True)
        self.clock.advance(1)
        self.assertEqual(self.datalogger.commits.away_because is None, False)
        self.receive(telegram(clock="240402120000S"), NOON + SECOND)
        self.assertEqual(self.spool.records, 2)
        self.away(False)
        self.clock.advance(1)
        self.assertEqual((self.page().count, self.spool.records), (2, 0))
        [meter] = result_of(self.store.meters.all())
        self.assertEqual((meter.first_seen_at, meter.last_seen_at), (NOON, NOON + SECOND))

    def test_stopping_stores_what_waits(self) -> None:
        """The last telegram before a stop is not lost."""
        self.receive(telegram())
        self.successResultOf(self.datalogger.stopService())
        self.assertEqual(self.page().count, 1)
        self.assertFalse(self.datalogger.running)


class IntakeTests(DataloggerCase):
    """Readings of the API."""

    def test_it_is_what_the_port_asks_for(self) -> None:
        """The API hands its readings to an intake."""
        verifyObject(IIntake, self.datalogger)

    def test_what_is_taken_is_stored(self) -> None:
        """Who has an answer to telegrams finds them, too."""
        self.assertIsNone(self.successResultOf(self.datalogger.take([heard(NOON)])))
        self.assertEqual(self.page().count, 1)

    def test_a_receipt_means_that_it_is_stored(self) -> None:
        """Who has an answer finds the reading."""
        [receipt] = self.submit(posted(NOON))
        self.assertEqual([stored.id for stored in self.page().readings], [receipt.reading_id])

    def test_a_store_that_is_away_is_told_at_once(self) -> None:
        """The API can answer 503, and nothing is stored later behind its back."""
        self.away(True)
        self.failureResultOf(self.datalogger.submit([posted(NOON)]), StoreUnavailable)
        self.away(False)
        self.clock.advance(60)
        self.assertEqual(self.page().count, 0)

    def test_one_bad_reading_fails_alone(self) -> None:
        """A value that no column holds is refused to the one who sent it, with the real store too."""
        line = self.datalogger.commits.submit([heard(NOON)], is_patient=True)
        bad = self.datalogger.submit([posted(NOON + SECOND), posted(NOON + 2 * SECOND, delivered_1=2**70)])
        self.failureResultOf(bad, OverflowError)
        self.successResultOf(line)
        self.assertEqual([stored.reading.at for stored in self.page().readings], [NOON])


class FollowerTests(DataloggerCase):
    """Those who are told of what was stored."""

    def test_followers_are_told_after_the_commit(self) -> None:
        """What they are told can be read; the arrivals come with their receipts."""
        arrivals = [heard(NOON), posted(NOON + SECOND)]
        receipts = self.submit(*arrivals)
        self.assertEqual(self.told, [(tuple(arrivals), receipts)])

    def test_nothing_is_told_of_what_was_not_stored(self) -> None:
        """A follower never shows a reading that is not there."""
        self.away(True)
        self.failureResultOf(self.datalogger.submit([posted(NOON)]), StoreUnavailable)
        self.assertEqual(self.told, [])

    def test_a_failing_follower_does_not_keep_the_others_from_being_told(self) -> None:
        """Nor does it fail the client, whose reading is stored."""

        def broken(arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
            raise RuntimeError("a bug")

        self.datalogger = self.make(broken, self.follow)
        self.submit(posted(NOON))
        self.assertEqual(len(self.told), 1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_the_number_of_readings_is_known_without_asking(self) -> None:
        """/health shows it: those from before the start, and each new one once."""
        self.submit(posted(NOON), posted(NOON + SECOND))
        self.datalogger = self.make()
        result_of(Deferred.fromCoroutine(self.datalogger.begin()))
        self.assertEqual(self.datalogger.readings, 2)
        self.submit(posted(NOON), *(posted(NOON + n * SECOND) for n in (2, 3)), devices_only(NOON, water()))
        self.assertEqual(self.datalogger.readings, 4)


class RejectTests(DataloggerCase):
    """Telegrams that could not be taken."""

    def reject(self) -> None:
        """Reject a telegram of the cable; this is counted, or noted, at once."""
        self.assertIsNone(self.successResultOf(self.datalogger.reject(CABLE, TelegramError("CRC given 0, computed 1"))))

    def test_a_rejected_telegram_is_counted(self) -> None:
        """meter-statistics shows how good the cable is."""
        self.reject()
        self.reject()
        self.assertEqual(self.statistics().rejected_telegrams, 2)

    def test_what_could_not_be_counted_is_counted_with_the_next(self) -> None:
        """An outage of the store loses none, of whichever origin."""
        self.away(True)
        self.reject()
        self.reject()
        self.away(False)
        self.successResultOf(self.datalogger.reject(KEY, TelegramError("empty")))
        self.assertEqual(self.statistics().rejected_telegrams, 1)
        self.reject()
        self.assertEqual(self.statistics().rejected_telegrams, 4)

    def test_counting_never_fails(self) -> None:
        """A source or a client that was told "no" is not told of our troubles on top; they are in the log."""
        nowhere = evolve(KEY, meter_id=99)
        self.successResultOf(self.datalogger.reject(nowhere, TelegramError("empty")))
        self.assertEqual(len(self.flushLoggedErrors()), 1)


class TimeTests(DataloggerCase):
    """Readings of another time."""

    def test_a_reading_keeps_the_time_at_which_it_came(self) -> None:
        """However long it waits, a telegram without a clock is dated by its arrival."""
        self.receive(telegram(without="0-0:1.0.0"), NOON)
        self.away(True)
        self.clock.advance(1)
        self.assertEqual(self.spool.records, 1)
        self.away(False)
        self.clock.advance(DAY // SECOND)
        self.assertEqual([stored.reading.at for stored in self.page().readings], [NOON])
