"""What tests of the whole ledger stand on: a store whose work is done at once, ticks, and all rows in one look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from attrs import define
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.ledger import NEVER
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.connection import Connection, Runner
from dsmr_tw.store.sqlite import SqliteStore
from dsmr_tw.store.threads import result_of
from tests.contracts.storecase import FIRST, StoreCase

P = ParamSpec("P")
T = TypeVar("T")

DERIVED: Final = ("quarter", "device_quarter", "epoch", "outlier", "hour_statistics", "day_statistics", "row_count")
"""The tables that the ledger fills from readings alone."""

OTHERS: Final = (
    *("reading", "reading_count", "device_reading", "device_reading_count", "equipment_reading_count"),
    *("meter_statistics", "dirty_quarter", "ledger_state", "equipment", "origin"),
)


@define
class Power:
    """A runner that lets work be done at once, until the power fails."""

    left: int | None = None
    """So many more are done; ``None``: all."""

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """See ``dsmr_tw.store.connection.Runner``."""
        if self.left is not None:
            if self.left == 0:
                return fail(StoreUnavailable("the power is cut"))
            self.left -= 1
        return maybeDeferred(function, *args)


class LedgerCase(StoreCase, SynchronousTestCase):
    """A test with a store in a file, and time that stands still."""

    store: SqliteStore

    def setUp(self) -> None:
        """Begin with a directory of its own."""
        self.path = Path(self.mktemp()) / "dsmr.sqlite3"
        self.power = Power()
        super().setUp()

    def make_store(self) -> SqliteStore:
        """See ``StoreCase``."""
        return sqlite_store(self.path, "Europe/Amsterdam", *self.runners())

    def runners(self) -> tuple[Runner, Runner]:
        """See ``StoreCase``."""
        return self.power, maybeDeferred

    def connection(self) -> Connection:
        """A connection that sees what is stored."""
        return self.store.database.writer()

    def ask(self, function: Callable[P, Deferred[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """See ``StoreCase``."""
        return result_of(function(*args, **kwargs))

    def reopen(self) -> None:
        """Go on with nothing but what is stored."""
        super().reopen()
        # No disk need be waited for.
        self.run_sql("PRAGMA synchronous = OFF")

    def run_sql(self, sql: str) -> list[Any]:
        """What the writer's connection answers."""
        return self.store.database.writer().execute(sql).fetchall()

    def forget(self, *tables: str) -> None:
        """Empty tables."""
        self.ask(
            self.store.database.write, lambda connection: [connection.execute(f"DELETE FROM {name}") for name in tables]
        )

    def begin_anew(self) -> None:
        """An empty store again, sooner than another file is made."""
        self.forget(*DERIVED, *OTHERS)
        self.reopen()

    def tick(self, now: int) -> None:
        """Compute all that is marked, and let all rows appear that are due."""
        for meter_id in self.ask(self.store.ledger.dirty, now):
            while self.ask(self.store.ledger.recompute, meter_id, now):
                pass
            while self.ask(self.store.ledger.close, meter_id, now):
                pass

    def catch_up(self, now: int) -> None:
        """Tick until there is nothing to do any more."""
        for _ in range(1000):
            if not self.ask(self.store.ledger.dirty, now):
                return
            self.tick(now)
        self.fail("there is always something to do")

    def cut_power(self, now: int, writes: int) -> None:
        """Tick until the power fails after some writes, or there is no more to do; then start again."""
        self.power.left = writes
        with suppress(StoreUnavailable):
            self.tick(now)
        self.power.left = None
        self.reopen()

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Be another program, on the same file."""
        own, self.store = self.store, self.make_store()
        self.ask(self.store.open)
        yield
        self.ask(self.store.close)
        self.store = own

    def compute_anew(self, start: int, end: int, now: int) -> None:
        """Compute a time anew."""
        self.ask(self.store.ledger.rebuild, FIRST, start, end, now, lambda readings: None)

    def rows(self) -> dict[str, list[Any]]:
        """All that is derived."""
        return {name: self.run_sql(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for name in DERIVED}

    def rebuilt(self, now: int) -> dict[str, list[Any]]:
        """All that is derived, when it is derived anew."""
        self.forget(*DERIVED)
        self.compute_anew(-NEVER, NEVER, now)
        return self.rows()
