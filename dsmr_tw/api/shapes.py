"""Responsible for the names and forms that values have in JSON.

Field names are known here and in the other ``shapes`` modules, and in no other file.
Domain values in, dictionaries for JSON out, in the order that the API document gives; and the tables of the fields that
may be submitted.
Decimals are strings, absent is ``None``, and every field is always there.

Tests: ``tests/api/test_shapes.py``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

from attrs import frozen

from dsmr_tw.api.fields import DecimalField, IntegerField, Moment, MomentField, Need, TextField, submitted
from dsmr_tw.domain.localtime import MeterZone, to_utc_text
from dsmr_tw.domain.reading import GAS, DeviceReading, Phases, Reading, StoredReading
from dsmr_tw.domain.units import one_decimal, three_decimals, whole
from dsmr_tw.limits import TELEGRAM_BYTES
from dsmr_tw.stored import Meter, StoredStatistics

Json: TypeAlias = dict[str, object]
ShowInstant: TypeAlias = Callable[[int], str]
"""How an instant is shown: in UTC, or in a meter's zone."""

INSTANT: Final = "timestamp"
"""The field that readings are listed by."""

POSITION: Final = DecimalField(digits=9, places=3)
VOLTAGE: Final = DecimalField(digits=4, places=1)
CURRENT: Final = IntegerField(least=-(2**31), most=2**31 - 1)
COUNT: Final = IntegerField(least=0, most=2**31 - 1)


@frozen
class PostedReading:
    """A reading submitted field by field, and how its instants were written."""

    reading: Reading
    gas: DeviceReading | None
    written: datetime
    gas_written: datetime | None


def shown_in(zone: MeterZone | None) -> ShowInstant:
    """Instants in this zone, or in UTC."""
    return to_utc_text if zone is None else zone.local_text


def posted_reading(values: Mapping[str, object], zone: MeterZone) -> PostedReading:
    """The reading that was submitted.

    Raises: ``Problem`` 400 naming every field that is not as it should be.
    """
    read = submitted(values, reading_needs(zone))
    timestamp: Moment = read["timestamp"]
    reading = Reading(
        timestamp.at,
        read["electricity_delivered_1"],
        read["electricity_returned_1"],
        read["electricity_delivered_2"],
        read["electricity_returned_2"],
        read["electricity_currently_delivered"],
        read["electricity_currently_returned"],
        _phases(read, "phase_currently_delivered"),
        _phases(read, "phase_currently_returned"),
        _phases(read, "phase_voltage"),
        _phases(read, "phase_power_current", 1000),
    )
    gas, gas_timestamp = None, None
    if read["extra_device_delivered"] is not None:
        # Without a time of its own the value is of the reading's time; a time without a value says nothing.
        gas_timestamp = read["extra_device_timestamp"] or timestamp
        gas = DeviceReading(gas_timestamp.at, read["extra_device_delivered"], GAS, channel=None, equipment_id=None)
    return PostedReading(reading, gas, timestamp.written, gas_timestamp.written if gas_timestamp else None)


def created_reading(reading_id: int, posted: PostedReading) -> Json:
    """A reading just stored, its instants as they were written."""
    gas_text = None if posted.gas_written is None else as_written(posted.gas_written)
    return _reading(reading_id, posted.reading, posted.gas, as_written(posted.written), gas_text)


def stored_reading(stored: StoredReading, show: ShowInstant) -> Json:
    """A reading of a list."""
    gas_text = None if stored.gas is None else show(stored.gas.at)
    return _reading(stored.id, stored.reading, stored.gas, show(stored.reading.at), gas_text)


def meter(value: Meter, show: ShowInstant) -> Json:
    """A metering point."""
    return {
        "id": value.id,
        "name": value.name,
        "equipment": list(value.equipment),
        "first_seen_at": _shown(value.first_seen_at, show),
        "last_seen_at": _shown(value.last_seen_at, show),
        "readings": value.readings,
    }


def statistics(stored: StoredStatistics, show: ShowInstant) -> Json:
    """What a meter last said about itself."""
    said = stored.statistics
    return {
        "id": stored.meter_id,
        "timestamp": _shown(stored.at, show),
        "dsmr_version": said.dsmr_version,
        "electricity_tariff": said.tariff,
        "power_failure_count": said.power_failures,
        "long_power_failure_count": said.long_power_failures,
        **_by_phase("voltage_sag_count", said.voltage_sags),
        **_by_phase("voltage_swell_count", said.voltage_swells),
        "rejected_telegrams": stored.rejected_telegrams,
        "latest_telegram": stored.latest_telegram,
    }


def statistics_changes(values: Mapping[str, object], zone: MeterZone) -> dict[str, object]:
    """The changes that a PATCH asks for, by the names of ``IMeters.change_statistics``.

    Raises: ``Problem`` 400 naming every field that is not as it should be.
    """
    read = submitted(values, statistics_needs(zone), partial=True)
    names = {name: ours for name, (ours, _) in _statistics(zone).items()}
    return {names[name]: value.at if isinstance(value, Moment) else value for name, value in read.items()}


def monitoring(problems: Sequence[str]) -> Json:
    """What a person should look at."""
    details = [{"source": "dsmr_tw", "description": problem, "since": None} for problem in problems]
    return {"problems": len(details), "details": details}


def version(text: str) -> Json:
    """Which version runs."""
    return {"version": text}


def description(name: str, parses: Sequence[str]) -> Json:
    """What OPTIONS tells about a route."""
    return {"name": name, "description": "", "renders": ["application/json"], "parses": list(parses)}


def page(count: int, following: str | None, previous: str | None) -> Json:
    """A page of a list, but for its results, which come last."""
    return {"count": count, "next": following, "previous": previous}


RESULTS: Final = "results"
"""The name that a page's results have."""


def _reading(reading_id: int, reading: Reading, gas: DeviceReading | None, at: str, gas_at: str | None) -> Json:
    """A reading, its fields in the order of the API document and then those of later versions."""
    delivered, returned = reading.powers_delivered, reading.powers_returned
    voltages, currents = reading.voltages, reading.currents
    return {
        "id": reading_id,
        "timestamp": at,
        "electricity_delivered_1": three_decimals(reading.delivered_1),
        "electricity_returned_1": three_decimals(reading.returned_1),
        "electricity_delivered_2": three_decimals(reading.delivered_2),
        "electricity_returned_2": three_decimals(reading.returned_2),
        "electricity_currently_delivered": three_decimals(reading.currently_delivered),
        "electricity_currently_returned": three_decimals(reading.currently_returned),
        "phase_currently_delivered_l1": _decimal(delivered[0]),
        "phase_currently_delivered_l2": _decimal(delivered[1]),
        "phase_currently_delivered_l3": _decimal(delivered[2]),
        "extra_device_timestamp": gas_at,
        "extra_device_delivered": None if gas is None else three_decimals(gas.value),
        "phase_currently_returned_l1": _decimal(returned[0]),
        "phase_currently_returned_l2": _decimal(returned[1]),
        "phase_currently_returned_l3": _decimal(returned[2]),
        "phase_voltage_l1": None if voltages[0] is None else one_decimal(voltages[0]),
        "phase_voltage_l2": None if voltages[1] is None else one_decimal(voltages[1]),
        "phase_voltage_l3": None if voltages[2] is None else one_decimal(voltages[2]),
        "phase_power_current_l1": None if currents[0] is None else whole(currents[0]),
        "phase_power_current_l2": None if currents[1] is None else whole(currents[1]),
        "phase_power_current_l3": None if currents[2] is None else whole(currents[2]),
    }


def reading_needs(zone: MeterZone) -> dict[str, Need]:
    """The fields of a submitted reading, in the order in which complaints about them are listed."""
    moment = MomentField(zone)
    return {
        "timestamp": Need(moment, required=True),
        "electricity_delivered_1": Need(POSITION, required=True),
        "electricity_returned_1": Need(POSITION, required=True),
        "electricity_delivered_2": Need(POSITION, required=True),
        "electricity_returned_2": Need(POSITION, required=True),
        "electricity_currently_delivered": Need(POSITION, required=True),
        "electricity_currently_returned": Need(POSITION, required=True),
        **_phase_needs("phase_currently_delivered", POSITION),
        "extra_device_timestamp": Need(moment),
        "extra_device_delivered": Need(POSITION),
        **_phase_needs("phase_currently_returned", POSITION),
        **_phase_needs("phase_voltage", VOLTAGE),
        **_phase_needs("phase_power_current", CURRENT),
    }


def statistics_needs(zone: MeterZone) -> dict[str, Need]:
    """The fields of a PATCH of the statistics, in the order in which complaints about them are listed."""
    return {name: need for name, (_, need) in _statistics(zone).items()}


def _statistics(zone: MeterZone) -> dict[str, tuple[str, Need]]:
    """The fields of a PATCH of the statistics, each with our name for it."""
    count = Need(COUNT)
    return {
        "timestamp": ("at", Need(MomentField(zone))),
        "dsmr_version": ("dsmr_version", Need(TextField(32))),
        "electricity_tariff": ("tariff", count),
        "power_failure_count": ("power_failures", count),
        "long_power_failure_count": ("long_power_failures", count),
        **{f"voltage_sag_count_l{phase}": (f"voltage_sags_l{phase}", count) for phase in (1, 2, 3)},
        **{f"voltage_swell_count_l{phase}": (f"voltage_swells_l{phase}", count) for phase in (1, 2, 3)},
        "rejected_telegrams": ("rejected_telegrams", Need(COUNT, required=True)),
        "latest_telegram": ("latest_telegram", Need(TextField(TELEGRAM_BYTES))),
    }


def _phase_needs(name: str, field: DecimalField | IntegerField) -> dict[str, Need]:
    return {f"{name}_l{phase}": Need(field) for phase in (1, 2, 3)}


def _phases(read: Mapping[str, Any], name: str, factor: int = 1) -> Phases:
    l1, l2, l3 = (read[f"{name}_l{phase}"] for phase in (1, 2, 3))
    return tuple(None if value is None else value * factor for value in (l1, l2, l3))  # type: ignore[return-value]


def _by_phase(name: str, phases: Phases) -> Json:
    return {f"{name}_l{phase}": value for phase, value in enumerate(phases, 1)}


def _decimal(value: int | None) -> str | None:
    return None if value is None else three_decimals(value)


def _shown(instant: int | None, show: ShowInstant) -> str | None:
    return None if instant is None else show(instant)


def as_written(moment: datetime) -> str:
    """An instant with the offset from UTC that it was submitted with; in UTC where no offset can be written.

    So it is long ago, when the clocks of a town were so many seconds from Greenwich.
    """
    if moment.strftime("%z")[5:]:
        moment = moment.astimezone(UTC)
    text = moment.isoformat()
    return f"{text.removesuffix('+00:00')}Z" if text.endswith("+00:00") else text
