"""Tests of dsmr_tw.domain.localtime: telegram clocks, local days, and instants as text."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.localtime import (
    FIRST_INSTANT,
    LAST_INSTANT,
    MeterZone,
    instant_of,
    meter_zone,
    to_utc_text,
    utc,
)
from dsmr_tw.domain.reading import DAY, HOUR, SECOND
from dsmr_tw.errors import SettingsError

AMSTERDAM = meter_zone("Europe/Amsterdam")
INSTANTS = st.integers(FIRST_INSTANT, LAST_INSTANT)


def instant(text: str) -> int:
    """The instant of ISO 8601 text."""
    return instant_of(datetime.fromisoformat(text))


class ClockTests(SynchronousTestCase):
    """The clocks that meters print."""

    def check(self, printed: str, text: str | None, zone: MeterZone = AMSTERDAM) -> None:
        """The clock means this instant, as text and as bytes."""
        expected = None if text is None else instant(text)
        self.assertEqual(zone.clock(printed), expected, printed)
        self.assertEqual(zone.clock(printed.encode("latin-1")), expected, printed)

    def test_flags(self) -> None:
        """S is two hours ahead of UTC in the Netherlands, W is one."""
        self.check("220605191351S", "2022-06-05T17:13:51Z")
        self.check("161129200000W", "2016-11-29T19:00:00Z")
        self.check("691231235959W", "2069-12-31T22:59:59Z")

    def test_the_flag_is_the_offset(self) -> None:
        """The flag is believed where the calendar contradicts it: Swedish meters print W all summer."""
        self.check("210828152453W", "2021-08-28T14:24:53Z")
        self.check("201211100907S", "2020-12-11T08:09:07Z")

    def test_clock_changes(self) -> None:
        """The hour that comes twice is told apart, and the one that is left out is an instant all the same."""
        self.check("171029023000S", "2017-10-29T00:30:00Z")
        self.check("171029023000W", "2017-10-29T01:30:00Z")
        self.check("170326023000W", "2017-03-26T01:30:00Z")

    def test_other_zones(self) -> None:
        """Standard time is that of the zone, also in Ireland, whose standard time by law is the one of summer."""
        self.check("240706120000S", "2024-07-06T09:00:00Z", meter_zone("Europe/Helsinki"))
        self.check("240106120000W", "2024-01-06T12:00:00Z", meter_zone("Europe/Dublin"))
        self.check("240706120000S", "2024-07-06T11:00:00Z", meter_zone("Europe/Dublin"))
        self.check("240706120000W", "2024-07-06T12:00:00Z", meter_zone("UTC"))

    def test_without_a_flag(self) -> None:
        """An old gas clock follows the zone's calendar; of the hour that comes twice it is the first."""
        self.check("090212160000", "2009-02-12T15:00:00Z")
        self.check("130504210000", "2013-05-04T19:00:00Z")
        self.check("171029023000", "2017-10-29T00:30:00Z")

    def test_never_set(self) -> None:
        """A clock that shows no date, or one before 2001, gives no time."""
        for printed in (
            "000101000001W",
            "000000000000W",
            "700101010000W",
            "991231235959S",
            "632525252525W",
            "35255255255255255S",
            "230229120000W",
            "240230120000W",
            "240102240000W",
            "240102126000W",
            "240102120060W",
            "240102120000X",
            "240102120000s",
            "240102120000WW",
            "24010212000W",
            "2401021200",
            "",
            "W",
            "24010212 000W",
            "2401021200-1W",
            "2401021200\xb2\xb2W",
        ):
            self.check(printed, None)
        self.assertIsNone(AMSTERDAM.clock("٢٤٠١٠٢١٢٠٠٠٠W"))

    def test_unknown_zone(self) -> None:
        """A zone that is none is refused in a sentence."""
        for name in ("Europe/Atlantis", "", "../passwd", "Europe", "a\0b"):
            error = self.assertRaises(SettingsError, MeterZone, name)
            self.assertIn(repr(name), str(error))

    @given(st.binary(max_size=20))
    def test_any_bytes(self, printed: bytes) -> None:
        """Whatever a meter prints, it is an instant or none."""
        self.assertIsInstance(AMSTERDAM.clock(printed), int | None)


class DayTests(SynchronousTestCase):
    """Local days."""

    def test_lengths(self) -> None:
        """Days have 24 hours, 23 in the night of March, 25 in the one of October."""
        for day, hours in ((date(2017, 3, 25), 24), (date(2017, 3, 26), 23), (date(2017, 10, 29), 25)):
            start, end = AMSTERDAM.bounds(day)
            self.assertEqual(end - start, hours * HOUR)
            self.assertEqual(AMSTERDAM.day_of(start), day)
            self.assertEqual(AMSTERDAM.day_of(start - 1), day - timedelta(days=1))
            self.assertEqual(AMSTERDAM.day_of(end), day + timedelta(days=1))
        self.assertEqual(AMSTERDAM.day_start(date(2017, 3, 26)), instant("2017-03-25T23:00:00Z"))

    def test_ends_of_time(self) -> None:
        """The first and the last day that can be stored have bounds, too."""
        self.assertEqual(AMSTERDAM.bounds(date.max)[1] - AMSTERDAM.bounds(date.max)[0], DAY)
        self.assertEqual(AMSTERDAM.day_of(LAST_INSTANT), date.max)
        self.assertEqual(meter_zone("America/New_York").day_of(FIRST_INSTANT), date.min)
        self.assertLess(AMSTERDAM.day_start(date.min), FIRST_INSTANT)

    @given(INSTANTS.filter(lambda at: at < LAST_INSTANT - DAY))
    def test_every_instant_is_in_its_day(self, at: int) -> None:
        """An instant lies within the bounds of its day."""
        start, end = AMSTERDAM.bounds(AMSTERDAM.day_of(at))
        self.assertTrue(start <= at < end)


class LocalTests(SynchronousTestCase):
    """Times that people write without an offset."""

    def test_from_local(self) -> None:
        """A naive time is that of the zone."""
        self.assertEqual(AMSTERDAM.from_local(datetime(2024, 4, 2, 12)), instant("2024-04-02T10:00:00Z"))
        self.assertEqual(AMSTERDAM.from_local(datetime(2024, 1, 2, 12)), instant("2024-01-02T11:00:00Z"))

    def test_refused(self) -> None:
        """A time that a clock on the wall never shows, shows twice, or that can't be stored, is refused."""
        for moment in (datetime(2017, 3, 26, 2, 30), datetime(2017, 10, 29, 2, 30), datetime(1, 1, 1)):
            error = self.assertRaises(ValueError, AMSTERDAM.from_local, moment)
            self.assertEqual(str(error), 'Invalid datetime for the timezone "Europe/Amsterdam".')
        self.assertRaises(ValueError, meter_zone("America/New_York").from_local, datetime.max)

    def test_edges(self) -> None:
        """The last second before such an hour and the first one after it are fine."""
        for moment, text in (
            (datetime(2017, 3, 26, 1, 59, 59), "2017-03-26T00:59:59Z"),
            (datetime(2017, 3, 26, 3), "2017-03-26T01:00:00Z"),
            (datetime(2017, 10, 29, 1, 59, 59), "2017-10-28T23:59:59Z"),
            (datetime(2017, 10, 29, 3), "2017-10-29T02:00:00Z"),
        ):
            self.assertEqual(AMSTERDAM.from_local(moment), instant(text))


class TextTests(SynchronousTestCase):
    """Instants for the API."""

    def test_utc(self) -> None:
        """UTC ends in Z; a fraction of a second is shown when there is one."""
        at = instant("2017-01-01T12:00:00Z")
        self.assertEqual(to_utc_text(at), "2017-01-01T12:00:00Z")
        self.assertEqual(to_utc_text(at + 500_000), "2017-01-01T12:00:00.500000Z")
        self.assertEqual(to_utc_text(FIRST_INSTANT), "0001-01-01T00:00:00Z")
        self.assertEqual(to_utc_text(LAST_INSTANT), "9999-12-31T23:59:59.999999Z")
        self.assertRaises(OverflowError, to_utc_text, LAST_INSTANT + 1)

    def test_local(self) -> None:
        """Local text carries its offset, and is in UTC where the calendar ends, or where that offset has seconds."""
        self.assertEqual(AMSTERDAM.local_text(instant("2017-01-01T12:00:00Z")), "2017-01-01T13:00:00+01:00")
        self.assertEqual(AMSTERDAM.local_text(instant("2017-07-01T12:00:00.25Z")), "2017-07-01T14:00:00.250000+02:00")
        self.assertEqual(AMSTERDAM.local_text(LAST_INSTANT), "9999-12-31T23:59:59.999999+00:00")
        self.assertEqual(AMSTERDAM.local_text(instant("1890-10-11T19:33:20Z")), "1890-10-11T19:33:20Z")

    @given(INSTANTS)
    def test_exact(self, at: int) -> None:
        """No microsecond is lost on the way to a date and back."""
        self.assertEqual(instant_of(utc(at)), at)
        self.assertEqual(instant_of(AMSTERDAM.local(at)), at)
        self.assertEqual(instant(to_utc_text(at)), at)

    def test_unit(self) -> None:
        """An instant counts microseconds since 1970."""
        self.assertEqual(instant_of(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)), SECOND)

    def test_one_zone(self) -> None:
        """Zones of one name are equal, and made once."""
        self.assertEqual(MeterZone("Europe/Amsterdam"), AMSTERDAM)
        self.assertIs(meter_zone("Europe/Amsterdam"), AMSTERDAM)
