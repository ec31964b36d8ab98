"""Tests of dsmr_tw.domain.units: the text of values, read and written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.units import (
    celsius_text,
    cost_text,
    one_decimal,
    price,
    price_text,
    quantity,
    tenths_celsius,
    three_decimals,
    whole,
    whole_number,
)


class ReadingTests(SynchronousTestCase):
    """Printed values."""

    def test_values(self) -> None:
        """A value comes out in thousandths of its quantity's unit, whatever unit the meter prints."""
        for text, unit, value in (
            (b"001073.079*kWh", "kWh", 1_073_079),
            (b"00041710.1396502*kWh", "kWh", 41_710_139),
            (b"0005017120*Wh", "kWh", 5_017_120),
            (b"0000.68*kW", "kW", 680),
            (b"000049.27*W", "kW", 49),
            (b"220.1*V", "V", 220_100),
            (b"0.2201*kV", "V", 220_100),
            (b"001*A", "A", 1000),
            (b"000281*mA", "A", 281),
            (b"0.001*kA", "A", 1000),
            (b"00981.443*m3", "m3", 981_443),
            (b"00981.443*m\xb3", "m3", 981_443),
            (b"00981.443*m\xc2\xb3", "m3", 981_443),
            (b"981443*dm3", "m3", 981_443),
            (b"981443*l", "m3", 981_443),
            (b"12785.444*GJ", "GJ", 12_785_444),
            (b"50*MJ", "GJ", 50),
            (b"1.5*kvarh", "kvarh", 1500),
            (b"2*varh", "kvarh", 2),
            (b"1*kvar", "kvar", 1000),
            (b"1*var", "kvar", 1),
            (b"1*kVA", "kVA", 1000),
            (b"1*VA", "kVA", 1),
            (b"50.01*Hz", "Hz", 50_010),
            (b"0.05*kHz", "Hz", 50_000),
        ):
            self.assertEqual(quantity(text, unit), (value, unit), text)
            self.assertEqual(quantity(text, None), (value, unit), text)

    def test_spellings(self) -> None:
        """The asterisk may be missing, the unit be in lower case or missing altogether."""
        for text in (b"001.500*kWh", b"001.500kWh", b"001.500*KWH", b"001.500*kwh", b"1.5kwh", b"001.500"):
            self.assertEqual(quantity(text, "kWh"), (1500, "kWh"), text)
        self.assertEqual(quantity(b"00000000.0000", None), (0, ""))
        self.assertEqual(quantity(b"00012", None), (12_000, ""))

    def test_negative(self) -> None:
        """A value below zero is read as such, and rounded down like any other."""
        self.assertEqual(quantity(b"-063*A", "A"), (-63_000, "A"))
        self.assertEqual(quantity(b"-00.001*kW", "kW"), (-1, "kW"))
        self.assertEqual(quantity(b"-000049.27*W", "kW"), (-50, "kW"))

    def test_nothing_else(self) -> None:
        """What is not printed as a value of the quantity is refused: nothing is guessed."""
        for text in (
            b"",
            b"*kWh",
            b"xx.321*kWh",
            b"1_000*kWh",
            b" 1.0*kWh",
            b"1.0 *kWh",
            b"1.0*kWh ",
            b"+1.0*kWh",
            b"--1.0*kWh",
            b"1.-5*kWh",
            b"1,5*kWh",
            b".5*kWh",
            b"-.5*kWh",
            b"-*kWh",
            b"5.*kWh",
            b"1.2.3*kWh",
            b"1e3*kWh",
            b"1.0*",
            b"1.0*kWh*kWh",
            b"1.0*m3",
            b"1.0*furlong",
            b"1.0\xb2",
            b"\xb2.0*kWh",
            "١*kWh".encode(),
            b"9999999999.999*kWh",
            b"1" * 5000,
        ):
            self.assertRaises(ValueError, quantity, text, "kWh")
        self.assertEqual(quantity(b"999999999.999*kWh", "kWh"), (10**12 - 1, "kWh"))

    def test_counts(self) -> None:
        """A count has digits and nothing else."""
        self.assertEqual(whole_number(b"00006"), 6)
        self.assertEqual(whole_number(b"2147483647"), 2_147_483_647)
        for text in (b"", b"-1", b"1.0", b" 1", b"abcd", b"1_0", b"\xb2", b"0" * 13):
            self.assertRaises(ValueError, whole_number, text)


class WritingTests(SynchronousTestCase):
    """Values for JSON."""

    def test_three_decimals(self) -> None:
        """Positions and powers have three decimals, on both sides of zero."""
        for value, text in ((1_073_079, "1073.079"), (0, "0.000"), (5, "0.005"), (-5, "-0.005"), (-1500, "-1.500")):
            self.assertEqual(three_decimals(value), text)

    def test_one_decimal(self) -> None:
        """Voltages have one, rounded half up."""
        for value, text in (
            (227_000, "227.0"),
            (227_049, "227.0"),
            (227_050, "227.1"),
            (1_234_560, "1234.6"),
            (0, "0.0"),
            (-49, "0.0"),
            (-50, "-0.1"),
        ):
            self.assertEqual(one_decimal(value), text)

    def test_whole(self) -> None:
        """Currents have none, rounded half up."""
        for value, number in ((0, 0), (499, 0), (500, 1), (2750, 3), (-499, 0), (-500, -1), (-2499, -2)):
            self.assertEqual(whole(value), number)

    @given(st.integers(-(10**12) + 1, 10**12 - 1))
    def test_there_and_back(self, value: int) -> None:
        """What is written is read as the same value."""
        self.assertEqual(quantity(three_decimals(value).encode(), "kWh"), (value, "kWh"))


class MoneyTests(SynchronousTestCase):
    """Prices and costs."""

    def test_prices(self) -> None:
        """A price is written in euros, with as many decimals as it needs, and shown with all six."""
        for text, value, shown in (
            ("0.251", 251_000, "0.251000"),
            ("0", 0, "0.000000"),
            ("-0", 0, "0.000000"),
            ("1", 1_000_000, "1.000000"),
            ("0.000001", 1, "0.000001"),
            ("-0.05", -50_000, "-0.050000"),
            ("007.5", 7_500_000, "7.500000"),
            ("99999.999999", 99_999_999_999, "99999.999999"),
        ):
            self.assertEqual((price(text), price_text(value)), (value, shown), text)

    def test_no_prices(self) -> None:
        """What is written in another way is refused: nothing is rounded or guessed."""
        for text in (
            *("", "-", ".", ".5", "5.", "0,251", "+1", " 1", "1 ", "1\n", "1e3", "--1", "1_0", "€1", "1.2.3", "nan"),
            *("0.0000001", "100000", "1.-5", "\u0661"),
        ):
            self.assertRaises(ValueError, price, text)

    @given(st.integers(-(10**11) + 1, 10**11 - 1))
    def test_prices_there_and_back(self, value: int) -> None:
        """What is shown of a price is read as the same price."""
        self.assertEqual(price(price_text(value)), value)

    def test_costs(self) -> None:
        """A cost is shown in cents, rounded half up, on both sides of zero."""
        for value, text in (
            (1_300_000_000, "1.30"),
            (1_295_000_000, "1.30"),
            (1_294_999_999, "1.29"),
            (-50_000_000, "-0.05"),
            (-45_000_000, "-0.05"),
            (-44_999_999, "-0.04"),
            (-4_999_999, "0.00"),
            (4_999_999, "0.00"),
            (5_000_000, "0.01"),
            (0, "0.00"),
            (12_345_678_900_000_000, "12345678.90"),
        ):
            self.assertEqual(cost_text(value), text)


class CelsiusTests(SynchronousTestCase):
    """Temperatures."""

    def test_temperatures(self) -> None:
        """However many decimals a thermometer gives, tenths are kept, rounded half up."""
        for text, tenths, shown in (
            ("7.3", 73, "7.3"),
            ("7", 70, "7.0"),
            ("7.", 70, "7.0"),
            ("+07.30", 73, "7.3"),
            ("-7.35", -74, "-7.4"),
            ("7.25", 73, "7.3"),
            ("7.249999", 72, "7.2"),
            ("-0.04", 0, "0.0"),
            ("-0", 0, "0.0"),
            ("1.12e1", 112, "11.2"),
            ("1E-7", 0, "0.0"),
            ("99.9", 999, "99.9"),
            ("-99.9", -999, "-99.9"),
        ):
            self.assertEqual((tenths_celsius(text), celsius_text(tenths)), (tenths, shown), text)

    def test_no_temperatures(self) -> None:
        """What is no number, or no temperature that there is outdoors, is refused."""
        for text in (
            *("", "-", ".", ".5", "7,3", " 7", "7\n", "7°", "--7", "1_0", "nan", "inf", "\u0661", "1e9999"),
            *("99.91", "-99.91", "100", "1e999", f"{'9' * 20}", "9" * 30),
        ):
            self.assertRaises(ValueError, tenths_celsius, text)
