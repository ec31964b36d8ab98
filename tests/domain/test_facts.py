"""Tests of dsmr_tw.domain.facts: what telegrams tell of the past."""

from __future__ import annotations

import tracemalloc
from datetime import datetime

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.facts import Peak, failures, is_higher, month_peaks, peaks
from dsmr_tw.domain.line import PowerFailure
from dsmr_tw.domain.localtime import instant_of, meter_zone
from dsmr_tw.domain.parse import Telegram, TelegramParser
from dsmr_tw.domain.printed_peaks import PrintedPeak
from dsmr_tw.domain.reading import UNKNOWN_SECONDS, Failure, MonthPeak
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from tests.golden_telegrams import telegram

BRUSSELS = meter_zone("Europe/Brussels")


def at(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


def said(name: str) -> Telegram:
    """What a telegram from the field says."""
    (outcome,) = outcomes_in(telegram(name), CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return TelegramParser().parse(outcome)


class PeakTests(SynchronousTestCase):
    """Peaks of power."""

    def test_belgium(self) -> None:
        """Months that are over have an end, the one under way has none, one without a quarter is left out."""
        self.assertEqual(
            peaks(said("be-emucs-50217-02"), BRUSSELS),
            (
                Peak(at("2023-09-01T00:00+02:00"), at("2023-08-31T18:15+02:00"), 1862),
                Peak(at("2023-10-01T00:00+02:00"), at("2023-09-10T18:30+02:00"), 4229),
                Peak(at("2023-11-01T00:00+01:00"), at("2023-10-16T13:00+02:00"), 4927),
                Peak(None, at("2023-11-02T11:45+01:00"), 3064),
            ),
        )

    def test_thirteen_months(self) -> None:
        """The longest list is there to its end."""
        self.assertEqual(len(peaks(said("be-emucs-50217-06"), BRUSSELS)), 14)

    def test_ireland(self) -> None:
        """A peak without a flag is dated by the zone's own rules."""
        found = peaks(said("ie-iskra-00"), meter_zone("Europe/Dublin"))
        self.assertEqual(found, (Peak(None, at("2026-01-02T01:00Z"), 8796),))

    def test_none(self) -> None:
        """Other meters have none; what a Hungarian one prints under that code is none."""
        for name in ("dsmr-5-0-46", "hu-eon-mvm-00"):
            self.assertEqual(peaks(said(name), BRUSSELS), ())


MONTHS = st.sampled_from(["", "230901000000S", "231001000000S", "231101000000W", "240101000000W"])
TIMES = st.sampled_from(["230831181500S", "230901000000S", "230910183000S", "231101000000W", "632525252525W"])
PEAKS = st.lists(st.builds(PrintedPeak, MONTHS, TIMES, st.integers(0, 3)), max_size=8)


class MonthPeakTests(SynchronousTestCase):
    """The peak of each month."""

    def told(self, *printed: PrintedPeak) -> tuple[MonthPeak, ...]:
        """What a telegram with these entries tells."""
        whole = said("dsmr-5-0-46")
        return month_peaks(evolve(whole, told={"peaks": printed}), BRUSSELS)

    def test_each_month_has_one(self) -> None:
        """Past months and the one under way stand side by side."""
        self.assertEqual(
            month_peaks(said("be-emucs-50217-02"), BRUSSELS),
            (
                MonthPeak(at("2023-08-01T00:00Z"), at("2023-08-31T18:15+02:00"), 1862),
                MonthPeak(at("2023-09-01T00:00Z"), at("2023-09-10T18:30+02:00"), 4229),
                MonthPeak(at("2023-10-01T00:00Z"), at("2023-10-16T13:00+02:00"), 4927),
                MonthPeak(at("2023-11-01T00:00Z"), at("2023-11-02T11:45+01:00"), 3064),
            ),
        )

    def test_a_quarter_that_ends_with_the_month(self) -> None:
        """The last quarter of a month is that month's, though the next one begins where it ends."""
        found = self.told(PrintedPeak("", "231101000000W", 2))
        self.assertEqual(found, (MonthPeak(at("2023-10-01T00:00Z"), at("2023-11-01T00:00+01:00"), 2),))

    def test_a_month_that_is_printed_an_hour_off(self) -> None:
        """A meter that knows no summer time, or hangs in another zone, still means that month."""
        printed = (PrintedPeak("231001000000W", "230910183000S", 2),)
        whole = evolve(said("dsmr-5-0-46"), told={"peaks": printed})
        for zone in (BRUSSELS, meter_zone("Europe/Dublin"), meter_zone("Europe/Helsinki")):
            self.assertEqual([peak.month_at for peak in month_peaks(whole, zone)], [at("2023-09-01T00:00Z")])

    def test_the_highest_counts(self) -> None:
        """Where a month is told of twice the higher quarter is its peak, of two alike the earlier one."""
        low, high, late = (PrintedPeak("", f"2311{day:02}114500W", power) for day, power in ((2, 1), (3, 7), (4, 7)))
        for printed in ((low, high, late), (late, high, low), (high, low, late)):
            self.assertEqual([peak.at for peak in self.told(*printed)], [at("2023-11-03T11:45+01:00")])

    @given(PEAKS, PEAKS)
    def test_two_telegrams_tell_the_same_in_either_order(
        self, one: list[PrintedPeak], other: list[PrintedPeak]
    ) -> None:
        """Whatever is printed, keeping the higher of each month is independent of what came first."""
        kept: list[dict[int, MonthPeak]] = []
        for order in ((one, other), (other, one)):
            months: dict[int, MonthPeak] = {}
            for printed in order:
                for peak in self.told(*printed):
                    if peak.month_at not in months or is_higher(peak, months[peak.month_at]):
                        months[peak.month_at] = peak
            kept.append(months)
        self.assertEqual(kept[0], kept[1])
        self.assertEqual(tuple(kept[0][month_at] for month_at in sorted(kept[0])), self.told(*one, *other))


class FailureTests(SynchronousTestCase):
    """Long power failures."""

    def test_failures(self) -> None:
        """Each has its end and length; that of a meter just out of its box has no date, so is none."""
        self.assertEqual(
            failures(said("dsmr-4-2-00"), BRUSSELS),
            (Failure(at("2021-12-09T19:06:18+01:00"), 3557), Failure(at("2021-04-16T08:19:47+02:00"), 4676)),
        )

    def test_of_unknown_length(self) -> None:
        """A date beside the length that stands for none is not worth keeping."""
        log = tuple(PowerFailure("211209190618W", UNKNOWN_SECONDS - less) for less in (1, 0, -1))
        found = failures(evolve(said("dsmr-4-2-00"), told={"power_failure_log": log}), BRUSSELS)
        self.assertEqual(found, (Failure(at("2021-12-09T19:06:18+01:00"), UNKNOWN_SECONDS - 1),))

    def test_without_a_unit(self) -> None:
        """A meter for large connections prints seconds alone."""
        self.assertEqual([each.seconds for each in failures(said("metcom-00"), BRUSSELS)], [34, 75_500_971, 9, 13, 59])


class MemoryTests(SynchronousTestCase):
    """What is kept from one telegram to the next."""

    def held(self, line: str, number: int) -> int:
        """How many bytes more are held after so many telegrams with a long line, each another one."""
        parser = TelegramParser()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for n in range(number):
            said = parser.parse(RawTelegram(f"/TST5\r\n\r\n{line.replace('YY', f'{n + 10}')}\r\n!".encode(), None))
            self.assertGreater(len((*failures(said, BRUSSELS), *month_peaks(said, BRUSSELS))), 100)
        del said
        return tracemalloc.get_traced_memory()[0]

    def test_long_logs(self) -> None:
        """Logs as long as a telegram may hold, which no honest meter prints, are read and not kept."""
        log = "".join(f"(YY{n % 12 + 1:02}{n % 28 + 1:02}120000W)({n:010}*s)" for n in range(500))
        self.assertLess(self.held(f"1-0:99.97.0(500)(0-0:96.7.19){log}", 50), 500_000)
        log = "".join(
            f"({n // 12:02}{n % 12 + 1:02}01000000W)(YY{n % 12 + 1:02}15121500W)({n:06}*W)" for n in range(240)
        )
        self.assertLess(self.held(f"0-0:98.1.0(240)(1-0:1.6.0)(1-0:1.6.0){log}", 50), 500_000)
