"""Tests of dsmr_tw.store.thinning: old readings go, and nothing else."""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.interfaces import IRetention
from dsmr_tw.stored import ReadingFilter
from tests.arrivals import MINUTE, NOON, QUARTER, heard
from tests.store.test_sqlite import SqliteCase

LEDGER = ("quarter", "device_quarter", "epoch", "outlier", "hour_statistics", "day_statistics", "row_count")
NOW = NOON + 40 * DAY


class ThinningCase(SqliteCase):
    """A store whose readings are thinned out."""

    def setUp(self) -> None:
        """Two hours of readings, one a minute, and their ledger."""
        super().setUp()
        self.hear(range(NOON, NOON + 2 * HOUR, MINUTE))
        self.settle()

    def hear(self, instants: range | list[int], **values: Any) -> None:
        """Store a reading for each instant."""
        self.successResultOf(self.store.readings.add([[heard(at, **values) for at in instants]], NOW))

    def settle(self) -> None:
        """Compute all that is marked."""
        for meter_id in self.successResultOf(self.store.ledger.dirty(NOW)):
            while self.successResultOf(self.store.ledger.recompute(meter_id, NOW)):
                pass
            while self.successResultOf(self.store.ledger.close(meter_id, NOW)):
                pass

    def thin(self, before: int = NOW) -> int:
        """Thin out as long as there is more; how many readings went."""
        dropped, more = 0, True
        while more:
            thinned = self.successResultOf(self.store.retention.thin(1, before))
            dropped, more = dropped + thinned.dropped, thinned.more
        return dropped

    def ledger(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is derived."""
        return {table: self.rows(f"SELECT * FROM {table} ORDER BY 1, 2, 3") for table in LEDGER}

    def instants(self) -> list[int]:
        """The minutes after noon of all readings."""
        return [(at - NOON) // MINUTE for (at,) in self.rows("SELECT instant FROM reading ORDER BY instant, id")]


class ThinningTests(ThinningCase):
    """What goes, and what stays."""

    def test_interface(self) -> None:
        """It is what the service asks."""
        self.assertTrue(verifyObject(IRetention, self.store.retention))

    def test_two_readings_of_a_quarter_stay(self) -> None:
        """In a house where nothing happens its first and last reading are enough."""
        self.assertEqual(self.thin(), 120 - 16)
        self.assertEqual(self.instants(), [at for start in range(0, 120, 15) for at in (start, start + 14)])

    def test_the_ledger_stays(self) -> None:
        """No row changes, nothing is marked, and a rebuild gives the same rows."""
        before = self.ledger()
        self.thin()
        self.assertEqual(self.ledger(), before)
        self.assertEqual(self.rows("SELECT * FROM dirty_quarter"), [])
        self.successResultOf(self.store.ledger.rebuild(1, -NEVER, NEVER, NOW, lambda readings: None))
        self.assertEqual(self.ledger(), before)

    def test_counts_follow(self) -> None:
        """Lists say how many readings and minutes are left, by hour and by day."""
        self.thin()
        self.assertEqual(
            self.rows("SELECT hours, readings, minutes FROM reading_count ORDER BY hours, instant"),
            [(1, 8, 8), (1, 8, 8), (24, 16, 16)],
        )
        page = self.successResultOf(self.store.readings.page(ReadingFilter(1), False, 0, 100))
        self.assertEqual((page.count, len(page.readings)), (16, 16))

    def test_a_minute_that_became_empty_is_counted_again(self) -> None:
        """What is stored late in a minute whose readings went counts as a minute."""
        self.hear([NOON + 5 * MINUTE + SECOND])
        self.settle()
        self.thin()
        self.hear([NOON + 5 * MINUTE + 2 * SECOND])
        self.assertEqual(self.rows("SELECT readings, minutes FROM reading_count WHERE hours = 24"), [(17, 17)])

    def test_what_is_young_stays(self) -> None:
        """Nothing goes that is younger than its owner wants it to be; the quarter that this cuts in two stays whole."""
        self.assertEqual(self.thin(NOON + 50 * MINUTE), 3 * 13)
        self.assertEqual(self.thin(NOON + 50 * MINUTE), 0)
        self.assertEqual(self.thin(NOON + 60 * MINUTE), 13)

    def test_late_data_is_thinned_out_too(self) -> None:
        """What is stored late in a time that was thinned out long ago does not stay for ever."""
        self.thin()
        self.hear(range(NOON + SECOND, NOON + QUARTER, 2 * MINUTE))
        self.settle()
        self.assertEqual(self.thin(), 8)

    def test_what_waits_to_be_computed_is_waited_for(self) -> None:
        """Near a mark nothing goes: what it means for the readings around is not known yet."""
        self.hear([NOON + SECOND])
        self.assertEqual(self.thin(), 0)
        self.settle()
        self.assertEqual(self.thin(), 120 + 1 - 16)

    def test_a_plan_that_is_out_of_date_is_dropped(self) -> None:
        """What is stored while a day is looked at is not lost sight of."""
        write, calls = self.store.database.write_runner, []

        def late(function: Any, *arguments: Any) -> Any:
            calls.append(function)
            if len(calls) == 1:
                self.store.database.write_runner = write
                self.hear([NOON + SECOND])
            return write(function, *arguments)

        self.store.database.write_runner = late
        thinned = self.successResultOf(self.store.retention.thin(1, NOW))
        self.assertEqual((thinned.dropped, thinned.more), (0, True))
        self.assertEqual(self.thin(), 0)

    def test_days_come_one_after_the_other(self) -> None:
        """Each call looks at one day; days without readings cost nothing."""
        self.hear(range(NOON + 5 * DAY, NOON + 5 * DAY + HOUR, MINUTE), delivered_1=1_100_000)
        self.settle()
        answers = [self.successResultOf(self.store.retention.thin(1, NOW)) for _ in range(3)]
        self.assertEqual([(answer.dropped, answer.more) for answer in answers], [(104, True), (52, True), (0, False)])

    def test_what_would_go_is_told(self) -> None:
        """Whoever is in doubt asks first, day by day, and nothing changes."""
        spare = self.store.retention.spare
        first = self.successResultOf(spare(1, 0, NOW))
        self.assertEqual(first, (NOON + 14 * HOUR, 104))
        assert first is not None
        self.assertIsNone(self.successResultOf(spare(1, first[0], NOW)))
        self.assertEqual(len(self.instants()), 120)


class SpaceTests(ThinningCase):
    """What a file does with the space that readings took."""

    sqlite_only = True

    def test_space_is_used_again(self) -> None:
        """The file does not grow while new readings take the place of those that went."""
        self.hear(range(NOON + DAY, NOON + DAY + 12 * HOUR, 10 * SECOND), delivered_1=1_010_000)
        self.settle()
        self.thin()
        before = self.successResultOf(self.store.retention.size())
        self.assertGreater(before.free, 50_000)
        self.hear(range(NOON + 3 * DAY, NOON + 3 * DAY + 3 * HOUR, 10 * SECOND), delivered_1=1_020_000)
        after = self.successResultOf(self.store.retention.size())
        self.assertEqual(after.total, before.total)
        self.assertLess(after.free, before.free)
