"""Tests of dsmr_tw.store.closing: rows of hours and days appear when their span is closed, and follow it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import DAY, HOUR, YEAR_2000, YEAR_2020
from dsmr_tw.domain.spans import QUARTER, SpanKind
from dsmr_tw.store.closing import HOURS_AT_ONCE
from dsmr_tw.stored import SpanFilter
from tests.arrivals import MINUTE, NOON, OTHER_GAS_METER, devices_only, gas, heard, water
from tests.contracts.storecase import FIRST
from tests.ledgercase import LedgerCase
from tests.walking import gas_values, minute, steady, telegrams

AMSTERDAM = meter_zone("Europe/Amsterdam")

LATER = 1_000_000
"""Minutes after noon when everything is over."""


class ClosingCase(LedgerCase):
    """A test that looks which rows there are."""

    def settle(self, now: int = LATER) -> None:
        """Compute what is marked, and let the rows appear that are due."""
        self.tick(minute(now))

    def close_rows(self, now: int = LATER) -> bool:
        """Let the rows appear that are due, once; whether more of them wait."""
        return self.ask(self.store.ledger.close, FIRST, minute(now))

    def hours(self) -> list[int]:
        """Which hours after noon there are."""
        hours = [(at - NOON) // HOUR for (at,) in self.run_sql("SELECT instant FROM hour_statistics ORDER BY instant")]
        wanted = SpanFilter(SpanKind.HOUR, FIRST)
        self.assertEqual(self.ask(self.store.statistics.page, wanted, False, 0, 1).count, len(hours))
        return hours

    def amounts(self, table: str = "hour_statistics") -> list[int]:
        """What the register took in each row."""
        return [amount for (amount,) in self.run_sql(f"SELECT delivered_1 FROM {table} ORDER BY instant")]

    def days(self) -> list[str]:
        """Which local days there are."""
        return [
            str(AMSTERDAM.day_of(at)) for (at,) in self.run_sql("SELECT instant FROM day_statistics ORDER BY instant")
        ]


class ElectricityTests(ClosingCase):
    """A house without devices."""

    def test_an_hour_appears_with_the_reading_that_ends_it(self) -> None:
        """Not before: what is read last may yet be a glitch, or less than the whole."""
        for at, hours in ((0, []), (59, []), (60, [0]), (119, [0]), (125, [0, 1])):
            self.add(*telegrams(f"{at}={at}"))
            self.settle()
            self.assertEqual(self.hours(), hours, at)

    def test_a_day_appears_with_the_reading_that_ends_it(self) -> None:
        """The first one begins before the first reading, and is a day all the same."""
        for at, days in ((0, []), (719, []), (720, ["2024-04-02"]), (2_160, ["2024-04-02", "2024-04-03"])):
            self.add(*telegrams(f"{at}={at}"))
            self.settle()
            self.assertEqual(self.days(), days, at)
        self.assertEqual(self.amounts("day_statistics"), [720, 1_440])

    def test_what_waits_closes_nothing(self) -> None:
        """A reading that is not accepted may be of any time."""
        self.add(*telegrams("0=0 50=50 65=99999"))
        self.settle()
        self.assertEqual(self.hours(), [])

    def test_nothing_appears_before_its_time(self) -> None:
        """The clock on the wall must have passed the end, too; then the row is due without anything else."""
        self.add(*telegrams("0=0 130=130"))
        for now, hours, due in ((0, [], 60), (59, [], 60), (60, [0], 120), (119, [0], 120), (120, [0, 1], None)):
            self.settle(now)
            self.assertEqual(self.hours(), hours, now)
            if due is not None:
                self.assertEqual(self.ask(self.store.ledger.dirty, minute(due) - 1), [])
                self.assertEqual(self.ask(self.store.ledger.dirty, minute(due)), [FIRST])
        self.assertEqual(self.ask(self.store.ledger.dirty, minute(LATER)), [])
        self.add(*telegrams("900=900"))
        self.settle(120)
        self.assertEqual(self.ask(self.store.ledger.dirty, minute(180)), [FIRST])

    def test_a_day_is_due_at_midnight(self) -> None:
        """Where its last hour is due, too."""
        self.add(*telegrams("700=700 725=725"))
        self.settle(719)
        self.assertEqual((self.hours(), self.days()), ([], []))
        self.settle(720)
        self.assertEqual((self.hours(), self.days()), ([11], ["2024-04-02"]))

    def test_older_readings_have_rows(self) -> None:
        """Whoever finds the readings of last month stores them today; hours and days appear before those there are."""
        self.add(*telegrams("0=0 130=130"))
        self.settle()
        self.assertEqual((self.hours(), self.days()), ([0, 1], []))
        self.add(*telegrams("-65=-65"))
        self.settle()
        self.assertEqual((self.hours(), self.amounts()), ([-2, -1, 0, 1], [5, 60, 60, 60]))
        self.add(*telegrams("800=800"))
        self.settle()
        self.add(*telegrams(f"{-45 * 24 * 60}={-45 * 24 * 60}"))
        self.settle()
        self.assertEqual((self.hours(), len(self.days())), (list(range(-45 * 24, 13)), 46))
        self.assertEqual(sum(self.amounts()), 45 * 24 * 60 + 13 * 60)

    def test_an_outage_has_rows(self) -> None:
        """Every hour from the first reading to the last has one."""
        self.add(*telegrams("10=0 610=600"))
        self.settle()
        self.assertEqual((self.hours(), self.amounts()), (list(range(10)), [50, *[60] * 9]))

    def test_without_readings_there_is_nothing_to_close(self) -> None:
        """Whatever the clock shows."""
        self.settle()
        self.assertFalse(self.close_rows())
        self.assertEqual((self.hours(), self.days()), ([], []))


class DeviceTests(ClosingCase):
    """M-Bus devices are waited for, within reason."""

    def hours_with(self, electricity: str, gas: str) -> list[int]:
        """Which hours there are, with these readings and these values."""
        self.begin_anew()
        self.add(*telegrams(electricity), *gas_values(gas))
        self.settle()
        return self.hours()

    def test_a_device_that_is_late(self) -> None:
        """An hour waits for the value at its end, or after it."""
        self.assertEqual(self.hours_with("0=0 150=150", "0=0 59=5"), [])
        self.assertEqual(self.hours_with("0=0 150=150", "0=0 60=5"), [0])
        self.assertEqual(self.hours_with("0=0 150=150", "0=0 130=5"), [0, 1])

    def test_its_amount_is_in_the_row(self) -> None:
        """With that of the hour's first quarter, and of its last."""
        self.add(*telegrams("0=0 120=120"), *gas_values("0=0 15=1 45=6 60=9 75=10 120=18"))
        self.settle()
        self.assertEqual(
            self.run_sql("SELECT gas, gas_estimated FROM hour_statistics ORDER BY instant"), [(9, 0), (9, 0)]
        )

    def test_a_device_that_is_silent(self) -> None:
        """After four hours it is waited for no more, but for the last hour."""
        self.assertEqual(self.hours_with("0=0 240=240", "0=0"), [])
        self.assertEqual(self.hours_with("0=0 241=241", "0=0"), [0, 1, 2])

    def test_a_silent_device_of_which_something_waits(self) -> None:
        """It is waited for a day: somebody may still bring what tells whether that is right."""
        self.assertEqual(self.hours_with("0=0 1499=1499", "0=500 30=3"), [])
        self.assertEqual(self.hours_with("0=0 1500=1500", "0=500 30=3"), [0])

    def test_any_device_is_waited_for(self) -> None:
        """Not only a gas meter."""
        self.add(*telegrams("0=0 60=60"), devices_only(minute(0), water(minute(0))))
        self.settle()
        self.assertEqual(self.hours(), [])
        self.add(devices_only(minute(60), water(minute(60), 90_001)))
        self.settle()
        self.assertEqual(self.hours(), [0])

    def test_a_device_whose_clock_was_never_set(self) -> None:
        """What it says counts nowhere, so nothing is missed."""
        self.add(*telegrams("0=0 60=60"), devices_only(minute(0), gas(YEAR_2000 - 1)))
        self.settle()
        self.assertEqual(self.hours(), [0])

    def test_a_device_dated_too_far_ahead(self) -> None:
        """It is not what was heard of it last."""
        self.add(*telegrams("0=0 60=60"), *gas_values("0=0 60=5"), devices_only(minute(0), gas(NOON + 2 * DAY)))
        self.settle()
        self.assertEqual(self.hours(), [0])

    def test_a_device_that_is_heard_for_the_first_time(self) -> None:
        """The hours that it may have more to say about are taken back until it has; those before are not."""
        self.add(*telegrams("0=0 60=60 120=120"))
        self.settle()
        self.assertEqual(self.hours(), [0, 1])
        self.add(*gas_values("70=0"))
        self.close_rows()
        self.assertEqual(self.hours(), [0])
        self.settle()
        self.assertEqual(self.hours(), [0])
        self.add(*gas_values("121=9"))
        self.settle()
        self.assertEqual(self.hours(), [0, 1])


class MarksTests(ClosingCase):
    """Where something waits to be computed."""

    def test_a_mark_keeps_a_row_from_appearing(self) -> None:
        """Until it is computed; the other hours do not wait."""
        for late, amounts in (("5=14", [65, 55]), ("30=50", [74, 48]), ("59=118", [118, 10])):
            self.begin_anew()
            self.add(*telegrams("0=0 130=130"))
            self.settle(59)
            self.add(*telegrams(late))
            self.close_rows(120)
            self.assertEqual(self.hours(), [1])
            self.settle(120)
            self.assertEqual((self.hours(), self.amounts()), ([0, 1], amounts))

    def test_a_mark_in_any_hour_keeps_a_day_from_appearing(self) -> None:
        """As its own hour; hours and days elsewhere appear."""
        self.add(*telegrams(steady(0, 4_000, step=60)))
        self.settle(0)
        self.add(*telegrams("1000=1001"))
        self.close_rows()
        self.assertEqual(self.days(), ["2024-04-02", "2024-04-04"])
        self.assertEqual([hour for hour in range(60) if hour not in self.hours()], [16])
        self.settle()
        self.assertEqual(self.days(), ["2024-04-02", "2024-04-03", "2024-04-04"])
        self.assertEqual(self.hours(), list(range(66)))

    def test_a_mark_at_the_edge_is_of_one_hour(self) -> None:
        """The quarter that begins where the hour ends is not in it."""
        self.add(*telegrams("0=0 190=190"))
        self.settle(59)
        self.add(*telegrams("60=60"))
        self.close_rows(180)
        self.assertEqual(self.hours(), [0, 2])

    def test_a_mark_leaves_the_rows_that_are_there(self) -> None:
        """They stay as they were until it is computed, and then they change."""
        self.add(*telegrams("0=0 60=60 130=130"))
        self.settle()
        self.add(*telegrams("30=50"))
        self.close_rows()
        self.assertEqual((self.hours(), self.amounts()), ([0, 1], [60, 60]))
        self.add(*telegrams("59=50"))
        self.settle()
        self.assertEqual((self.hours(), self.amounts()), ([0, 1], [60, 60]))
        self.add(*telegrams("61=70"))
        self.settle()
        self.assertEqual((self.hours(), self.amounts()), ([0, 1], [60, 61]))

    def test_a_row_follows_wherever_in_it_something_changed(self) -> None:
        """Here only its last quarter did, and what was computed again began in its middle."""
        self.add(*telegrams(f"{steady(0, 60)} {steady(61, 130)}"))
        self.settle()
        self.assertEqual(self.amounts(), [60, 60])
        self.add(*telegrams("59:30=61"))
        self.settle()
        self.assertEqual(self.amounts(), [61, 59])


class VanishingTests(ClosingCase):
    """Rows are a function of what is stored."""

    def forget_readings(self, start: int) -> None:
        """Delete the readings from a minute on, and mark where they were."""
        instants = self.run_sql(f"SELECT instant FROM reading WHERE instant >= {minute(start)} ORDER BY instant")
        self.run_sql(f"DELETE FROM reading WHERE instant >= {minute(start)}")
        for mark in {at - at % QUARTER for (at,) in instants}:
            self.run_sql(f"INSERT INTO dirty_quarter (meter_id, instant) VALUES ({FIRST}, {mark})")

    def test_with_the_newest_reading_goes_the_row_it_closed(self) -> None:
        """An hour of which the end is not known any more is not closed."""
        self.add(*telegrams("0=0 30=30 60=60 800=800"))
        self.settle()
        self.assertEqual((len(self.hours()), len(self.days())), (13, 1))
        self.forget_readings(700)
        self.settle()
        self.assertEqual((self.hours(), self.days()), ([0], []))
        self.forget_readings(60)
        self.settle()
        self.assertEqual(self.hours(), [])

    def test_without_readings_nothing_stays(self) -> None:
        """No quarter, no hour, no day."""
        self.add(*telegrams("0=0 800=800"))
        self.settle()
        self.forget_readings(0)
        self.settle()
        self.assertEqual((self.hours(), self.days(), self.run_sql("SELECT * FROM quarter")), ([], [], []))
        self.assertEqual(self.run_sql("SELECT * FROM row_count"), [])


class FirstReadingsTests(ClosingCase):
    """A day knows the readings that it begins with, as the meter printed them."""

    FIRSTS = (
        "first_reading_at, delivered_1_position, returned_1_position, delivered_2_position, returned_2_position,"
        " first_gas_at, gas_position"
    )

    def firsts(self) -> list[tuple[int | None, ...]]:
        """The first readings of each day; instants as minutes."""
        return [
            (self.minute_of(row[0]), *row[1:5], self.minute_of(row[5]), row[6])
            for row in self.run_sql(f"SELECT {self.FIRSTS} FROM day_statistics ORDER BY instant")
        ]

    def minute_of(self, instant: int | None) -> int | None:
        """An instant in minutes after noon."""
        return None if instant is None else (instant - NOON) // MINUTE

    def test_the_first_reading_of_the_day(self) -> None:
        """It is not interpolated: positions and instant are those of one telegram."""
        values: dict[str, Any] = {"returned_1": 2, "delivered_2": 3, "returned_2": 4}
        for at in (10, 700, 730, 2_165):
            self.add(heard(minute(at), gas(minute(at - 3), 500 + at), delivered_1=at, **values))
        self.settle()
        self.assertEqual(self.firsts(), [(10, 10, 2, 3, 4, 7, 510), (730, 730, 2, 3, 4, 727, 1_230)])

    def test_a_day_without_readings(self) -> None:
        """An outage has a row, and no reading to begin with."""
        self.add(*telegrams("0=0 2165=2165"))
        self.settle()
        self.assertEqual(self.firsts(), [(0, 0, 0, 0, 0, None, None), (None,) * 7])

    def test_only_what_is_accepted_counts(self) -> None:
        """Here the day begins with a glitch, of both meters."""
        self.add(*telegrams("0=0 720=9999999 725=725 2160=2160"))
        self.add(*gas_values("0=500 720=3 780=560 2160=900"))
        self.settle()
        self.assertEqual(self.firsts()[1], (725, 725, 0, 0, 0, 780, 560))

    def test_of_several_at_one_instant_the_right_one_counts(self) -> None:
        """Of readings the last stored, of a device's values the first."""
        self.add(*telegrams("0=0 0=5 720=720"), *gas_values("0=500 0=600 720=560"))
        self.settle()
        self.assertEqual(self.firsts(), [(0, 5, 0, 0, 0, 0, 500)])

    def test_the_earlier_of_two_gas_meters(self) -> None:
        """On the day of a swap that is the old one."""
        self.add(*telegrams("0=0 800=800"), *gas_values("10=1 300=7"), *gas_values("20=100 800=105", OTHER_GAS_METER))
        self.settle()
        self.assertEqual(self.firsts(), [(0, 0, 0, 0, 0, 10, 1)])


class LongTests(ClosingCase):
    """Much that closes at once is closed bit by bit."""

    def test_many_hours_close_in_several_calls(self) -> None:
        """No transaction is long, and in the end all are there."""
        hours = 2 * HOURS_AT_ONCE + 100
        self.add(*telegrams(f"0=0 {hours * 60}={hours}"))
        self.compute_only()
        counts = []
        more = True
        while more:
            more = self.close_rows()
            self.assertEqual(self.ask(self.store.ledger.dirty, minute(LATER)), [FIRST] if more else [])
            counts.append((len(self.hours()), len(self.days())))
        self.assertEqual(counts, [(500, 30), (1_000, 46), (1_100, 46), (1_100, 46)])
        self.assertEqual((self.hours(), self.amounts()), (list(range(hours)), [1] * hours))

    def compute_only(self) -> None:
        """Compute what is marked at a time when nothing is over."""
        self.ask(self.store.ledger.dirty, YEAR_2020)
        while self.ask(self.store.ledger.recompute, FIRST, YEAR_2020):
            pass
        self.assertEqual((self.hours(), self.days()), ([], []))

    def test_no_hour_is_forgotten(self) -> None:
        """What is computed meanwhile at the far end lets no row appear there before those that wait."""
        hours = 2 * HOURS_AT_ONCE + 100
        self.add(*telegrams(f"0=0 {hours * 60}={hours}"))
        self.compute_only()
        self.close_rows()
        self.add(*telegrams(f"{hours * 60 + 60}={hours + 1}"))
        while self.ask(self.store.ledger.recompute, FIRST, minute(LATER)):
            pass
        self.settle()
        self.assertEqual((self.hours(), len(self.days())), (list(range(hours + 1)), 46))

    def test_many_days_close_in_several_calls(self) -> None:
        """Also where their hours are there already."""
        self.add(*telegrams(f"0=0 {70 * 24 * 60}={70 * 24 * 60}"))
        self.settle()
        before = self.run_sql("SELECT * FROM day_statistics ORDER BY instant")
        self.run_sql("DELETE FROM day_statistics")
        counts = []
        more = True
        while more:
            more = self.close_rows()
            counts.append(len(self.days()))
        self.assertEqual(counts, [30, 60, 70, 70])
        self.assertEqual(self.run_sql("SELECT * FROM day_statistics ORDER BY instant"), before)

    def test_a_clock_that_was_not_set_closes_nothing(self) -> None:
        """Nor does it take anything away."""
        self.add(*telegrams("0=0 60=60"))
        self.settle()
        self.assertFalse(self.ask(self.store.ledger.close, FIRST, YEAR_2020 - 1))
        self.assertEqual(self.hours(), [0])
        self.run_sql("DELETE FROM hour_statistics")
        self.ask(self.store.ledger.close, FIRST, YEAR_2020 - 1)
        self.assertEqual(self.run_sql("SELECT * FROM hour_statistics"), [])


class LocalDaysTests(ClosingCase):
    """Days are those of the meter's zone."""

    def day(self, day: date, *, step: int = QUARTER) -> tuple[int, int, int, int]:
        """Readings over a local day, a Wh of electricity and a dm³ of gas each: its length in hours, its row."""
        self.begin_anew()
        start, end = AMSTERDAM.bounds(day)
        for number, at in enumerate(range(start - 2 * HOUR, end + 2 * HOUR + 1, step)):
            self.add(heard(at, gas(at, number), delivered_1=number))
        self.settle()
        row = "SELECT delivered_1, gas, estimated + gas_estimated FROM day_statistics"
        [found] = self.run_sql(f"{row} WHERE instant = {start} AND end_at = {end}")
        return (end - start) // HOUR, *found

    def test_the_days_on_which_clocks_change(self) -> None:
        """They have 92 and 100 quarters, and any other day has 96."""
        self.assertEqual(self.day(date(2024, 3, 30)), (24, 96, 96, 0))
        self.assertEqual(self.day(date(2024, 3, 31)), (23, 92, 92, 0))
        self.assertEqual(self.day(date(2024, 10, 27)), (25, 100, 100, 0))
        self.assertEqual(self.day(date(2024, 10, 28)), (24, 96, 96, 0))

    def test_successive_days_meet(self) -> None:
        """Over both changes of the clocks no quarter is counted twice, and none is left out."""
        for changes in (date(2024, 3, 31), date(2024, 10, 27)):
            self.begin_anew()
            start, end = (AMSTERDAM.day_start(changes + timedelta(days)) for days in (-3, 3))
            quarters = range(start, end + HOUR, QUARTER)
            self.add(*(heard(at, delivered_1=number) for number, at in enumerate(quarters)))
            self.settle()
            rows = self.run_sql("SELECT instant, end_at FROM day_statistics ORDER BY instant")
            self.assert_meet(rows, start)
            self.assertEqual(sum(self.amounts("day_statistics")), (rows[-1][1] - start) // QUARTER)

    def assert_meet(self, spans: Sequence[tuple[int, int]], start: int) -> None:
        """Each begins where the one before ended, at midnight."""
        for span in spans:
            self.assertEqual(span[0], start)
            self.assertEqual(AMSTERDAM.local(start).time(), datetime.min.time())
            start = span[1]
        self.assertEqual(len(spans), 6)
