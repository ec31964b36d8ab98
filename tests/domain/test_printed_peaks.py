"""Tests of dsmr_tw.domain.printed_peaks: what meters print of the highest quarters of months."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.printed_peaks import MonthEnd, PrintedPeak, read_past_months, read_peak

GROUPS = st.sampled_from([b"200501000000S", b"632525252525W", b"02.589*kW", b"1-0:1.6.0", b"3", b"", b"xx"])


class PeakTests(SynchronousTestCase):
    """The month under way."""

    def test_peak(self) -> None:
        """Time and power stand in either order; a clock may be unset, absent, or without a flag."""
        for text, time, power in (
            (b"200509134558S)(02.589*kW", "200509134558S", 2589),
            (b"08.796*kW)(260102010000", "260102010000", 8796),
            (b"35255255255255255S)(00.000*kW", "35255255255255255S", 0),
            (b")(00.000*kW", "", 0),
            (b"00.000*kW)(", "", 0),
            (b"200509134558S)(02.589", "200509134558S", 2589),
            (b"250315014500W)(15206*W", "250315014500W", 15_206),
        ):
            self.assertEqual(read_peak(text), PrintedPeak("", time, power), text)

    def test_no_peak(self) -> None:
        """Anything else is none."""
        for text in (b"", b"02.589*kW", b"200509134558S", b"200509134558S)(02.589*V", b"200509134558S)(1)(2", b"a)(b"):
            self.assertRaises(ValueError, read_peak, text)


class PastMonthsTests(SynchronousTestCase):
    """Past months."""

    def test_belgium(self) -> None:
        """Each month is there that is printed, never reached or not, whatever their number says."""
        first = PrintedPeak("230801000000S", "632525252525W", 0)
        second = PrintedPeak("230901000000S", "230831181500S", 1862)
        one = b"(230801000000S)(632525252525W)(00.000*kW)"
        two = one + b"(230901000000S)(230831181500S)(01.862*kW)"
        for text, expected in (
            (b"(2)(1-0:1.6.0)(1-0:1.6.0)" + two, (first, second)),
            (b"(13)(1-0:1.6.0)(1-0:1.6.0)" + one, (first,)),
            (b"(1)(1-0:1.6.0)" + one, (first,)),
            (b"(1)" + one, (first,)),
            (b"(1)(1-0:1.6.0)(1-0:1.6.0)()()()", ()),
            (b"(0)(1-0:1.6.0)(1-0:1.6.0)", ()),
            (b"(12)", ()),
            (b"()", ()),
        ):
            self.assertEqual(read_past_months(text[1:-1]), expected, text)

    def test_not_whole(self) -> None:
        """A list that is cut in the midst of an entry is none."""
        for text in (b"1)(1-0:1.6.0)(230801000000S)(632525252525W", b"1)(1-0:1.6.0)(230801000000S)(x)(00.0*V"):
            self.assertRaises(ValueError, read_past_months, text)

    def test_hungary(self) -> None:
        """A month's end holds all values, with their units."""
        said = read_past_months(b"230701000000S)(000040.777*kWh)(000000.030*kvarh)(03.564*kW")
        self.assertEqual(said, MonthEnd("230701000000S", ((40_777, "kWh"), (30, "kvarh"), (3564, "kW"))))

    @given(st.lists(GROUPS | st.binary(max_size=12), max_size=12))
    def test_any_groups(self, groups: list[bytes]) -> None:
        """Whatever stands in the groups, it is read or none."""
        text = b")(".join(groups)
        for read in (read_peak, read_past_months):
            try:
                read(text)
            except ValueError:
                continue
