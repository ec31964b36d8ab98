"""Responsible for writing one batch of arrivals to PostgreSQL, in few round trips.

A batch goes by what is remembered of accounts and of newest values.  Whoever changes those excludes all batches and
says so by a count (table ``changed``); a batch that finds another count than it remembers is ``Outdated`` and changes
nothing.

Tests: ``tests/store/test_postgres_store.py``, ``tests/contracts/store.py``
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias

from attrs import astuple, define, field, frozen

from dsmr_tw.domain.power import together
from dsmr_tw.domain.reading import DAY, GAS, HOUR, MINUTE, NO_FACTS, SECOND, Arrival, Facts, Receipt, counts
from dsmr_tw.domain.spans import QUARTER
from dsmr_tw.domain.telegram import storable
from dsmr_tw.store import postgres_statements as statements
from dsmr_tw.store.accounts import Accounts, Recalled
from dsmr_tw.store.facts import POWER_FAILURE
from dsmr_tw.store.phases import as_bytes, pack

Run: TypeAlias = Callable[[str, Sequence[Any]], Awaitable[list[Any]]]
"""Sends statements inside the transaction; gives the rows of the last one."""

Value: TypeAlias = tuple[int, int, int]
"""A value of an M-Bus device: device, instant, value."""

NOTIFIED: Final = 1000
"""So many meters are named at most: a notification has 8000 bytes."""


LONGEST_S: Final = (1 << 31) - 1
"""68 years."""


class Outdated(Exception):
    """What is remembered is not what is stored any more."""


@define
class Memory:
    """What batches go by."""

    accounts: Accounts
    changes: tuple[int, int, int]
    """As ``changed`` counts them: of accounts, and of readings that are not new; and when the server was started."""
    newest_values: dict[int, tuple[int, int, int]] = field(factory=dict)
    """Instant, value and id of the value last written of each device: most telegrams repeat it."""
    minutes_held: dict[int, int] = field(factory=dict)
    """A minute of each meter that holds a reading for sure, the last one written to: most readings fall in it."""
    facts_held: dict[int, Facts] = field(factory=dict)
    """What the last telegram of each meter told of the past: most telegrams repeat it."""


@frozen
class Entry:
    """An arrival, and whose it is."""

    arrival: Arrival
    of: Recalled

    def values(self) -> Iterator[Value]:
        """The values of its devices."""
        for device_id, device in zip(self.of.device_ids, self.arrival.devices, strict=True):
            yield device_id, device.at, device.value

    def gas(self) -> Value | None:
        """The gas value that goes with the reading."""
        pairs = zip(self.values(), self.arrival.devices, strict=True)
        return next((value for value, device in pairs if device.device_type == GAS), None)


@define
class PostgresBatch:
    """One batch on its way into the database."""

    memory: Memory
    groups: Sequence[Sequence[Arrival]]
    recalled: Sequence[Recalled]
    """Of each arrival, whose it is."""
    now: int
    teller: str
    """Who tells others of what was stored."""
    _entries: list[Entry] = field(init=False)
    _value_ids: dict[Value, int] = field(factory=dict, init=False)
    _new_values: dict[Value, Entry] = field(factory=dict, init=False)
    """Those that are written, and what brought them."""

    def __attrs_post_init__(self) -> None:
        self._entries = [Entry(*pair) for pair in zip(chain.from_iterable(self.groups), self.recalled, strict=True)]

    async def write(self, run: Run) -> list[list[Receipt]]:
        """Write all of it, inside a transaction; a receipt for each arrival.

        Raises: ``Outdated`` when nothing can be written by what is remembered.
        """
        values = self._unknown_values()
        readings = [entry for entry in self._entries if entry.arrival.reading is not None]
        asked = (statements.ALL, len(readings), len(values))
        found = await run(statements.BEGIN, asked)
        if not found or found[0][:3] != self.memory.changes:
            raise Outdated
        [(*_, reading_ids, value_ids)] = found
        await self._put_values(run, values, sorted(value_ids))
        stored = await self._put_readings(run, readings, sorted(reading_ids))
        new = [entry for entry, receipt in zip(readings, stored, strict=True) if receipt.created]
        await self._finish(run, new)
        given = iter(stored)
        receipts = iter([self._receipt(entry, given) for entry in self._entries])
        return [[next(receipts) for _ in group] for group in self.groups]

    def remember(self) -> None:
        """Keep what the batch has written, once it is committed."""
        for (device_id, at, value), value_id in self._value_ids.items():
            self.memory.newest_values[device_id] = (at, value, value_id)
        for entry in self._entries:
            if entry.arrival.reading is not None:
                self.memory.minutes_held[entry.of.meter_id] = entry.arrival.reading.at // MINUTE
            if entry.arrival.facts != NO_FACTS:
                self.memory.facts_held[entry.of.meter_id] = entry.arrival.facts

    def _unknown_values(self) -> dict[Value, Entry]:
        """The values of devices that have to be looked for, each once; those that are known get their ids."""
        unknown: dict[Value, Entry] = {}
        for entry in self._entries:
            for value in entry.values():
                newest = self.memory.newest_values.get(value[0])
                if newest is not None and newest[:2] == value[1:]:
                    self._value_ids[value] = newest[2]
                else:
                    unknown.setdefault(value, entry)
        return unknown

    async def _put_values(self, run: Run, values: dict[Value, Entry], ids: Sequence[int]) -> None:
        """Write values of devices, unless they are there."""
        rows = {
            value_id: {
                "meter_id": entry.of.meter_id,
                "equipment_id": device_id,
                "instant": at,
                "id": value_id,
                "received_after": _after(entry, at),
                "value": value,
            }
            for value_id, ((device_id, at, value), entry) in zip(ids, values.items(), strict=True)
        }
        found = await _put(run, statements.PUT_DEVICES, statements.FIND_DEVICES, rows)
        for value_id, (device_value, entry) in zip(ids, values.items(), strict=True):
            self._value_ids[device_value] = found[value_id]
            if found[value_id] == value_id:
                self._new_values[device_value] = entry

    async def _put_readings(self, run: Run, entries: Sequence[Entry], ids: Sequence[int]) -> list[Receipt]:
        """Write readings, unless they are there; a receipt for each."""
        rows: dict[int, dict[str, Any]] = {}
        first_ids: dict[tuple[object, ...], int] = {}
        proposed = []
        for entry, reading_id in zip(entries, ids, strict=True):
            row = self._row(entry)
            # Of identical readings in one batch the first is written.
            first_id = first_ids.setdefault(tuple(row.values()), reading_id)
            proposed.append(first_id)
            if first_id == reading_id:
                row |= {"id": reading_id, "equipment_id": entry.of.equipment_id}
                row["received_after"] = _after(entry, row["instant"])
                rows[reading_id] = row
        found = await _put(run, statements.PUT_READINGS, statements.FIND_READINGS, rows)
        return [
            Receipt(entry.of.meter_id, found[first_id], created=reading_id == found[first_id])
            for entry, reading_id, first_id in zip(entries, ids, proposed, strict=True)
        ]

    def _row(self, entry: Entry) -> dict[str, Any]:
        """What makes a reading the one it is."""
        reading, gas = entry.arrival.reading, entry.gas()
        assert reading is not None
        phases = as_bytes(pack((reading.powers_delivered, reading.powers_returned, reading.voltages, reading.currents)))
        return {
            "meter_id": entry.of.meter_id,
            "instant": reading.at,
            "delivered_1": reading.delivered_1,
            "returned_1": reading.returned_1,
            "delivered_2": reading.delivered_2,
            "returned_2": reading.returned_2,
            "power": together(reading.currently_delivered, reading.currently_returned),
            "phases": None if phases is None else phases.hex(),
            "gas_id": None if gas is None else self._value_ids[gas],
        }

    def _receipt(self, entry: Entry, stored: Iterator[Receipt]) -> Receipt:
        if entry.arrival.reading is not None:
            return next(stored)
        brought = (self._new_values.get(value) is entry for value in entry.values())
        return Receipt(entry.of.meter_id, None, created=any(brought))

    async def _finish(self, run: Run, new: Sequence[Entry]) -> None:
        """Write what is common to the whole batch: counts, marks, statistics."""
        sent = Sent()
        self._count_readings(sent, new)
        self._count_values(sent)
        self._add_facts(sent)
        self._mark(sent, new)
        self._tell(sent)
        heard = self.memory.accounts.take_heard()
        sent.add(statements.HEAR, ("id", "last_seen_at"), sorted(heard.items()))
        meter_ids = sorted({entry.of.meter_id for entry in self._entries})
        sent.statements.append(statements.NOTIFY)
        sent.parameters += (statements.CHANNEL, " ".join([self.teller, *map(str, meter_ids[:NOTIFIED])]))
        await run(";".join(sent.statements), sent.parameters)

    def _count_readings(self, sent: Sent, new: Iterable[Entry]) -> None:
        found: Counter[tuple[int, int, int]] = Counter()
        entered = set()
        for entry in new:
            meter_id, at = entry.of.meter_id, _at(entry)
            found[meter_id, 1, at - at % HOUR] += 1
            found[meter_id, 24, at - at % DAY] += 1
            if self.memory.minutes_held.get(meter_id) != at // MINUTE:
                entered.add((meter_id, at - at % HOUR))
        rows = sorted((*key, number) for key, number in found.items())
        sent.add(statements.COUNT, ("meter_id", "hours", "instant", "readings"), rows)
        # By who holds the counts: nobody else can enter the same minute before this is committed.
        sent.add(statements.COUNT_MINUTES, ("meter_id", "instant"), sorted(entered))
        days = {(meter_id, hour - hour % DAY) for meter_id, hour in entered}
        sent.add(statements.COUNT_DAYS, ("meter_id", "instant"), sorted(days))

    def _count_values(self, sent: Sent) -> None:
        found: Counter[tuple[int, int, int]] = Counter()
        of_one: Counter[tuple[int, int, int]] = Counter()
        for value, entry in self._new_values.items():
            of_one[entry.of.meter_id, value[0], value[1] - value[1] % DAY] += 1
            types = zip(entry.values(), entry.arrival.devices, strict=True)
            device_type = next(device.device_type for of, device in types if of == value)
            found[entry.of.meter_id, device_type, value[1] - value[1] % DAY] += 1
        rows = sorted((*key, number) for key, number in found.items())
        sent.add(statements.COUNT_DEVICES, ("meter_id", "device_type", "instant", "readings"), rows)
        rows = sorted((*key, number) for key, number in of_one.items())
        sent.add(statements.COUNT_EQUIPMENT, ("meter_id", "equipment_id", "instant", "readings"), rows)

    def _add_facts(self, sent: Sent) -> None:
        """Keep what telegrams tell of the past that is other than what the one before told."""
        held: dict[int, Facts] = {}
        peaks, events = set(), set()
        for entry in self._entries:
            meter_id, facts = entry.of.meter_id, entry.arrival.facts
            if facts not in (NO_FACTS, held.get(meter_id, self.memory.facts_held.get(meter_id))):
                held[meter_id] = facts
                peaks |= {(meter_id, *astuple(peak)) for peak in entry.arrival.peaks}
                events |= {(meter_id, each.at, POWER_FAILURE, each.seconds) for each in entry.arrival.failures}
        sent.add(statements.PUT_PEAKS, ("meter_id", "instant", "quarter_at", "power"), sorted(peaks))
        sent.add(statements.PUT_EVENTS, ("meter_id", "instant", "kind", "seconds"), sorted(events))

    def _mark(self, sent: Sent, new: Iterable[Entry]) -> None:
        written = [(entry, _at(entry)) for entry in new]
        written += [(entry, value[1]) for value, entry in self._new_values.items()]
        marks = {
            (entry.of.meter_id, at - at % QUARTER) for entry, at in written if counts(at, entry.arrival.received_at)
        }
        sent.add(statements.MARK, ("meter_id", "instant"), sorted(marks))

    def _tell(self, sent: Sent) -> None:
        latest: dict[int, Arrival] = {}
        seen: dict[int, int] = {}
        for entry in self._entries:
            meter_id, received_at = entry.of.meter_id, entry.arrival.received_at
            seen[meter_id] = max(seen.get(meter_id, received_at), received_at)
            if entry.arrival.statistics is not None:
                known = latest.get(meter_id)
                if known is None or known.received_at <= received_at:
                    latest[meter_id] = entry.arrival
        told = [(meter_id, *_told(arrival)) for meter_id, arrival in sorted(latest.items())]
        sent.add(statements.TELL, ("meter_id", *statements.TOLD), told, self.now)
        later = [
            (meter_id, at)
            for meter_id, at in sorted(seen.items())
            if meter_id not in latest or latest[meter_id].received_at < at
        ]
        sent.add(statements.SEE, ("meter_id", "last_seen_at"), later)


@define
class Sent:
    """Statements that are sent together."""

    statements: list[str] = field(factory=list)
    parameters: list[object] = field(factory=list)

    def add(self, statement: str, names: Sequence[str], rows: Sequence[Sequence[object]], *more: object) -> None:
        """Add a statement over rows, if there are any."""
        if rows:
            self.statements.append(statement)
            self.parameters += (json.dumps([dict(zip(names, row, strict=True)) for row in rows]), *more)


def check(arrival: Arrival) -> None:
    """Make sure that a column can hold each of an arrival's values, before anything is stored for its sake.

    Raises: ``ValueError`` when one can't.
    """
    values = [value for device in arrival.devices for value in (device.at, device.value)]
    if arrival.reading is not None:
        values += [value for value in astuple(arrival.reading, recurse=False) if isinstance(value, int)]
        together(arrival.reading.currently_delivered, arrival.reading.currently_returned)
    if not all(-(1 << 63) <= value < 1 << 63 for value in values):
        raise ValueError("a value is too large to be stored")


async def _put(run: Run, put: str, find: str, rows: dict[int, dict[str, Any]]) -> dict[int, int]:
    """Write rows that have new ids, but for those that are there already; the id that each row has."""
    if not rows:
        return {}
    found = {row_id: row_id for (row_id,) in await run(put, (json.dumps(list(rows.values())),))}
    missing = [row for row_id, row in rows.items() if row_id not in found]
    if missing:
        found |= dict(await run(find, (json.dumps(missing),)))
    return found


def _after(entry: Entry, at: int) -> int:
    """How many seconds after an instant it came, as far as the column can hold that."""
    return max(-LONGEST_S, min(LONGEST_S, (entry.arrival.received_at - at) // SECOND))


def _at(entry: Entry) -> int:
    """The instant of the reading."""
    assert entry.arrival.reading is not None
    return entry.arrival.reading.at


def _told(arrival: Arrival) -> tuple[object, ...]:
    """What a telegram says about its meter, in the order of ``TOLD``."""
    statistics = arrival.statistics
    assert statistics is not None
    return (
        arrival.received_at,
        arrival.received_at,
        arrival.reading.at if arrival.reading else arrival.received_at,
        storable(statistics.dsmr_version),
        statistics.tariff,
        statistics.power_failures,
        statistics.long_power_failures,
        *statistics.voltage_sags,
        *statistics.voltage_swells,
        storable(arrival.telegram),
    )
