"""Tests of dsmr_tw.store.thinning and joins on a PostgreSQL server: somebody else writes a ledger at the same time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define

from dsmr_tw.errors import StoreUnavailable
from tests.arrivals import MINUTE, NOON, gas, heard
from tests.onpostgres import OnPostgres
from tests.store.test_sqlite import SqliteCase
from tests.store.test_thinning import NOW, ThinningCase


@define
class Interrupted:
    """A connection on which something happens behind the first statement that names a table."""

    connection: Any
    table: str
    happen: Callable[[], None]
    happened: bool = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        """Run a statement, and let it happen."""
        found = self.connection.execute(sql, *parameters)
        if self.table in sql and not self.happened:
            self.happened = True
            self.happen()
        return found


class ThinningMeanwhileTests(OnPostgres, ThinningCase):
    """Readings go only by what the ledger says now."""

    def test_what_is_computed_between_two_looks(self) -> None:
        """A late reading that is computed just then keeps all readings near it, whichever look comes first."""
        for table in ("ledger_state", "dirty_quarter"):
            self.begin_anew()
            self.hear(range(NOON, NOON + 60 * MINUTE, MINUTE))
            self.settle()
            write = self.store.database.write_runner

            def late(run: Any, writes: bool, drop: Any, *told: Any, of: str = table, write: Any = write) -> Any:
                self.store.database.write_runner = write
                self.hear([NOON + MINUTE // 2])
                return write(
                    run, writes, lambda connection: drop(Interrupted(connection, of, self.settle_beside), *told)
                )

            self.store.database.write_runner = late
            thinned = self.successResultOf(self.store.retention.thin(1, NOW))
            self.assertEqual((thinned.dropped, len(self.instants())), (0, 61), table)

    def settle_beside(self) -> None:
        """Another program computes all that is marked."""
        mine, self.store = self.store, self.make_store()
        try:
            self.settle()
            self.assertEqual(self.rows("SELECT * FROM dirty_quarter"), [])
        finally:
            self.ask(self.store.close)
            self.store = mine


class MovingMeanwhileTests(OnPostgres, SqliteCase):
    """Accounts are joined and split between two pieces of their ledgers, never during one."""

    def setUp(self) -> None:
        """A house with a gas meter, and another one; nobody waits for long."""
        super().setUp()
        self.add(heard(NOON, gas()))
        self.other = self.ask(self.store.meters.add, "Barn", "Europe/Amsterdam")

    def make_store(self) -> Any:
        """See ``StoreCase``."""
        self.url = f"{self.url.partition('?')[0]}?options=-c%20lock_timeout%3D50ms"
        return super().make_store()

    def test_a_piece_that_is_being_written(self) -> None:
        """It would bring rows back that go, so it is waited for; each step can be begun again."""
        meters = self.store.meters
        [device] = [one.id for one in self.ask(meters.equipment, 1) if one.device_type]
        splitting: tuple[Any, ...] = (meters.begin_split, 1, [device], NOON)
        for held in (1, self.other.id):
            self.hold(held)
            joining = (meters.begin_join, 1, self.other.id)
            self.assertRaises(StoreUnavailable, self.ask, *joining)
            if held == 1:
                self.assertRaises(StoreUnavailable, self.ask, *splitting)
            self.connection().raw.rollback()
        move = self.ask(*splitting)
        self.hold(1)
        self.assertRaises(StoreUnavailable, self.ask, meters.end_move, move, NOON)
        self.connection().raw.rollback()
        self.assertTrue(self.ask(meters.end_move, move, NOON))

    def hold(self, meter_id: int) -> None:
        """Somebody writes the ledger of a meter."""
        self.connection().hold(meter_id)
