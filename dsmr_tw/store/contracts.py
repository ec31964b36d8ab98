"""Responsible for the supplier contracts.

Whether a contract can be beside the others is decided inside the transaction that writes it: a command and the server
may write at the same time.

Tests: ``tests/contracts/contracts.py``
"""

from __future__ import annotations

from datetime import date
from typing import Final

from attrs import astuple, define, evolve
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.domain.contract import Contract, refusal
from dsmr_tw.errors import ContractRefused
from dsmr_tw.interfaces import IContracts
from dsmr_tw.store.connection import Connection, Database

COLUMNS: Final = (
    "id, meter_id, start_day, end_day, description, delivered_1_price, delivered_2_price, returned_1_price,"
    " returned_2_price, gas_price, fixed_daily_cost"
)
"""In the order of the fields of ``Contract``."""

DAY_0: Final = date(1970, 1, 1).toordinal()


@implementer(IContracts)
@define
class SqlContracts:
    """See ``IContracts``."""

    database: Database

    def all(self, meter_id: int) -> Deferred[list[Contract]]:
        """See ``IContracts``."""
        return self.database.read(_all, meter_id)

    def add(self, contract: Contract) -> Deferred[Contract]:
        """See ``IContracts``."""
        return self.database.write(_add, contract)

    def change(self, contract: Contract) -> Deferred[Contract]:
        """See ``IContracts``."""
        return self.database.write(_change, contract)

    def remove(self, contract_id: int) -> Deferred[bool]:
        """See ``IContracts``."""
        return self.database.write(_remove, contract_id)


def _all(connection: Connection, meter_id: int) -> list[Contract]:
    rows = connection.execute(f"SELECT {COLUMNS} FROM contract WHERE meter_id = ? ORDER BY start_day", (meter_id,))
    return [
        Contract(contract_id, of, _day(start), None if end is None else _day(end), *rest)
        for contract_id, of, start, end, *rest in rows
    ]


def _add(connection: Connection, contract: Contract) -> Contract:
    if not connection.execute("SELECT 1 FROM meter WHERE id = ?", (contract.meter_id,)).fetchone():
        raise ContractRefused(f"There is no meter {contract.meter_id}.")
    new = evolve(contract, id=0)
    _check(new, _all(connection, contract.meter_id))
    return evolve(new, id=_put(connection, new, None))


def _change(connection: Connection, contract: Contract) -> Contract:
    of_meter = _all(connection, contract.meter_id)
    if not any(other.id == contract.id for other in of_meter):
        raise ContractRefused(f"Meter {contract.meter_id} has no contract {contract.id}.")
    _check(contract, of_meter)
    _put(connection, contract, contract.id)
    return contract


def _remove(connection: Connection, contract_id: int) -> bool:
    return connection.execute("DELETE FROM contract WHERE id = ?", (contract_id,)).rowcount == 1


def _check(contract: Contract, others: list[Contract]) -> None:
    reason = refusal(contract, others)
    if reason is not None:
        raise ContractRefused(reason)


def _put(connection: Connection, contract: Contract, row_id: int | None) -> int:
    """Write a row, in the place of the one that has this id; ``None``: of none. Returns its id."""
    _, meter_id, start, end, *rest = astuple(contract)
    row: tuple[object, ...] = (meter_id, _number(start), None if end is None else _number(end), *rest)
    connection.execute("DELETE FROM contract WHERE id = ?", (row_id,))
    names, row = (COLUMNS, (row_id, *row)) if row_id else (COLUMNS.removeprefix("id, "), row)
    (written,) = connection.execute(
        f"INSERT INTO contract ({names}) VALUES ({', '.join('?' * len(row))}) RETURNING id", row
    ).fetchone()
    return int(written)


def _number(day: date) -> int:
    """A day as it is stored: days since 1970."""
    return day.toordinal() - DAY_0


def _day(number: int) -> date:
    return date.fromordinal(number + DAY_0)
