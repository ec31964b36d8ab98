"""What lets a test of a store run on a PostgreSQL server: the same tests, another ``make_store``."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import psycopg2

from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.postgres_database import PostgresConnection
from tests.brief import BRIEF
from tests.postgres import server

if TYPE_CHECKING:
    from tests.contracts.storecase import StoreCase as Case
else:
    Case = object

ZONE: Final = "Europe/Amsterdam"

EMPTY: Final = """
    DO $$
    DECLARE name text;
    BEGIN
        FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'schema_number' LOOP
            EXECUTE 'DELETE FROM ' || quote_ident(name);
        END LOOP;
        FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
            EXECUTE 'ALTER SEQUENCE ' || quote_ident(name) || ' RESTART';
        END LOOP;
        INSERT INTO changed SELECT 1, 1, 1 WHERE to_regclass('changed') IS NOT NULL;
    END $$"""
"""Emptying all tables takes a tenth of what a new database does."""


@cache
def shared_url() -> str:
    """The database that these tests share, one after the other."""
    return server().database()


def emptied() -> str:
    """The same, with nothing in it."""
    url = shared_url()
    if server().ask("SELECT to_regclass('changed') IS NOT NULL", url) == [(True,)]:
        server().ask(EMPTY, url)
    return url


class OnPostgres(Case):
    """A test whose store is on a server, and whose work is done at once."""

    _seeing: PostgresConnection | None = None

    def setUp(self) -> None:
        """Begin with nothing."""
        self.url = emptied()
        super().setUp()

    def make_store(self) -> Any:
        """See ``StoreCase``."""
        return postgres_store(self.url, ZONE, *self.runners())

    def begin_anew(self) -> None:
        """An empty store again."""
        self.ask(self.store.close)
        server().ask(EMPTY, self.url)
        self.store = self.make_store()
        self.ask(self.store.open)

    def connection(self) -> PostgresConnection:
        """A connection that sees what is stored."""
        if self._seeing is None:
            raw = psycopg2.connect(self.url)
            self.addCleanup(raw.close)
            self._seeing = PostgresConnection(raw)
        return self._seeing

    def table_names(self) -> list[str]:
        """All tables."""
        found = server().ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", self.url)
        return [name for (name,) in found]

    def on_writer(self, sql: str) -> list[Any]:
        """What a connection that writes answers; SQLite's orders to itself mean nothing here."""
        if sql.startswith("PRAGMA"):
            return []

        def run(connection: Any) -> list[Any]:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

        found: list[Any] = self.ask(self.store.database.write, run)
        return found

    run_sql = on_writer


def on_postgres(namespace: dict[str, Any], *modules: ModuleType) -> None:
    """Put into a test module what the test cases of others are on PostgreSQL, but for those of SQLite alone."""
    for module in () if BRIEF else modules:
        for name, case in vars(module).items():
            if isinstance(case, type) and case.__module__ == module.__name__ and _has_tests(case):
                body = {"__module__": namespace["__name__"], "__doc__": case.__doc__}
                namespace[f"{name}OnPostgres"] = type(f"{name}OnPostgres", (OnPostgres, case), body)


def _has_tests(case: type) -> bool:
    return (
        hasattr(case, "make_store")
        and not getattr(case, "sqlite_only", False)
        and any(name.startswith("test_") for name in dir(case))
    )
