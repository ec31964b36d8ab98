"""What fields take, as JSON Schema says it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.api.bodies import Number
from dsmr_tw.api.fields import DayField, DecimalField, Field, IntegerField, MomentField, Need, TextField
from dsmr_tw.api.schemas import submitted
from dsmr_tw.api.shapes_weather import DegreesField
from dsmr_tw.domain.localtime import meter_zone

MOMENT, DAY, NUMBER = MomentField(meter_zone("Europe/Amsterdam")), DayField(), DecimalField(9, 3)
WHOLE, TEXT, DEGREES = IntegerField(0, 2**31 - 1), TextField(3), DegreesField()

TAKEN: dict[Field, tuple[Any, ...]] = {
    MOMENT: ("2024-04-02T12:00", "2024-04-02 12:00:30.1234567", "2024-04-02T12:00+02", "2024-04-02T12:00:00-0130"),
    DAY: ("2024-04-02", "0001-01-01"),
    NUMBER: ("1.234", "-999999.999", 1.5, -3, "007", 0),
    WHOLE: (7, "0002", "+1", 2**31 - 1),
    TEXT: ("", "abc"),
    DEGREES: ("12.3", -99.9, 0, 99.9),
}
"""Values that are read, and described."""

REFUSED: dict[Field, tuple[Any, ...]] = {
    MOMENT: ("2024-04-02", "2024-13-02T12:00", "2024-04-02T25:00", "12:00", 7),
    DAY: ("2024-02-30", "2024-04-02T12:00", "today"),
    NUMBER: ("1,5", "1.2345", 1.2345, "1234567", 1_000_000, True, [], "x"),
    WHOLE: (-1, "-1", 2**31, "x", 1.5, True),
    TEXT: ("abcd", {}),
    DEGREES: ("12.34", 100, -100.1, "warm"),
}
"""Values that are neither."""


def is_described(field: Field, value: object) -> bool:
    """Whether the schema holds the value for right."""
    schema: dict[str, Any] = submitted({"name": Need(field, required=True)})
    return bool(Draft202012Validator(schema, validate_formats=True).is_valid({"name": value}))


def is_read(field: Field, value: object) -> bool:
    """Whether the field takes the value, as it comes out of a JSON body."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    try:
        field.read(Number(value) if is_number else value)
    except ValueError:
        return False
    return True


class FieldTests(SynchronousTestCase):
    """Fields and their schemas."""

    def test_agreement(self) -> None:
        """What is described is taken, and what is refused is not described."""
        for values, is_fine in ((TAKEN, True), (REFUSED, False)):
            for field, examples in values.items():
                for value in examples:
                    self.assertEqual(is_read(field, value), is_fine, (field, value))
                    self.assertEqual(is_described(field, value), is_fine, (field, value))

    @settings(max_examples=200)
    @given(st.sampled_from(list(TAKEN)), st.text("0123456789.-+eTZ: ", max_size=12) | st.integers(-1000, 1000))
    def test_whatever_is_described_is_taken(self, field: Field, value: object) -> None:
        """No value is described that would be refused."""
        if is_described(field, value):
            self.assertTrue(is_read(field, value), (field, value))

    def test_optional(self) -> None:
        """What need not be there may be null, or left out; what must be there, only where all may be left out."""
        schema = submitted({"a": Need(WHOLE), "b": Need(TEXT, required=True)})
        validator = Draft202012Validator(schema)
        for value, is_right in (
            ({"b": "x"}, True),
            ({"a": None, "b": "x"}, True),
            ({"a": None, "b": None}, False),
            ({"a": 1}, False),
        ):
            self.assertEqual(validator.is_valid(value), is_right, value)
        partly = submitted({"a": Need(WHOLE), "b": Need(TEXT, required=True)}, partial=True)
        self.assertTrue(Draft202012Validator(partly).is_valid({}))

    def test_a_field_of_an_unknown_kind(self) -> None:
        """A field of a new kind has to be described before it can be used."""

        class Other:
            def read(self, value: object) -> object:
                return value

        self.assertRaises(TypeError, submitted, {"a": Need(Other())})
