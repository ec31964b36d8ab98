"""Responsible for the databases of servers that are killed: how they begin, what stands in them, and `dsmr` on them."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import maybeDeferred

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.interfaces import IStore
from dsmr_tw.store.connect import store_at
from dsmr_tw.store.migrate import migrate_sqlite, migrations
from dsmr_tw.store.threads import result_of
from tests.arrivals import MINUTE, NOON, heard
from tests.live.killing import Tally, queued_s
from tests.live.running import ROOT, RunningServer, unmeasured

ZONE: Final = "Europe/Amsterdam"
DATABASE: Final = "dsmr.sqlite3"
OLD: Final = 60_000
"""Readings of an old database: its copy and its migration have to last for a moment."""
HISTORY: Final = 10_000
"""Readings a minute apart: seven days."""


def fill(path: Path, url: str | None = None) -> None:
    """A database with a history, whose ledger is computed."""
    store = store_at(url, path, ZONE, maybeDeferred, maybeDeferred)
    result_of(store.open())
    now = int(time.time()) * SECOND
    for first in range(0, HISTORY, 500):
        numbers = range(first, first + 500)
        # They arrive now: whatever is heard next is another meter, not the one after a swap.
        groups = [[heard(NOON + n * MINUTE, received_at=now, delivered_1=10 * n, delivered_2=0)] for n in numbers]
        result_of(store.readings.add(groups, now))
    settle_all(store)
    result_of(store.close())


def settle(path: Path, url: str | None = None, is_computed: bool = True) -> None:
    """Let a database be brought up to date, and its ledger be computed as far as it can be."""
    store = store_at(url, path, ZONE, maybeDeferred, maybeDeferred)
    result_of(store.open())
    if is_computed:
        settle_all(store)
    result_of(store.close())


def settle_all(store: IStore) -> None:
    """Let the ledger of all meters be computed as far as it can be."""
    now = int(time.time()) * SECOND
    for meter in result_of(store.meters.all()):
        while result_of(store.ledger.recompute(meter.id, now)):
            pass
        while result_of(store.ledger.close(meter.id, now)):
            pass


def fill_old(path: Path) -> None:
    """A database of the first schema, with readings."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        migrate_sqlite(connection, path, migrations("sqlite")[:1])
        connection.execute(f"INSERT INTO meter VALUES (1, 'Meter 1', '{ZONE}', 0)")
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {OLD - 1})"
        values = f"1, {NOON} + i * {MINUTE}, i + 1, 0, NULL, 10 * i, 0, 0, 0, 5, NULL, NULL"
        connection.execute(f"{numbers} INSERT INTO reading SELECT {values} FROM n")
        connection.execute(f"UPDATE counter SET last_id = {OLD} WHERE name = 'reading'")
        for hours in (1, 24):
            span = hours * 60 * MINUTE
            connection.execute(
                "INSERT INTO reading_count SELECT 1, ?1, instant - instant % ?2, count(*) FROM reading GROUP BY 3",
                (hours, span),
            )


def asked(path: Path, sql: str) -> list[Any]:
    """What a statement finds in an SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


def rows(ask: Callable[[str], list[Any]], names: tuple[str, ...]) -> dict[str, list[Any]]:
    """All rows of some tables, in one order."""
    return {name: sorted(ask(f"SELECT * FROM {name}"), key=repr) for name in names}


def command(*words: str) -> subprocess.Popen[bytes]:
    """``dsmr`` with these words, begun."""
    return subprocess.Popen(
        [sys.executable, "-m", "dsmr_tw.cli", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=unmeasured(),
    )


def done(*words: str) -> None:
    """``dsmr`` with these words, ended well."""
    process = command(*words)
    told, _ = process.communicate()
    assert process.returncode == 0, told.decode(errors="replace")


def started(server: RunningServer, tally: Tally) -> None:
    """Start a server, and note how long that took."""
    began = time.monotonic()
    server.start()
    tally.started(time.monotonic() - began, queued_s(server.process.pid))
