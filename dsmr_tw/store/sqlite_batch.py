"""Responsible for writing one batch of arrivals inside the transaction that its caller has begun.

What is common to a whole batch (counts, marks, statistics, the counters of ids) is gathered while the arrivals are
written and goes to the database once, at the end.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from attrs import astuple, define, field

from dsmr_tw.domain.reading import (
    DAY,
    GAS,
    HOUR,
    MINUTE,
    NO_FACTS,
    SECOND,
    Arrival,
    DeviceReading,
    Facts,
    Receipt,
    counts,
)
from dsmr_tw.domain.telegram import storable
from dsmr_tw.store.accounts import Accounts
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.facts import HIGHER, POWER_FAILURE
from dsmr_tw.store.marks import MARK
from dsmr_tw.store.moves import PUT_READING, SAME_READING
from dsmr_tw.store.phases import pack, pack_power

QUARTER = HOUR // 4

IN_MINUTE = "SELECT 1 FROM reading WHERE meter_id = ? AND instant >= ? AND instant < ? LIMIT 1"

PUT_PEAK = f"INSERT INTO peak (meter_id, instant, quarter_at, power) VALUES (?, ?, ?, ?) {HIGHER}"

PUT_EVENT = "INSERT INTO event (meter_id, instant, kind, seconds) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"

SAVE_STATISTICS = """
    INSERT INTO meter_statistics
        (meter_id, last_seen_at, received_at, instant, dsmr_version, tariff, power_failures, long_power_failures,
         voltage_sags_l1, voltage_sags_l2, voltage_sags_l3,
         voltage_swells_l1, voltage_swells_l2, voltage_swells_l3, latest_telegram)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (meter_id) DO UPDATE SET
        last_seen_at = max(coalesce(last_seen_at, excluded.last_seen_at), excluded.last_seen_at),
        received_at = excluded.received_at, instant = excluded.instant,
        dsmr_version = excluded.dsmr_version, tariff = excluded.tariff,
        power_failures = excluded.power_failures, long_power_failures = excluded.long_power_failures,
        voltage_sags_l1 = excluded.voltage_sags_l1, voltage_sags_l2 = excluded.voltage_sags_l2,
        voltage_sags_l3 = excluded.voltage_sags_l3, voltage_swells_l1 = excluded.voltage_swells_l1,
        voltage_swells_l2 = excluded.voltage_swells_l2, voltage_swells_l3 = excluded.voltage_swells_l3,
        latest_telegram = excluded.latest_telegram
    WHERE received_at IS NULL OR received_at <= excluded.received_at OR received_at > ?"""

SAVE_SEEN = """
    INSERT INTO meter_statistics (meter_id, last_seen_at) VALUES (?, ?)
    ON CONFLICT (meter_id) DO UPDATE SET last_seen_at = max(coalesce(last_seen_at, 0), excluded.last_seen_at)"""


@define
class Ids:
    """The counters that give readings and device readings their ids."""

    connection: Connection
    reading: int = 0
    device_reading: int = 0
    _saved: dict[str, int] = field(factory=dict)

    def load(self) -> None:
        """Read where the counters stand."""
        self._saved = dict(self.connection.execute("SELECT name, last_id FROM counter"))
        self.reading, self.device_reading = self._saved["reading"], self._saved["device_reading"]

    def save(self) -> None:
        """Write those counters that have moved."""
        for name, last_id in (("reading", self.reading), ("device_reading", self.device_reading)):
            if self._saved[name] != last_id:
                self._saved[name] = last_id
                self.connection.execute("UPDATE counter SET last_id = ? WHERE name = ?", (last_id, name))


@define
class Batch:
    """One batch on its way into the database."""

    connection: Connection
    accounts: Accounts
    ids: Ids
    newest_values: dict[int, tuple[int, int, int]]
    """Instant, value and id of the value last written of each device: most telegrams repeat it."""
    minutes_held: dict[int, int]
    """A minute of each meter that holds a reading for sure, the last one written to: most readings fall in it."""
    facts_held: dict[int, Facts]
    """What the last telegram of each meter told of the past: most telegrams repeat it."""
    now: int
    _counts: Counter[tuple[int, int, int]] = field(factory=Counter)
    _minutes: Counter[tuple[int, int, int]] = field(factory=Counter)
    _device_counts: Counter[tuple[int, int, int]] = field(factory=Counter)
    _equipment_counts: Counter[tuple[int, int, int]] = field(factory=Counter)
    _marks: set[tuple[int, int]] = field(factory=set)
    _latest: dict[int, Arrival] = field(factory=dict)
    _seen: dict[int, int] = field(factory=dict)

    def add(self, arrivals: Iterable[Arrival]) -> list[Receipt]:
        """Write arrivals; a receipt for each."""
        return [self._add(arrival) for arrival in arrivals]

    def finish(self) -> None:
        """Write what was gathered for the whole batch."""
        self.ids.save()
        self.connection.executemany(
            "UPDATE equipment SET last_seen_at = ?2 WHERE id = ?1", self.accounts.take_heard().items()
        )
        if self._counts:
            self.connection.executemany(
                "INSERT INTO reading_count VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET readings = readings + excluded.readings, minutes = minutes + excluded.minutes",
                [(*key, readings, self._minutes[key]) for key, readings in self._counts.items()],
            )
        if self._device_counts:
            self.connection.executemany(
                "INSERT INTO device_reading_count VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET readings = readings + excluded.readings",
                [(*key, readings) for key, readings in self._device_counts.items()],
            )
        if self._equipment_counts:
            self.connection.executemany(
                "INSERT INTO equipment_reading_count VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET readings = readings + excluded.readings",
                [(*key, readings) for key, readings in self._equipment_counts.items()],
            )
        if self._marks:
            self.connection.executemany(MARK, self._marks)
        for meter_id, seen_at in self._seen.items():
            latest = self._latest.get(meter_id)
            if latest is not None:
                self._save_statistics(meter_id, latest)
            if latest is None or latest.received_at < seen_at:
                self.connection.execute(SAVE_SEEN, (meter_id, seen_at))

    def _add(self, arrival: Arrival) -> Receipt:
        meter_id, equipment_id = self.accounts.meter_of(arrival)
        received_at = arrival.received_at
        self._seen[meter_id] = max(self._seen.get(meter_id, received_at), received_at)
        if arrival.statistics is not None:
            latest = self._latest.get(meter_id)
            if latest is None or latest.received_at <= received_at:
                self._latest[meter_id] = arrival
        if arrival.facts not in (NO_FACTS, self.facts_held.get(meter_id)):
            self._add_facts(meter_id, arrival)
        created, gas_id = False, None
        for device in arrival.devices:
            device_id, is_new = self._add_device(meter_id, device, received_at)
            created |= is_new
            if device.device_type == GAS and gas_id is None:
                gas_id = device_id
        if arrival.reading is None:
            return Receipt(meter_id, None, created)
        return self._add_reading(meter_id, equipment_id, arrival, gas_id)

    def _add_reading(self, meter_id: int, equipment_id: int | None, arrival: Arrival, gas_id: int | None) -> Receipt:
        reading = arrival.reading
        assert reading is not None
        at = reading.at
        values = (
            reading.delivered_1,
            reading.returned_1,
            reading.delivered_2,
            reading.returned_2,
            pack_power(reading.currently_delivered, reading.currently_returned),
            pack((reading.powers_delivered, reading.powers_returned, reading.voltages, reading.currents)),
            gas_id,
        )
        for reading_id, *stored in self.connection.execute(SAME_READING, (meter_id, at)):
            if tuple(stored) == values:
                return Receipt(meter_id, reading_id, created=False)
        if self.minutes_held.get(meter_id) != at // MINUTE:
            self._enter_minute(meter_id, at // MINUTE)
        self.ids.reading += 1
        reading_id = self.ids.reading
        self.connection.execute(
            PUT_READING,
            (meter_id, at, reading_id, (arrival.received_at - at) // SECOND, equipment_id, *values),
        )
        self._counts[meter_id, 1, at - at % HOUR] += 1
        self._counts[meter_id, 24, at - at % DAY] += 1
        self._mark(meter_id, at, arrival.received_at)
        return Receipt(meter_id, reading_id, created=True)

    def _enter_minute(self, meter_id: int, minute: int) -> None:
        """Count the minute that a reading is about to be written to, unless it holds one already."""
        start = minute * MINUTE
        if self.connection.execute(IN_MINUTE, (meter_id, start, start + MINUTE)).fetchone() is None:
            self._minutes[meter_id, 1, start - start % HOUR] += 1
            self._minutes[meter_id, 24, start - start % DAY] += 1
        self.minutes_held[meter_id] = minute

    def _add_device(self, meter_id: int, device: DeviceReading, received_at: int) -> tuple[int, bool]:
        """The id of a device's value, and whether it is new."""
        equipment_id = self.accounts.device(meter_id, device, received_at)
        newest = self.newest_values.get(equipment_id)
        if newest is not None and newest[0] == device.at and newest[1] == device.value:
            return newest[2], False
        row = self.connection.execute(
            "SELECT id FROM device_reading WHERE meter_id = ? AND equipment_id = ? AND instant = ? AND value = ?",
            (meter_id, equipment_id, device.at, device.value),
        ).fetchone()
        if row is None:
            self.ids.device_reading += 1
            device_id = self.ids.device_reading
            self.connection.execute(
                "INSERT INTO device_reading VALUES (?, ?, ?, ?, ?, ?)",
                (meter_id, equipment_id, device.at, device_id, (received_at - device.at) // SECOND, device.value),
            )
            day = device.at - device.at % DAY
            self._device_counts[meter_id, device.device_type, day] += 1
            self._equipment_counts[meter_id, equipment_id, day] += 1
            self._mark(meter_id, device.at, received_at)
        else:
            (device_id,) = row
        self.newest_values[equipment_id] = (device.at, device.value, device_id)
        return device_id, row is None

    def _add_facts(self, meter_id: int, arrival: Arrival) -> None:
        """Keep the peaks and power failures of a telegram that tells others than the one before."""
        if arrival.peaks:
            self.connection.executemany(PUT_PEAK, [(meter_id, *astuple(peak)) for peak in arrival.peaks])
        if arrival.failures:
            self.connection.executemany(
                PUT_EVENT, [(meter_id, failure.at, POWER_FAILURE, failure.seconds) for failure in arrival.failures]
            )
        self.facts_held[meter_id] = arrival.facts

    def _mark(self, meter_id: int, at: int, received_at: int) -> None:
        if counts(at, received_at):
            self._marks.add((meter_id, at - at % QUARTER))

    def _save_statistics(self, meter_id: int, latest: Arrival) -> None:
        statistics = latest.statistics
        assert statistics is not None
        at = latest.reading.at if latest.reading else latest.received_at
        self.connection.execute(
            SAVE_STATISTICS,
            (
                meter_id,
                latest.received_at,
                latest.received_at,
                at,
                storable(statistics.dsmr_version),
                statistics.tariff,
                statistics.power_failures,
                statistics.long_power_failures,
                *statistics.voltage_sags,
                *statistics.voltage_swells,
                storable(latest.telegram),
                self.now,
            ),
        )
