"""Responsible for joining the accounts of two meters and for splitting one: all that is no stored value.

The beginning switches equipment, origins and keys in one transaction, so that what arrives from then on goes to the
right account; the end, when ``dsmr_tw.store.moves`` has moved the values, removes the account that is empty.
Everything in between can be broken off and begun again.

Tests: ``tests/store/test_moves.py``
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from dsmr_tw.errors import EditRefused
from dsmr_tw.store.accounts import next_meter_id
from dsmr_tw.store.connection import Connection
from dsmr_tw.store.facts import HIGHER
from dsmr_tw.store.history import ELECTRICITY, SqlHistory, registers_of
from dsmr_tw.store.marks import mark_all
from dsmr_tw.store.moves import number_of, same_equipment
from dsmr_tw.stored import Bulk, Move

JOIN: Final = "join meters"
SPLIT: Final = "split meters"

EMPTIED: Final = (
    "equipment",
    "contract",
    "price",
    "device_reading",
    "reading_count",
    "device_reading_count",
    "equipment_reading_count",
    "meter_statistics",
    "dirty_quarter",
    "quarter",
    "device_quarter",
    "epoch",
    "outlier",
    "hour_statistics",
    "day_statistics",
    "row_count",
    "peak",
    "event",
    "thinned",
)
"""What is left in these tables of an account that was joined to another goes with it.

``ledger_state`` stays: what was computed before must not be written after.
"""

DATED: Final = {
    "price": "commodity, instant, end_at, price",
    "peak": "instant, quarter_at, power",
    "event": "instant, kind, seconds",
}
"""What is dated and moves at once; of two meters' rows with one key the one stays that was there, or is the higher."""

BESIDE: Final = "ON CONFLICT DO NOTHING"

STATISTICS: Final = (
    "last_seen_at, received_at, instant, dsmr_version, tariff, power_failures, long_power_failures, voltage_sags_l1,"
    " voltage_sags_l2, voltage_sags_l3, voltage_swells_l1, voltage_swells_l2, voltage_swells_l3, rejected_telegrams,"
    " latest_telegram"
)

MOVE_CONTRACTS: Final = """
    UPDATE contract SET meter_id = ?2 WHERE meter_id = ?1 AND NOT EXISTS (
        SELECT 1 FROM contract AS own WHERE own.meter_id = ?2
        AND (contract.end_day IS NULL OR own.start_day <= contract.end_day)
        AND (own.end_day IS NULL OR contract.start_day <= own.end_day))"""

IS_LATER: Final = """
    SELECT 1 FROM meter_statistics WHERE meter_id = ?1
    AND coalesce(received_at, 0) > coalesce((SELECT received_at FROM meter_statistics WHERE meter_id = ?2), -1)"""

OUTDATE: Final = (
    "INSERT INTO ledger_state VALUES (?, 1) ON CONFLICT (meter_id) DO UPDATE SET version = ledger_state.version + 1"
)
"""What is being computed of a ledger is not written any more."""


def begin_join(connection: Connection, meter_id: int, other_id: int) -> Move:
    """See ``IMeters.begin_join``; inside a write."""
    connection.take_long()
    connection.hold_all()
    there = {found for (found,) in connection.execute("SELECT id FROM meter")}
    if meter_id == other_id or not {meter_id, other_id} <= there:
        raise EditRefused(f"There are no two meters {meter_id} and {other_id}.")
    ids = (other_id, meter_id)
    _hold(connection, *ids)
    _join_equipment(connection, other_id, meter_id)
    for table in ("origin", "api_key"):
        connection.execute(f"UPDATE {table} SET meter_id = ?2 WHERE meter_id = ?1", ids)
    for table, columns in DATED.items():
        _hand_over(connection, table, columns, *ids, HIGHER if table == "peak" else BESIDE)
    connection.execute(MOVE_CONTRACTS, ids)
    connection.execute("UPDATE ledger_edit SET meter_id = ?2 WHERE meter_id = ?1", ids)
    connection.execute(
        "UPDATE meter SET first_seen_at = (SELECT min(first_seen_at) FROM meter WHERE id IN (?1, ?2)) WHERE id = ?2",
        ids,
    )
    _join_statistics(connection, other_id, meter_id)
    connection.executemany(OUTDATE, [(found,) for found in ids])
    return Move(other_id, meter_id)


def begin_split(connection: Connection, meter_id: int, equipment: Collection[int], now: int) -> Move:
    """See ``IMeters.begin_split``; inside a write."""
    connection.take_long()
    connection.hold_all()
    _hold(connection, meter_id)
    wanted = frozenset(equipment)
    new, followed = _to_split(connection, meter_id, wanted)
    target_id = _open_beside(connection, meter_id, new) if followed is None else followed
    _split_edits(connection, meter_id, target_id, new)
    for number in new:
        connection.execute("UPDATE equipment SET meter_id = ? WHERE id = ?", (target_id, number))
        for table in ("device_quarter", "epoch", "outlier"):
            connection.execute(f"DELETE FROM {table} WHERE meter_id = ? AND equipment_id = ?", (meter_id, number))
        _note(connection, SPLIT, meter_id, target_id, number, now)
    if followed is None:
        _split_statistics(connection, meter_id, target_id)
    connection.executemany(OUTDATE, [(meter_id,), (target_id,)])
    return Move(meter_id, target_id, wanted)


def end_move(connection: Connection, move: Move, now: int) -> bool:
    """See ``IMeters.end_move``; inside a write."""
    connection.take_long()
    connection.hold_all()
    source_id, target_id = move.source_id, move.target_id
    _hold(connection, source_id, target_id)
    if move.equipment is None:
        if _something_left(connection, source_id, target_id):
            return False
        _join_statistics(connection, source_id, target_id)
        for table in EMPTIED:
            connection.execute(f"DELETE FROM {table} WHERE meter_id = ?", (source_id,))
        connection.execute("DELETE FROM meter WHERE id = ?", (source_id,))
        connection.execute(OUTDATE, (source_id,))
        _note(connection, JOIN, target_id, source_id, ELECTRICITY, now)
    # Hours without any reading tell, too, whether there had ever been gas: everything is computed anew.
    for meter_id in (source_id, target_id):
        mark_all(connection, meter_id)
    return True


def bulk(connection: Connection, meter_id: int, equipment: Collection[int] | None) -> Bulk:
    """See ``IMeters.bulk``."""
    connection.take_long()
    if equipment is not None:
        _to_split(connection, meter_id, equipment)
    return Bulk(*(number_of(connection, table, meter_id, equipment) for table in ("reading", "device_reading")))


def _hold(connection: Connection, *meter_ids: int) -> None:
    """Wait until no piece of these ledgers is being written, which was computed before and would stay for ever."""
    for meter_id in sorted(meter_ids):
        connection.hold(meter_id)


def _join_equipment(connection: Connection, source_id: int, target_id: int) -> None:
    """What both have stays where it is, until its values are moved; all else becomes the target's."""
    same = same_equipment(connection, source_id, target_id)
    for other, own in same.items():
        connection.execute(
            "UPDATE equipment SET (first_seen_at, last_seen_at) ="
            " (SELECT min(first_seen_at), max(last_seen_at) FROM equipment WHERE id IN (?1, ?2)) WHERE id = ?2",
            (other, own),
        )
        connection.execute("UPDATE ledger_edit SET equipment_id = ? WHERE equipment_id = ?", (own, other))
    connection.execute(
        f"UPDATE equipment SET meter_id = ? WHERE meter_id = ? AND id NOT IN ({_listed(same)})",
        (target_id, source_id),
    )


def _join_statistics(connection: Connection, source_id: int, target_id: int) -> None:
    """The later of two meters' statistics stay; their counts of rejected telegrams are one."""
    found = connection.execute(
        "SELECT max(last_seen_at), sum(rejected_telegrams) FROM meter_statistics WHERE meter_id IN (?, ?)",
        (source_id, target_id),
    ).fetchone()
    if connection.execute(IS_LATER, (source_id, target_id)).fetchone():
        connection.execute("DELETE FROM meter_statistics WHERE meter_id = ?", (target_id,))
        _hand_over(connection, "meter_statistics", STATISTICS, source_id, target_id)
    connection.execute("DELETE FROM meter_statistics WHERE meter_id = ?", (source_id,))
    connection.execute(
        "UPDATE meter_statistics SET last_seen_at = ?, rejected_telegrams = ? WHERE meter_id = ?", (*found, target_id)
    )


def _something_left(connection: Connection, source_id: int, target_id: int) -> bool:
    """Whether an account holds anything that another one lacks."""
    same = same_equipment(connection, source_id, target_id)
    own = {number for (number,) in connection.execute("SELECT id FROM equipment WHERE meter_id = ?", (source_id,))}
    values = "SELECT instant, value FROM device_reading WHERE meter_id = ? AND equipment_id = ?"
    elsewhere = f"device_reading WHERE meter_id = ? AND equipment_id NOT IN ({_listed(same)})"
    return (
        own != {*same}
        or any(
            connection.execute(f"SELECT 1 FROM {rows} LIMIT 1", (source_id,)).fetchone()
            for rows in ("reading WHERE meter_id = ?", elsewhere)
        )
        or any(
            connection.execute(f"{values} EXCEPT {values} LIMIT 1", (source_id, other, target_id, number)).fetchone()
            for other, number in same.items()
        )
    )


def _to_split(connection: Connection, meter_id: int, wanted: Collection[int]) -> tuple[list[int], int | None]:
    """Which equipment a meter still has, and the account that the other was split off to before, if any was."""
    fills = dict(connection.execute("SELECT id, meter_id FROM equipment"))
    new = sorted(number for number in wanted if fills.get(number) == meter_id)
    followed = set()
    for number in set(wanted).difference(new):
        is_split_off = connection.execute(
            "SELECT 1 FROM ledger_edit WHERE kind = ? AND meter_id = ? AND equipment_id = ? AND other_meter_id = ?",
            (SPLIT, meter_id, number, fills.get(number)),
        ).fetchone()
        if not is_split_off:
            raise EditRefused(f"Meter {meter_id} has no equipment with the number {number}.")
        followed.add(fills[number])
    if not wanted or len(followed) > 1:
        raise EditRefused("Name equipment of one meter, which shall have an account of its own.")
    return new, min(followed, default=None)


def _open_beside(connection: Connection, meter_id: int, equipment: Collection[int]) -> int:
    """Open an account for some of a meter's equipment, in the same zone."""
    target_id = next_meter_id(connection)
    connection.execute(
        f"INSERT INTO meter SELECT ?, ?, zone, (SELECT min(first_seen_at) FROM equipment WHERE id IN"
        f" ({_listed(equipment)})) FROM meter WHERE id = ?",
        (target_id, f"Meter {target_id}", meter_id),
    )
    return target_id


def _split_edits(connection: Connection, meter_id: int, target_id: int, equipment: Collection[int]) -> None:
    """Edits go with the readings that they are about."""
    of = registers_of(connection, meter_id)[0]
    history = SqlHistory(connection, of)
    for instant in (*of.edits.splits, *of.edits.joins):
        following = next(history.after(instant - 1), None)
        if following is not None and following[0][2] in equipment:
            connection.execute(
                "UPDATE ledger_edit SET meter_id = ? WHERE meter_id = ? AND equipment_id = ? AND instant = ?",
                (target_id, meter_id, ELECTRICITY, instant),
            )
    connection.executemany(
        "UPDATE ledger_edit SET meter_id = ? WHERE meter_id = ? AND equipment_id = ? AND instant IS NOT NULL",
        [(target_id, meter_id, number) for number in equipment],
    )


def _split_statistics(connection: Connection, meter_id: int, target_id: int) -> None:
    """The statistics are those of the meter heard last, and go with it; telegrams were rejected where they were."""
    seen = {number: _last_seen(connection, number, "device_type = 0") for number in (meter_id, target_id)}
    if seen[target_id] > seen[meter_id]:
        rejected = connection.execute(
            "SELECT rejected_telegrams FROM meter_statistics WHERE meter_id = ?", (meter_id,)
        ).fetchall()
        _hand_over(connection, "meter_statistics", STATISTICS, meter_id, target_id)
        connection.executemany(
            "INSERT INTO meter_statistics (meter_id, last_seen_at, rejected_telegrams) VALUES (?, nullif(?, 0), ?)",
            [(meter_id, _last_seen(connection, meter_id, "TRUE"), telegrams) for (telegrams,) in rejected],
        )
    connection.execute(
        "INSERT INTO meter_statistics (meter_id, last_seen_at) VALUES (?, ?) ON CONFLICT (meter_id) DO UPDATE"
        " SET last_seen_at = excluded.last_seen_at, rejected_telegrams = 0",
        (target_id, _last_seen(connection, target_id, "TRUE")),
    )


def _hand_over(
    connection: Connection, table: str, columns: str, meter_id: int, other_id: int, taken: str = BESIDE
) -> None:
    """Give a meter's rows to another one: by new rows, since the meter says on which node of a cluster a row lies."""
    connection.execute(
        f"INSERT INTO {table} (meter_id, {columns}) SELECT ?2, {columns} FROM {table} WHERE meter_id = ?1 {taken}",
        (meter_id, other_id),
    )
    connection.execute(f"DELETE FROM {table} WHERE meter_id = ?", (meter_id,))


def _last_seen(connection: Connection, meter_id: int, which: str) -> int:
    """When some of a meter's equipment was last heard; 0: never."""
    (at,) = connection.execute(
        f"SELECT coalesce(max(last_seen_at), 0) FROM equipment WHERE meter_id = ? AND {which}", (meter_id,)
    ).fetchone()
    return int(at)


def _listed(numbers: Collection[int]) -> str:
    """Numbers, as SQL lists them; it wants one at least."""
    return ", ".join(map(str, numbers)) or "-1"


def _note(connection: Connection, kind: str, meter_id: int, other_id: int, equipment_id: int, now: int) -> None:
    """Keep what a person decided."""
    connection.execute(
        "INSERT INTO ledger_edit (meter_id, kind, equipment_id, other_meter_id, made_at) VALUES (?, ?, ?, ?, ?)",
        (meter_id, kind, equipment_id, other_id, now),
    )
