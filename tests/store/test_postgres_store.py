"""Tests of dsmr_tw.store.postgres_store: the contract of every store, and all that both databases compute."""

from __future__ import annotations

from tests.contracts.store import StoreContract
from tests.onpostgres import OnPostgres, on_postgres
from tests.store import (
    test_closing,
    test_days,
    test_history,
    test_ledger,
    test_lists,
    test_moves,
    test_pieces,
    test_races,
    test_statistics,
    test_thinning,
    test_totals,
)
from tests.store.test_sqlite import SqliteCase


class PostgresStoreTests(OnPostgres, StoreContract, SqliteCase):
    """A store on a server holds what every store holds."""


on_postgres(
    globals(),
    *(test_closing, test_days, test_history, test_ledger, test_lists, test_moves, test_pieces, test_statistics),
    *(test_races, test_thinning, test_totals),
)
