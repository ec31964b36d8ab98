"""Submitted values: what they become, and the words for what is wrong with them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api.bodies import Number
from dsmr_tw.api.fields import (
    NO_DATETIME,
    NO_DAY,
    DayField,
    DecimalField,
    IntegerField,
    MomentField,
    Need,
    TextField,
    instant,
    submitted,
)
from dsmr_tw.api.problems import Problem
from dsmr_tw.domain.localtime import meter_zone, to_utc_text

ZONE = meter_zone("Europe/Amsterdam")
POSITION = DecimalField(9, 3)

NO_NUMBER = "A valid number is required."
DIGITS = "Ensure that there are no more than 9 digits in total."
PLACES = "Ensure that there are no more than 3 decimal places."
WHOLE = "Ensure that there are no more than 6 digits before the decimal point."


class FieldCase(SynchronousTestCase):
    """Tests of one field."""

    def said(self, field: Any, value: object) -> str:
        """What is wrong with a value."""
        return str(self.assertRaises(ValueError, field.read, value))


class DecimalTests(FieldCase):
    """Numbers."""

    def test_numbers(self) -> None:
        """Numbers are taken exactly, however they are written."""
        for text, value in (
            ("2000", 2_000_000),
            (" 2000 ", 2_000_000),
            ("2000.", 2_000_000),
            (".5", 500),
            ("+1.5", 1_500),
            ("-1.5", -1_500),
            ("1e3", 1_000_000),
            ("1.5E-2", 15),
            ("000000000001.5", 1_500),
            ("12345.7", 12_345_700),
            ("999999.999", 999_999_999),
            ("-0", 0),
            (Number("1.5"), 1_500),
        ):
            self.assertEqual(POSITION.read(text), value, text)

    def test_what_is_no_number(self) -> None:
        """What is no number is called so."""
        for value in (
            "",
            "abc",
            "1,5",
            "1 000",
            "1.2.3",
            "0x10",
            "1_000",
            "NaN",
            "sNaN",
            "-Infinity",
            "٣",
            "--1",
            ".",
            "e5",
        ):
            self.assertEqual(self.said(POSITION, value), NO_NUMBER, value)
        others: tuple[object, ...] = (True, None, [], {"a": 1}, 1.5)
        for other in others:
            self.assertEqual(self.said(POSITION, other), NO_NUMBER, other)

    def test_too_long(self) -> None:
        """Digits are counted as they are written; the first rule that is broken is named."""
        for text, words in (
            ("1.5004", PLACES),
            ("1.50000", PLACES),
            ("1.500000000000", DIGITS),
            ("0.0004", PLACES),
            ("1e-4", PLACES),
            ("1000000", WHOLE),
            ("123456.7890", DIGITS),
            ("0e10", DIGITS),
            ("1e999999", DIGITS),
            ("1" * 1001, "String value too large."),
        ):
            self.assertEqual(self.said(POSITION, text), words, text)
        self.assertEqual(
            self.said(DecimalField(4, 1), "230.15"), "Ensure that there are no more than 4 digits in total."
        )
        self.assertEqual(self.said(DecimalField(4, 1), "23.15"), "Ensure that there are no more than 1 decimal places.")

    @settings(max_examples=200, deadline=None)
    @given(st.integers(-999_999_999, 999_999_999))
    def test_exactly(self, thousandths: int) -> None:
        """Any number of three decimals is taken to the thousandth."""
        self.assertEqual(POSITION.read(str(Decimal(thousandths) / 1000)), thousandths)

    def test_millionths(self) -> None:
        """A field may count in millionths; how many digits may be written is another matter."""
        price = DecimalField(11, 6, scale=6)
        for text, value in (("0.251", 251_000), ("-99999.999999", -99_999_999_999), ("1e-6", 1), ("2", 2_000_000)):
            self.assertEqual(price.read(text), value, text)
        self.assertEqual(self.said(price, "0.0000001"), "Ensure that there are no more than 6 decimal places.")
        self.assertEqual(DecimalField(4, 1, scale=6).read("1.5"), 1_500_000)


class IntegerTests(FieldCase):
    """Whole numbers."""

    def test_whole_numbers(self) -> None:
        """Whole numbers may carry a point, zeros or spaces."""
        for text, value in (("5", 5), ("5.0", 5), ("0002", 2), (" 7 ", 7), ("-3", -3), (Number("5"), 5)):
            self.assertEqual(IntegerField(-9, 9).read(text), value)
        others: tuple[object, ...] = ("5.5", "1e2", "abc", "", True, 5.0, None, [])
        for other in others:
            self.assertEqual(self.said(IntegerField(-9, 9), other), "A valid integer is required.", other)

    def test_bounds(self) -> None:
        """Bounds are named."""
        self.assertEqual(self.said(IntegerField(0, 9), "10"), "Ensure this value is less than or equal to 9.")
        self.assertEqual(self.said(IntegerField(0, 9), "-1"), "Ensure this value is greater than or equal to 0.")
        self.assertEqual(self.said(IntegerField(0, 9), "9" * 1001), "String value too large.")


class TextTests(FieldCase):
    """Texts."""

    def test_texts(self) -> None:
        """A text is kept as it is; a number is a text, too."""
        self.assertEqual(TextField(5).read(" m³ \n"), " m³ \n")
        self.assertIs(type(TextField(5).read(Number("50"))), str)

    def test_what_can_not_be_stored(self) -> None:
        """What is too long, or no store could hold, is refused."""
        self.assertEqual(self.said(TextField(2), "abc"), "Ensure this field has no more than 2 characters.")
        self.assertEqual(self.said(TextField(2), "\0"), "Null characters are not allowed.")
        self.assertEqual(self.said(TextField(2), "\ud800"), "Surrogate characters are not allowed.")
        others: tuple[object, ...] = (True, [], {})
        for other in others:
            self.assertEqual(self.said(TextField(2), other), "Not a valid string.")


class MomentTests(FieldCase):
    """Dates with times."""

    field = MomentField(ZONE)

    def test_moments(self) -> None:
        """``T`` or space, seconds and fraction optional, offsets in three lengths; without one the meter's zone."""
        for text, at, written in (
            ("2017-04-15T00:00:00Z", "2017-04-15T00:00:00Z", "2017-04-15T00:00:00+00:00"),
            ("2017-04-15T00:00:00+02", "2017-04-14T22:00:00Z", "2017-04-15T00:00:00+02:00"),
            ("2017-04-15 00:00-0130", "2017-04-15T01:30:00Z", "2017-04-15T00:00:00-01:30"),
            ("2017-04-15T00:00:00+14:00", "2017-04-14T10:00:00Z", "2017-04-15T00:00:00+14:00"),
            ("2017-4-5T1:02", "2017-04-04T23:02:00Z", "2017-04-05T01:02:00+02:00"),
            ("2017-01-15 00:00:00", "2017-01-14T23:00:00Z", "2017-01-15T00:00:00+01:00"),
            ("2017-04-15T00:00:00.1234567Z", "2017-04-15T00:00:00.123456Z", "2017-04-15T00:00:00.123456+00:00"),
            ("2017-04-15T00:00:00.5Z", "2017-04-15T00:00:00.500000Z", "2017-04-15T00:00:00.500000+00:00"),
            ("9999-12-31T23:59:59", "9999-12-31T22:59:59Z", "9999-12-31T23:59:59+01:00"),
        ):
            moment = self.field.read(text)
            self.assertEqual((to_utc_text(moment.at), moment.written.isoformat()), (at, written), text)

    def test_what_is_none(self) -> None:
        """Anything else is told which form it should have."""
        others: tuple[object, ...] = (
            "",
            "now",
            "2017-04-15",
            "2017-W15-6",
            "2017-04-15t00:00:00Z",
            "2017-04-15T00:00:00z",
            "2017-04-15T00:00:00,5Z",
            "2017-04-15T24:00:00",
            "2017-04-15T23:59:60Z",
            "2017-02-30T00:00:00Z",
            "2017-04-15T00:00:00 +02:00",
            "2017-04-15T00:00:00+02:00:30",
            "2017-04-15T00:00:00+24:00",
            "2017-04-15T00:00:00Z\n",
            "٢٠١٧-04-15T00:00:00Z",
            "0001-01-01T00:00:00+01:00",
            Number("1486000000"),
            5,
            True,
            None,
            {"a": 1},
        )
        for other in others:
            self.assertEqual(self.said(self.field, other), NO_DATETIME, other)

    def test_local_times_that_are_none_or_two(self) -> None:
        """A local time that does not exist, or comes twice, can't be meant; with an offset it can."""
        for text in ("2017-03-26T02:30:00", "2017-10-29T02:30:00"):
            self.assertEqual(self.said(self.field, text), 'Invalid datetime for the timezone "Europe/Amsterdam".')
            self.assertTrue(self.field.read(f"{text}+01:00"))

    def test_parameters(self) -> None:
        """A parameter may also be a date: its midnight."""
        self.assertEqual(to_utc_text(instant("2017-04-15", ZONE)), "2017-04-14T22:00:00Z")
        self.assertEqual(to_utc_text(instant("2017-04-15 12:00", ZONE)), "2017-04-15T10:00:00Z")
        for text in ("bogus", "2017-13-01", "02/01/2017", "1486000000", "2017-04-15Z"):
            self.assertRaises(ValueError, instant, text, ZONE)


class DayTests(FieldCase):
    """Dates without times."""

    def test_days(self) -> None:
        """A day is written year first, with or without zeros."""
        for text, day in (
            ("2024-02-29", date(2024, 2, 29)),
            ("2024-2-9", date(2024, 2, 9)),
            ("0001-01-01", date.min),
            ("9999-12-31", date.max),
        ):
            self.assertEqual(DayField().read(text), day, text)

    def test_what_is_none(self) -> None:
        """Anything else, a day that its month does not have included, is told which form it should have."""
        others: tuple[object, ...] = (
            "",
            "today",
            "2023-02-29",
            "0000-01-01",
            "29-02-2024",
            "2024-02",
            " 2024-02-29",
            "2024-02-29T00:00:00Z",
            "2024-W09-4",
            "٢٠٢٤-02-29",
            Number("20240229"),
            True,
            None,
            ["2024-02-29"],
        )
        for other in others:
            self.assertEqual(self.said(DayField(), other), NO_DAY, other)


class SubmittedTests(SynchronousTestCase):
    """Many fields at once."""

    needs = {"a": Need(POSITION, required=True), "b": Need(POSITION), "c": Need(MomentField(ZONE), required=True)}

    def errors(self, values: dict[str, object], partial: bool = False) -> object:
        """What is said to be wrong."""
        return self.assertRaises(Problem, submitted, values, self.needs, partial).body

    def test_left_out(self) -> None:
        """What may be left out is ``None``, blank or not there; unknown fields are ignored."""
        values = {"a": "1", "c": "2017-04-15T00:00:00Z", "x": "y"}
        for more in ({}, {"b": None}, {"b": ""}, {"b": " "}):
            self.assertIsNone(submitted({**values, **more}, self.needs)["b"])

    def test_needed(self) -> None:
        """What must be there is asked for; blank or null will not do."""
        self.assertEqual(self.errors({}), {"a": ["This field is required."], "c": ["This field is required."]})
        self.assertEqual(self.errors({"a": None, "c": ""}), {"a": ["This field may not be null."], "c": [NO_DATETIME]})

    def test_partial(self) -> None:
        """A change names only what changes."""
        self.assertEqual(submitted({"b": "1"}, self.needs, partial=True), {"b": 1000})
        self.assertEqual(self.errors({"a": None}, partial=True), {"a": ["This field may not be null."]})
