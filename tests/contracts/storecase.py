"""What the contract of a store stands on: a store that is open, and a way to ask it that needs no reactor.

A port answers with Deferreds, and how long they take is the store's own affair.
So a test says ``self.ask(store.keys.all)``, and the test case of each store decides how to wait: SQLite's answer is
there at once; a store that needs the reactor lets its tests run in another thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred

from dsmr_tw.domain.reading import Arrival, Receipt, StoredReading
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IStore
from dsmr_tw.store.connection import Runner
from dsmr_tw.stored import Meter, ReadingFilter, ReadingPage

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as Case
else:
    Case = object

P = ParamSpec("P")
T = TypeVar("T")

FIRST = 1
"""The id of the meter that every store begins with."""


class StoreCase(Case):
    """A test with an open store. A subclass gives it ``make_store`` and ``ask``."""

    store: Any
    sqlite_only: bool = False
    """Whether the test asks what only SQLite can answer, so that it runs on nothing else."""
    now: int = 0
    """The latest instant at which something arrived; a test may set the server's clock back."""

    def make_store(self) -> IStore:
        """A store that is not open yet, on the database of this test: empty at first, then with what was stored."""
        raise NotImplementedError

    def runners(self) -> tuple[Runner, Runner]:
        """Where the store writes, and where it reads: at once, unless a test has other wishes."""
        return maybeDeferred, maybeDeferred

    def ask(self, function: Callable[P, Deferred[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call ``function``: the result of its Deferred, or its failure raised."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the store."""
        super().setUp()
        self.store = self.make_store()
        self.ask(self.store.open)

    def tearDown(self) -> None:
        """Close it."""
        self.ask(self.store.close)
        super().tearDown()

    def reopen(self) -> None:
        """Go on with nothing but what is stored."""
        self.ask(self.store.close)
        self.store = self.make_store()
        self.ask(self.store.open)

    def add_groups(self, *groups: list[Arrival]) -> list[list[Receipt]]:
        """Store groups in one commit, made when the last of them had arrived."""
        self.now = max([self.now, *(arrival.received_at for group in groups for arrival in group)])
        return self.ask(self.store.readings.add, groups, self.now)

    def add(self, *arrivals: Arrival) -> list[Receipt]:
        """Store arrivals in one commit."""
        [receipts] = self.add_groups(list(arrivals))
        return receipts

    def assert_refused(self, *arrivals: Arrival) -> None:
        """One of the arrivals is at fault, which is not the same as a store that is away."""
        with self.assertRaises(Exception) as caught:
            self.add(*arrivals)
        self.assertNotIsInstance(caught.exception, StoreUnavailable)

    def page(
        self,
        meter_id: int = FIRST,
        start: int | None = None,
        end: int | None = None,
        *,
        descending: bool = False,
        offset: int = 0,
        limit: int = 10_000,
    ) -> ReadingPage:
        """A page of the list of readings."""
        wanted = ReadingFilter(meter_id, start, end)
        page: ReadingPage = self.ask(self.store.readings.page, wanted, descending, offset, limit)
        return page

    def stored(self, meter_id: int = FIRST) -> list[StoredReading]:
        """All readings of a meter."""
        return self.page(meter_id).readings

    def meter(self, meter_id: int = FIRST) -> Meter:
        """What the store says about a meter."""
        meters: list[Meter] = self.ask(self.store.meters.all)
        return next(meter for meter in meters if meter.id == meter_id)
