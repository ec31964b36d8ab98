"""Responsible for the parameters of requests, as the API describes them.

Tests: ``tests/api/test_openapi.py``
"""

from __future__ import annotations

from typing import Final

from dsmr_tw.api.paging import DEFAULT_LIMIT
from dsmr_tw.api.schemas import DAY, MOMENT, TEXT, ref
from dsmr_tw.api.shapes import Json
from dsmr_tw.limits import PAGE_ROWS


def parameter(name: str, description: str, schema: Json, place: str = "query", required: bool = False) -> Json:
    """A parameter of a request."""
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


TIME: Final[Json] = {"anyOf": [MOMENT, DAY], "description": "A day is its first instant."}
"""A time as a parameter."""

PARAMETERS: Final[dict[str, Json]] = {
    "meter": parameter("meter", "Whose, by id or name; else the key's, else the first.", TEXT),
    "limit": parameter(
        "limit",
        f"How many rows a page has; more than {PAGE_ROWS} are {PAGE_ROWS}.",
        {"type": "integer", "minimum": 1, "maximum": PAGE_ROWS, "default": DEFAULT_LIMIT},
    ),
    "offset": parameter("offset", "Where the page begins.", {"type": "integer", "minimum": 0, "default": 0}),
    "id": parameter("id", "Which.", {"type": "integer", "minimum": 1}, "path", required=True),
    "received": parameter(
        "X-Received-At",
        "When each of the telegrams was heard, comma-separated: dates those without a clock.",
        TEXT,
        "header",
    ),
}
"""Those that the description keeps apart from the operations which have them."""


def shared(name: str) -> Json:
    """The parameter that the description keeps under this name."""
    return {"$ref": f"#/components/parameters/{name}"}


METER: Final = shared("meter")
WHICH: Final = shared("id")


def window(*names: str) -> tuple[Json, ...]:
    """The parameters of a list that can be ordered by these fields."""
    orders = [order for name in names for order in (name, f"-{name}")]
    text = "By which field; with a minus the greatest first. Any other is as good as none."
    return (
        parameter("ordering", text, {"enum": orders, "default": names[0]}),
        shared("limit"),
        shared("offset"),
        METER,
    )


def span(name: str, schema: Json | None = None) -> tuple[Json, ...]:
    """The parameters of a list that is ordered by this field, and can be limited by it."""
    bounds = ((f"{name}__gte", "From."), (f"{name}__lte", "To, included."), (name, "Exactly."))
    return (*(parameter(bound, text, schema or ref("Time")) for bound, text in bounds), *window(name))
