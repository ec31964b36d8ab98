"""Responsible for what both databases give to the modules that speak SQL: connections, and transactions on them.

The SQL of these modules is what SQLite and PostgreSQL have in common; ``?`` stands for the next parameter, ``?2`` for
the second one.  Where the two differ in more than words, a connection has a method for it.

Tests: ``tests/contracts/store.py``, on both databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeAlias, TypeVar

from twisted.internet.defer import Deferred

P = ParamSpec("P")
T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]

Runner: TypeAlias = Callable[..., "Deferred[Any]"]
"""``runner(function, *args) -> Deferred``: where the work on a connection is done."""


KEYS_CHANGED: Final = "dsmr_keys"
"""Where it is told that API keys were made or removed."""


class Cursor(Protocol):
    """What a statement found."""

    @property
    def rowcount(self) -> int:
        """How many rows were written."""

    def fetchone(self) -> Any:
        """The next row; ``None`` when there is none."""

    def fetchmany(self, size: int = ..., /) -> list[Any]:
        """The next rows, at most so many."""

    def fetchall(self) -> list[Any]:
        """All rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """The rows that are left, one by one."""


class Connection(Protocol):
    """One connection inside a transaction, used by one thread at a time."""

    insert_only: bool
    """Whether marks are numbered when they are made and never changed: several programs write at the same time."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement. Its rows are there when this returns, or are read on the way: ask for few."""

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> object:
        """Run a statement that finds nothing, once for each row of parameters."""

    def stream(self, sql: str, parameters: Sequence[Any]) -> Cursor:
        """Run a query of which only the first rows may be wanted, however many there are."""

    def hold(self, meter_id: int) -> None:
        """Until the transaction ends nobody else who holds this meter goes on."""

    def hold_all(self, accounts: bool = True) -> None:
        """Until the transaction ends nobody else writes readings, or holds all.

        What others remember of stored readings, and of ``accounts``, they read again.
        """

    def tell(self, channel: str) -> None:
        """Let other programs know, when the transaction is committed."""

    def take_long(self) -> None:
        """Let statements take as long as they need, until the transaction ends."""

    def size(self) -> tuple[int, int]:
        """How many bytes the database takes, and how many of them are free for new rows."""

    def guard(self, meter_id: int) -> bool:
        """Take a meter's computation until the transaction ends; ``False`` when somebody else has it."""


class Database(Protocol):
    """Transactions."""

    disturbed: int
    """How often writes came to nothing, or rows were dropped: who remembers what it wrote reads it again then."""

    def write(
        self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Run ``function(connection, ...)`` in a transaction of its own; fires with its result after the commit."""

    def read(self, function: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run ``function(connection, ...)`` on one unchanging state of the database; fires with its result."""
