"""Responsible for the meters and for what they say about themselves.

Tests: ``tests/contracts/store.py``
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Concatenate, ParamSpec, TypeVar

from attrs import define
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.meternames import refusal
from dsmr_tw.domain.reading import MeterStatistics, Origin
from dsmr_tw.errors import MeterRefused, SettingsError
from dsmr_tw.interfaces import IMeters
from dsmr_tw.store import joins, moves
from dsmr_tw.store.accounts import ELECTRICITY_METER, next_meter_id
from dsmr_tw.store.connection import Connection, Database
from dsmr_tw.stored import Bulk, Equipment, Meter, Move, StoredStatistics

P = ParamSpec("P")
T = TypeVar("T")

COLUMNS = {
    "at": "instant",
    "dsmr_version": "dsmr_version",
    "tariff": "tariff",
    "power_failures": "power_failures",
    "long_power_failures": "long_power_failures",
    "voltage_sags_l1": "voltage_sags_l1",
    "voltage_sags_l2": "voltage_sags_l2",
    "voltage_sags_l3": "voltage_sags_l3",
    "voltage_swells_l1": "voltage_swells_l1",
    "voltage_swells_l2": "voltage_swells_l2",
    "voltage_swells_l3": "voltage_swells_l3",
    "rejected_telegrams": "rejected_telegrams",
    "latest_telegram": "latest_telegram",
}
"""What may be changed of the statistics, and the column it stands in."""


@implementer(IMeters)
@define
class SqlMeters:
    """See ``IMeters``."""

    database: Database
    own_meter: Callable[[Connection, Origin], int]
    """The meter of an origin, inside a write."""

    def all(self) -> Deferred[list[Meter]]:
        """See ``IMeters``."""
        return self.database.read(_all)

    def add(self, name: str, zone: str) -> Deferred[Meter]:
        """See ``IMeters``."""
        return self._disturb(_add, name, zone)

    def rename(self, meter_id: int, name: str) -> Deferred[Meter]:
        """See ``IMeters``."""
        return self._disturb(_rename, meter_id, name)

    def directory(self) -> Deferred[list[Meter]]:
        """See ``IMeters``."""
        return self.database.read(_directory)

    def statistics(self, meter_id: int) -> Deferred[StoredStatistics]:
        """See ``IMeters``."""
        return self.database.read(_statistics, meter_id)

    def change_statistics(self, meter_id: int, changes: dict[str, object]) -> Deferred[StoredStatistics]:
        """See ``IMeters``."""
        return self.database.write(_change, meter_id, changes)

    def reject(self, origin: Origin, telegrams: int) -> Deferred[None]:
        """See ``IMeters``."""
        return self.database.write(self._reject, origin, telegrams)

    def equipment(self, meter_id: int) -> Deferred[list[Equipment]]:
        """See ``IMeters``."""
        return self.database.read(_equipment, meter_id)

    def bulk(self, meter_id: int, equipment: Collection[int] | None) -> Deferred[Bulk]:
        """See ``IMeters``."""
        return self.database.read(joins.bulk, meter_id, equipment)

    def begin_join(self, meter_id: int, other_id: int) -> Deferred[Move]:
        """See ``IMeters``."""
        return self._disturb(joins.begin_join, meter_id, other_id)

    def begin_split(self, meter_id: int, equipment: Collection[int], now: int) -> Deferred[Move]:
        """See ``IMeters``."""
        return self._disturb(joins.begin_split, meter_id, equipment, now)

    def move(self, move: Move) -> Deferred[Move]:
        """See ``IMeters``."""
        return Deferred.fromCoroutine(self._move(move))

    def end_move(self, move: Move, now: int) -> Deferred[bool]:
        """See ``IMeters``."""
        return self._disturb(joins.end_move, move, now)

    async def _move(self, move: Move) -> Move:
        rows = await self.database.read(moves.find, move)
        return await self._disturb(moves.put, move, rows)

    def _disturb(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Write what those who remember the database have to read again."""

        def write(connection: Connection) -> T:
            self.database.disturbed += 1
            return function(connection, *args, **kwargs)

        return self.database.write(write)

    def _reject(self, connection: Connection, origin: Origin, telegrams: int) -> None:
        connection.execute(
            "INSERT INTO meter_statistics (meter_id, rejected_telegrams) VALUES (?, ?) ON CONFLICT (meter_id)"
            " DO UPDATE SET rejected_telegrams = meter_statistics.rejected_telegrams + excluded.rejected_telegrams",
            (self.own_meter(connection, origin), telegrams),
        )


def _all(connection: Connection, wanted: str = "TRUE", *parameters: int) -> list[Meter]:
    printed = defaultdict(list)
    for meter_id, printed_id in connection.execute(
        "SELECT meter_id, printed_id FROM equipment WHERE device_type = ? ORDER BY id", (ELECTRICITY_METER,)
    ):
        printed[meter_id].append(printed_id)
    rows = connection.execute(
        "SELECT id, name, zone, first_seen_at, last_seen_at,"
        " (SELECT coalesce(sum(readings), 0) FROM reading_count AS c WHERE c.meter_id = m.id AND hours = 24)"
        f" FROM meter AS m LEFT JOIN meter_statistics AS s ON s.meter_id = m.id WHERE {wanted} ORDER BY id",
        parameters,
    )
    return [Meter(row[0], row[1], row[2], tuple(printed[row[0]]), *row[3:]) for row in rows]


def _add(connection: Connection, name: str, zone: str) -> Meter:
    try:
        meter_zone(zone)
    except SettingsError as error:
        raise MeterRefused(str(error)) from error
    connection.hold_all()
    meter_id = next_meter_id(connection)
    _check_name(connection, meter_id, name)
    connection.execute("INSERT INTO meter (id, name, zone) VALUES (?, ?, ?)", (meter_id, name, zone))
    return Meter(meter_id, name, zone)


def _rename(connection: Connection, meter_id: int, name: str) -> Meter:
    connection.hold_all()
    _check_name(connection, meter_id, name)
    if connection.execute("UPDATE meter SET name = ? WHERE id = ?", (name, meter_id)).rowcount == 0:
        raise MeterRefused(f"There is no meter {meter_id}.")
    # Nobody can store anything now: what all meters hold is not counted for the sake of one.
    return _all(connection, "m.id = ?", meter_id)[0]


def _check_name(connection: Connection, meter_id: int, name: str) -> None:
    """Refuse a name that a meter can't have, or that another one has."""
    reason = refusal(name, meter_id)
    if reason is not None:
        raise MeterRefused(reason)
    other = connection.execute("SELECT id FROM meter WHERE name = ? AND id <> ?", (name, meter_id)).fetchone()
    if other is not None:
        raise MeterRefused(f"Meter {other[0]} is called {name!r} already; choose another name.")


def _directory(connection: Connection) -> list[Meter]:
    return [Meter(*row) for row in connection.execute("SELECT id, name, zone FROM meter ORDER BY id")]


def _equipment(connection: Connection, meter_id: int) -> list[Equipment]:
    rows = connection.execute(
        "SELECT id, meter_id, device_type, printed_id, channel, first_seen_at, last_seen_at FROM equipment"
        " WHERE meter_id = ? ORDER BY id",
        (meter_id,),
    )
    return [Equipment(*row) for row in rows]


def _statistics(connection: Connection, meter_id: int) -> StoredStatistics:
    row = connection.execute(
        f"SELECT {', '.join(COLUMNS.values())} FROM meter_statistics WHERE meter_id = ?", (meter_id,)
    ).fetchone()
    if row is None:
        return StoredStatistics(meter_id, None, MeterStatistics(), 0, None)
    statistics = MeterStatistics(row[1], row[2], row[3], row[4], row[5:8], row[8:11])
    return StoredStatistics(meter_id, row[0], statistics, *row[11:])


def _change(connection: Connection, meter_id: int, changes: dict[str, object]) -> StoredStatistics:
    connection.execute("INSERT INTO meter_statistics (meter_id) VALUES (?) ON CONFLICT DO NOTHING", (meter_id,))
    for name, value in changes.items():
        connection.execute(f"UPDATE meter_statistics SET {COLUMNS[name]} = ? WHERE meter_id = ?", (value, meter_id))
    return _statistics(connection, meter_id)
