"""Responsible for the forms of values in JSON Schema: what is answered, and what the fields of a submission take.

A field that is submitted is described from the very value that judges it, so that the two can't disagree.
Where more is taken than is nice to write, as a month of one digit is, the nice form is described.

Tests: ``tests/api/test_schemas.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dsmr_tw.api.fields import DayField, DecimalField, Field, IntegerField, MomentField, Need, TextField
from dsmr_tw.api.shapes import Json
from dsmr_tw.api.shapes_weather import DegreesField
from dsmr_tw.domain.temperature import LEAST, MOST

MOMENT: Final[Json] = {
    "type": "string",
    "description": "A date and a time; without an offset from UTC, of the meter's zone.",
    "pattern": (
        r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
        r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]([01][0-9]|2[0-3])(:?[0-5][0-9])?)?$"
    ),
    "examples": ["2024-04-02T12:00:00+02:00"],
}
"""A time as it may be submitted."""

DAY: Final[Json] = {"type": "string", "format": "date"}
INSTANT: Final[Json] = {"type": "string", "format": "date-time"}
TEXT: Final[Json] = {"type": "string"}
NUMBER: Final[Json] = {"type": "number"}
INTEGER: Final[Json] = {"type": "integer"}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}
BOOLEAN: Final[Json] = {"type": "boolean"}


def decimal(places: int, unit: str) -> Json:
    """A number with so many digits behind the point, as text."""
    return {"type": "string", "pattern": rf"^-?[0-9]+\.[0-9]{{{places}}}$", "description": unit}


def nullable(schema: Json) -> Json:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def by_phase(name: str, schema: Json) -> dict[str, Json]:
    """The same for each of the three phases."""
    return {f"{name}_l{phase}": schema for phase in (1, 2, 3)}


def answered(**properties: Json) -> Json:
    """An object with all of these properties and no other."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def listed(schema: Json) -> Json:
    """An array of these."""
    return {"type": "array", "items": schema}


def submitted(needs: Mapping[str, Need], partial: bool = False) -> Json:
    """An object whose properties these fields read; ``partial``: any of them may be left out."""
    schema: Json = {"type": "object", "properties": {name: _taken(need) for name, need in needs.items()}}
    required = [name for name, need in needs.items() if need.required]
    return {**schema, "required": required} if required and not partial else schema


def _taken(need: Need) -> Json:
    """What a field takes; nothing, if it may be nothing."""
    schema = _read(need.field)
    if need.required:
        return schema
    kinds = schema["type"]
    return {**schema, "type": [*(kinds if isinstance(kinds, list) else [kinds]), "null"]}


def _read(field: Field) -> Json:
    """What a field reads."""
    match field:
        case MomentField():
            return MOMENT
        case DayField():
            return DAY
        case DecimalField():
            bound = 10 ** (field.digits - field.places)
            return {**_number(field), "exclusiveMinimum": -bound, "exclusiveMaximum": bound}
        case DegreesField():
            tenths = DecimalField(digits=len(str(MOST)), places=1)
            return {**_number(tenths), "minimum": LEAST / 10, "maximum": MOST / 10}
        case IntegerField():
            text = rf"^[+{'-' if field.least < 0 else ''}]?[0-9]{{1,9}}$"
            return {"type": ["integer", "string"], "minimum": field.least, "maximum": field.most, "pattern": text}
        case TextField():
            return {"type": "string", "maxLength": field.most}
    raise TypeError(f"no schema is known of {field}")


def _number(field: DecimalField) -> Json:
    """A number, or its text, with so many digits before and behind the point."""
    whole = field.digits - field.places
    return {
        "type": ["string", "number"],
        "pattern": rf"^-?[0-9]{{1,{whole}}}(\.[0-9]{{1,{field.places}}})?$",
        "multipleOf": 10**-field.places,
        "description": f"{whole} digits before the point and {field.places} behind it, at most.",
    }


def ref(name: str) -> Json:
    """The schema that the description keeps under this name."""
    return {"$ref": f"#/components/schemas/{name}"}
