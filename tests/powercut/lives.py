"""Responsible for what is kept through power cuts: readings in SQLite, and telegrams in the spool.

Tests: ``tests/powercut/test_cuts.py``
"""

from __future__ import annotations

import select
import sqlite3
import subprocess
import sys
from contextlib import closing
from re import Pattern
from typing import Any, ClassVar, Final

from attrs import define
from twisted.internet.defer import maybeDeferred

from dsmr_tw.domain.spooled import record_in
from dsmr_tw.keys import digest_of
from dsmr_tw.known import FILE, Known
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ApiKey, Meter
from tests.ledgercase import DERIVED
from tests.live.running import READY, ROOT, SERVING, unmeasured
from tests.live.traffic import telegram, wait_until
from tests.powercut.cutting import Life, Wrong
from tests.powercut.posting import CLIENTS

DRAINING: Final = 500
"""About so many changes it is to make a database and store in it what waits in the spool."""

DRAINED_S: Final = 1

AWAY: Final = "postgresql://dsmr@127.0.0.1:1/dsmr"
"""A database that nobody answers for."""

_CARELESS_SQLITE: Final = """
from dsmr_tw.store import sqlite_database
class Careless(sqlite_database.SqliteConnection):
    def executescript(self, script):
        return super().executescript(script.replace("PRAGMA synchronous = FULL", "PRAGMA synchronous = {}"))
sqlite_database.SqliteConnection = Careless
"""

SQLITE_OFF: Final = _CARELESS_SQLITE.format("OFF")
SQLITE_NORMAL: Final = _CARELESS_SQLITE.format("NORMAL")
"""Make a server keep its SQLite file as it must not."""

CARELESS_SPOOL: Final = """
import os
os.fsync = os.fdatasync = lambda file: None
"""
"""Makes a server keep its spool as it must not."""


@define(eq=False)
class SqliteLife(Life):
    """The readings go to SQLite."""

    def look(self) -> None:
        """All is served, and the owner's key is what it was."""
        key = self.server.key
        if self.key not in (None, key):
            raise Wrong("the owner's key is another one")
        self.key = key
        client = self.server.client()
        wrong = self.posting.wrong(client)
        client.connection.close()
        if self._asked("PRAGMA integrity_check") != [("ok",)]:
            wrong.append("the database is damaged")
        if wrong:
            raise Wrong(", ".join(wrong))

    def finish(self) -> None:
        """What is served of the ledger is what a rebuild makes of the readings."""
        self.start()
        self.look()
        client = self.server.client()
        wait_until(client, lambda health: health["ledger"]["dirty_quarters"] == 0)
        client.connection.close()
        self.stop()
        found = self._ledger()
        rebuild = [sys.executable, "-m", "dsmr_tw.cli", "rebuild", "--state-dir", str(self.server.state)]
        subprocess.run(rebuild, check=True, cwd=ROOT, capture_output=True, env=unmeasured())
        is_empty = not found["quarter"] and self.posting.stored > 10 * CLIENTS
        if is_empty or self._ledger() != found:
            raise Wrong("the ledger is not what a rebuild makes of the readings")

    def _ledger(self) -> dict[str, list[Any]]:
        return {name: self._asked(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for name in DERIVED}

    def _asked(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.server.state}/dsmr.sqlite3?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@define(eq=False)
class SpoolLife(Life):
    """The database is away, the telegrams go to the spool; in the end they are stored in SQLite."""

    arguments: ClassVar[tuple[str, ...]] = ("--database", AWAY)
    is_up: Pattern[bytes] = SERVING
    posting_changes: ClassVar[int] = 600

    def begin(self) -> None:
        """Begin with a disk on which a server has been before, while its database was there."""
        super().begin()
        self.key = "a-key-known-from-before"
        self.server.state.mkdir(parents=True)
        known = Known(self.server.state / FILE)
        known.keep_keys([ApiKey(1, "owner", "admin", digest_of(self.key), None, 0, "")])
        known.keep_meters([Meter(1, "home", "Europe/Amsterdam")])
        self.disk.make_safe()

    def start(self) -> None:
        """Look into the spool before the server does."""
        self._look_into_the_spool()
        super().start()

    def look(self) -> None:
        """The spool was looked into."""

    def finish(self) -> None:
        """What waits in the spool is stored, each telegram once, even if the power goes meanwhile."""
        self._look_into_the_spool()
        self.server.arguments, self.is_up = (), READY
        self.disk.cut_after(self.chance.randint(1, DRAINING))
        self.server.spawn()
        if self.is_up_before_it_is_dark():
            # Soon it is, or all is stored.
            select.select([self.disk.fileno()], [], [], DRAINED_S)
            self.disk.cut_after(0)
            self.disk.wait_for("dark")
        self.cut()
        super().start()
        client = self.server.client()
        wait_until(client, lambda health: not health["spool"]["records"])
        wrong = self.posting.wrong(client)
        client.connection.close()
        if wrong:
            raise Wrong(", ".join(wrong))
        self.stop()

    def _look_into_the_spool(self) -> None:
        path = self.server.state / SPOOL
        spool = Spool(path, maybeDeferred)
        if path.exists():
            spool.survey()
        found = result_of(spool.read(spool.records, lambda data: record_in(data).telegram)) if spool.records else []
        wrong = []
        for posted in self.posting.meters:
            numbers = {telegram(posted.meter, number).strip(): number for number in range(posted.sent)}
            wrong += posted.wrong([numbers[text] for text in found if text in numbers])
            found = [text for text in found if text not in numbers]
        if found:
            wrong.append(f"never sent {found[:3]}")
        if wrong:
            raise Wrong(", ".join(wrong))
