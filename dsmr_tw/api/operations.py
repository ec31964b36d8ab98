"""Responsible for the table of everything that the API does: each route with each of its methods, and what it is for.

It is a table beside the routes, not made from them: programs are made from it, so a route that changes by mistake
should be noticed, and the tests hold the two against each other.
HEAD, wherever there is GET, and OPTIONS, everywhere, are not in it.

Tests: ``tests/api/test_openapi.py``
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from attrs import frozen

from dsmr_tw.api.bodies import MULTIPART, TYPES, URLENCODED
from dsmr_tw.api.devices import PATH as DEVICES
from dsmr_tw.api.export import CSV
from dsmr_tw.api.facts import EVENTS, PEAKS
from dsmr_tw.api.gate import JSON
from dsmr_tw.api.parameters import METER, WHICH, parameter, shared, span, window
from dsmr_tw.api.prices import PATH as PRICES
from dsmr_tw.api.schemas import DAY, TEXT, listed, ref
from dsmr_tw.api.shapes import INSTANT, Json
from dsmr_tw.api.shapes_costs import ORDERINGS
from dsmr_tw.api.shapes_facts import ENDED_AT, ID, MONTH
from dsmr_tw.api.shapes_ledger import READ_AT, READ_AT_START, STARTS
from dsmr_tw.api.shapes_schemas import page_of
from dsmr_tw.api.shapes_weather import READ_AT as MEASURED_AT
from dsmr_tw.api.v1 import PATH as TELEGRAMS
from dsmr_tw.domain.spans import SpanKind

PLAIN: Final = "text/plain"

READINGS: Final = "/api/v2/datalogger/dsmrreading"
STATISTICS: Final = "/api/v2/datalogger/meter-statistics"
CONSUMPTION: Final = "/api/v2/consumption"
TEMPERATURES: Final = "/api/v2/weather/temperature"
APPLICATION: Final = "/api/v2/application"


@frozen
class Operation:
    """What a route does for one method."""

    name: str
    """What programs that are made from the description call it."""

    method: str
    path: str
    summary: str

    answer: Json | None = None
    """What is answered when all is well; ``None``: nothing."""

    parameters: tuple[Json, ...] = ()
    takes: Json | None = None
    """What is submitted; ``None``: nothing."""

    scope: str = "read"
    """The least that a key must have."""

    status: HTTPStatus = HTTPStatus.OK
    media: str = JSON
    """What the answer is."""

    taken_as: tuple[str, ...] = TYPES
    """What the submission may be."""


def _list(name: str, path: str, summary: str, row: str, parameters: tuple[Json, ...]) -> Operation:
    return Operation(name, "GET", path, summary, page_of(ref(row)), parameters)


def _show(name: str, path: str, summary: str, answer: Json, *parameters: Json) -> Operation:
    return Operation(name, "GET", path, summary, answer, parameters)


def _spans(kind: SpanKind, schema: Json) -> Operation:
    """The list of the spans of a kind."""
    word, row = kind.value, kind.value.capitalize()
    summary = f"What went through the registers, {word} by {word}."
    return _list(f"list{row}s", f"/api/v2/statistics/{word}", summary, row, span(STARTS[kind], schema))


def _export(word: str) -> Operation:
    """A CSV file."""
    days = (parameter("from", "The first day.", DAY), parameter("to", "The last day, included.", DAY))
    name, path, summary = f"export{word.capitalize()}", f"/api/v2/export/{word}.csv", f"The {word} that are over."
    return Operation(name, "GET", path, summary, TEXT, (*days, METER), media=CSV)


_TELEGRAM: Final = Operation(
    "postTelegrams",
    "POST",
    TELEGRAMS.decode(),
    "Store telegrams as they were printed, all of them or none.",
    {**TEXT, "maxLength": 0},
    (shared("received"),),
    {"type": "object", "properties": {"telegram": TEXT}, "required": ["telegram"]},
    "write",
    HTTPStatus.CREATED,
    PLAIN,
    (URLENCODED, MULTIPART),
)

_DATALOGGER: Final = (
    _list("listReadings", READINGS, "Readings.", "Reading", span(INSTANT)),
    Operation(
        "createReading",
        "POST",
        READINGS,
        "Store a reading.",
        ref("Reading"),
        takes=ref("ReadingFields"),
        scope="write",
        status=HTTPStatus.CREATED,
    ),
    _show("showMeterStatistics", STATISTICS, "What a meter says about itself.", ref("MeterStatistics"), METER),
    Operation(
        "changeMeterStatistics",
        "PATCH",
        STATISTICS,
        "Set some of what a meter said about itself.",
        ref("MeterStatistics"),
        (METER,),
        ref("MeterStatisticsFields"),
        "write",
    ),
)

_METERS: Final = (
    _show("listMeters", "/api/v2/meters", "The meters that the key may see.", listed(ref("Meter"))),
    _list("listDevices", DEVICES, "A meter's M-Bus devices.", "Device", window(ID)),
    _list(
        "listDeviceReadings",
        f"{DEVICES}/{{id}}/readings",
        "What one device gave.",
        "DeviceReading",
        (WHICH, *span(READ_AT)),
    ),
    _list("listPeaks", PEAKS, "The highest quarter of each month, by the meter.", "Peak", span(MONTH, DAY)),
    _list("listEvents", EVENTS, "Long power failures.", "Event", span(ENDED_AT)),
)

_CONSUMPTION: Final = (
    _show("showToday", f"{CONSUMPTION}/today", "The day so far.", ref("Today"), METER),
    _show("showElectricityLive", f"{CONSUMPTION}/electricity-live", "The power now.", ref("ElectricityLive"), METER),
    _show("showGasLive", f"{CONSUMPTION}/gas-live", "The gas of the last interval.", ref("GasLive"), METER),
    _list("listMinutes", f"{CONSUMPTION}/electricity", "Electricity by the minute.", "Minute", span(READ_AT)),
    _list("listGas", f"{CONSUMPTION}/gas", "Gas, value by value.", "DeviceReading", span(READ_AT)),
    _list(
        "listQuarterPeaks",
        f"{CONSUMPTION}/quarter-hour-peak-electricity",
        "The average power of each quarter of an hour.",
        "QuarterPeak",
        span(READ_AT_START),
    ),
)


def _price(name: str, method: str, summary: str, takes: str | None = None, scope: str = "admin") -> Operation:
    """What can be done with one contract."""
    answer, status = (None, HTTPStatus.NO_CONTENT) if method == "DELETE" else (ref("SupplierPrices"), HTTPStatus.OK)
    submission = None if takes is None else ref(takes)
    return Operation(name, method, f"{PRICES}/{{id}}", summary, answer, (WHICH, METER), submission, scope, status)


_PRICES: Final = (
    _list("listSupplierPrices", PRICES, "What the supplier charges.", "SupplierPrices", window(*ORDERINGS)),
    Operation(
        "createSupplierPrices",
        "POST",
        PRICES,
        "Enter a contract.",
        ref("SupplierPrices"),
        (METER,),
        ref("SupplierPricesFields"),
        "admin",
        HTTPStatus.CREATED,
    ),
    _price("showSupplierPrices", "GET", "A contract.", scope="read"),
    _price("replaceSupplierPrices", "PUT", "Let a contract be as submitted.", "SupplierPricesFields"),
    _price("changeSupplierPrices", "PATCH", "Change some of a contract.", "SupplierPricesChanges"),
    _price("removeSupplierPrices", "DELETE", "Forget a contract."),
)

_STATISTICS: Final = (
    *(_spans(kind, ref("Time")) for kind in (SpanKind.QUARTER, SpanKind.HOUR)),
    *(_spans(kind, DAY) for kind in (SpanKind.DAY, SpanKind.MONTH, SpanKind.YEAR)),
    _show(
        "showTotal",
        "/api/v2/statistics/total",
        "What went through the registers between two instants.",
        ref("Total"),
        parameter("start", "From.", ref("Time"), required=True),
        parameter("end", "To.", ref("Time"), required=True),
        METER,
    ),
    _export("hours"),
    _export("days"),
)

_OTHERS: Final = (
    _list("listTemperatures", TEMPERATURES, "How warm it was.", "Temperature", span(MEASURED_AT)),
    Operation(
        "createTemperature",
        "POST",
        TEMPERATURES,
        "Store a temperature.",
        ref("Temperature"),
        (METER,),
        ref("TemperatureFields"),
        "write",
        HTTPStatus.CREATED,
    ),
    _show("showVersion", f"{APPLICATION}/version", "Which version runs.", ref("Version")),
    _show("showProblems", f"{APPLICATION}/monitoring", "What a person should look at.", ref("Monitoring")),
)

OPERATIONS: Final = (_TELEGRAM, *_DATALOGGER, *_METERS, *_CONSUMPTION, *_PRICES, *_STATISTICS, *_OTHERS)
"""All that can be asked for with a key."""
