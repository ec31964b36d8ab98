"""Responsible for a server on a disk whose power is cut again and again, and for what must hold each time it returns.

One *life* is a disk that is empty in the beginning, a server, and clients that post as fast as they are answered.
The power goes at any write, sync or change of a name: while the server starts for the first time, while it starts
again, while it stores. Each time the server is killed, and starts again on what is left.

Tests: ``tests/powercut/test_cuts.py``
"""

from __future__ import annotations

import os
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from re import Pattern
from typing import Any, ClassVar, Final

from attrs import define, field
from twisted.internet.defer import maybeDeferred

from dsmr_tw.domain.spooled import record_in
from dsmr_tw.keys import digest_of
from dsmr_tw.known import FILE, Known
from dsmr_tw.spool import SPOOL, Spool
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ApiKey, Meter
from tests.ledgercase import DERIVED
from tests.live.running import READY, ROOT, SERVING, RunningServer
from tests.live.traffic import telegram, wait_until
from tests.powercut.posting import CLIENTS, Posting
from tests.powercut.powered import Powered

START_S: Final = 5
"""A start may take so long."""

STARTING: Final = 120
"""About so many changes a start makes; some more, some fewer."""

IN_START: Final = 0.3
"""This share of the cuts comes while the server starts."""

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


EAGER: Final = """
import functools
from dsmr_tw import tap
tap.RollupService = functools.partial(tap.RollupService, every=0.2)
"""
"""Makes a server compute its ledger so often that the power goes meanwhile, too."""


def waited_s(process: int) -> float:
    """How long a process that could go on has waited for a processor."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[1]) / 1e9


class Wrong(AssertionError):
    """Something that was acknowledged is not as it must be."""


@define(eq=False)
class Life:
    """A disk, a server, and those that post to it."""

    folder: Path
    seed: int
    first: str = ""
    """What makes the server careless."""

    disk: Powered = field(init=False)
    server: RunningServer = field(init=False)
    posting: Posting = field(factory=Posting, init=False)
    chance: Random = field(init=False)
    key: str | None = field(default=None, init=False)
    cuts: int = field(default=0, init=False)
    unsafe: int = field(default=0, init=False)
    """How many changes the cuts could lose."""
    starts_s: list[float] = field(factory=list, init=False)
    """How long the starts took, without waiting for a processor while other programs have it."""

    arguments: ClassVar[tuple[str, ...]] = ()
    is_up: Pattern[bytes] = READY
    posting_changes: ClassVar[int] = 5_000

    def live(self, cuts: int) -> Iterator[None]:
        """Cut the power so often, wherever chance has it, and finish; a step after each cut."""
        self.begin()
        while self.cuts < cuts:
            if self.chance.random() < IN_START:
                self.cut_in_start()
            else:
                self.cut_in_posting()
            yield
        self.finish()

    def begin(self) -> None:
        """Begin with an empty disk."""
        self.chance = Random(self.seed)
        self.disk = Powered(self.folder).start()
        self.server = RunningServer(self.folder / "lib" / "dsmr", self.arguments, first=EAGER + self.first)

    def end(self) -> None:
        """End what is left of it."""
        if not hasattr(self, "server"):
            return
        begun = hasattr(self.server, "process") and self.server.process.poll() is None
        if begun:
            self.server.process.kill()
        # Who waits for a disk that is dark ends only with the disk.
        self.disk.end()
        if begun:
            self.server.finish()
        self.posting.join()
        self.folder.rmdir()

    def cut_in_start(self) -> None:
        """Cut the power while the server starts, or a moment later."""
        self.disk.cut_after(self.chance.randint(1, STARTING))
        self.server.spawn()
        if self._is_up_before_it_is_dark():
            if self.key is None:
                self.disk.cut_after(0)
            else:
                self.posting.start(self.server.port, self.key)
            self.disk.wait_for("dark")
        self._cut()

    def cut_in_posting(self) -> None:
        """Start, look whether all is there, and cut the power while readings are stored."""
        self.start()
        self.look()
        # Mostly after a few changes; now and then after so many that SQLite has folded its log into the file.
        few = int(self.posting_changes ** self.chance.random())
        self.disk.cut_after(self.chance.choice((few, few, self.chance.randint(1, self.posting_changes))))
        assert self.key is not None
        self.posting.start(self.server.port, self.key)
        self.disk.wait_for("dark")
        self._cut()

    def start(self) -> None:
        """Start the server on a disk whose power stays."""
        began, waited = time.monotonic(), waited_s(self.disk.process.pid)
        try:
            self.server.start(ready=self.is_up is READY)
        except AssertionError as error:
            raise Wrong(f"the server does not start: {error}") from error
        waited = waited_s(self.server.process.pid) + waited_s(self.disk.process.pid) - waited
        self.starts_s.append(time.monotonic() - began - waited)

    def look(self) -> None:
        """Look at what was acknowledged; ``Wrong`` unless it is there."""
        raise NotImplementedError

    def finish(self) -> None:
        """Look once more, more closely, and stop in an orderly way."""
        raise NotImplementedError

    def _is_up_before_it_is_dark(self) -> bool:
        output = self.server.process.stdout
        assert output is not None
        while True:
            readable, _, _ = select.select([output.fileno(), self.disk.fileno()], [], [])
            if self.disk.fileno() in readable:
                self.disk.wait_for("dark")
                return False
            data = os.read(output.fileno(), 65536)
            self.server.log += data
            if not data:
                raise Wrong(f"the server ended:\n{self.server.log.decode(errors='replace')}")
            if self.is_up.search(self.server.log):
                self.server.port = int(self.server.wait_for(SERVING)[1])
                return True

    def _cut(self) -> None:
        self.server.process.kill()
        self.unsafe += self.disk.power_on(f"{self.seed}-{self.cuts}")
        self.cuts += 1
        self.server.finish()
        self.posting.join()


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
        self._stop()
        found = self._ledger()
        rebuild = [sys.executable, "-m", "dsmr_tw.cli", "rebuild", "--state-dir", str(self.server.state)]
        subprocess.run(rebuild, check=True, cwd=ROOT, capture_output=True)
        is_empty = not found["quarter"] and self.posting.stored > 10 * CLIENTS
        if is_empty or self._ledger() != found:
            raise Wrong("the ledger is not what a rebuild makes of the readings")

    def _stop(self) -> None:
        if not self.server.stop():
            raise Wrong(f"it did not stop in an orderly way:\n{self.server.log.decode(errors='replace')[-5000:]}")

    def _ledger(self) -> dict[str, list[Any]]:
        return {name: self._asked(f"SELECT * FROM {name} ORDER BY 1, 2, 3, 4") for name in DERIVED}

    def _asked(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.server.state}/dsmr.sqlite3?mode=ro", uri=True)) as connection:
            return connection.execute(sql).fetchall()


@define(eq=False)
class SpoolLife(SqliteLife):
    """The database is away, the telegrams go to the spool; in the end they are stored in SQLite."""

    arguments: ClassVar[tuple[str, ...]] = ("--database", AWAY)
    is_up: Pattern[bytes] = SERVING
    posting_changes: ClassVar[int] = 600

    def begin(self) -> None:
        """Begin with a disk on which a server has been before, while its database was there."""
        super(SqliteLife, self).begin()
        self.key = "the owner's key of a spool's tests".replace(" ", "-")
        self.server.state.mkdir(parents=True)
        known = Known(self.server.state / FILE)
        known.keep_keys([ApiKey(1, "owner", "admin", digest_of(self.key), None, 0, "")])
        known.keep_meters([Meter(1, "home", "Europe/Amsterdam")])
        self.disk.make_safe()

    def start(self) -> None:
        """Look into the spool before the server does."""
        self._look_into_the_spool()
        super(SqliteLife, self).start()

    def look(self) -> None:
        """The spool was looked into."""

    def finish(self) -> None:
        """What waits in the spool is stored, each telegram once."""
        self.server.arguments = ()
        self._look_into_the_spool()
        self.is_up = READY
        super(SqliteLife, self).start()
        client = self.server.client()
        wait_until(client, lambda health: not health["spool"]["records"])
        wrong = self.posting.wrong(client)
        client.connection.close()
        if wrong:
            raise Wrong(", ".join(wrong))
        self._stop()

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
