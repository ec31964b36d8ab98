"""Responsible for the life of a server that is killed again and again, and of its database, which goes on.

It is posted to all the time, its spool fills and drains, and its ledger is rebuilt.
In the end all that was acknowledged is there once.
Each method named ``kill_…`` is one kill, noted in the tally with whether it fell inside what it was meant for.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

from attrs import define, field

from tests.arrivals import NOON
from tests.ledgercase import DERIVED
from tests.live.filled import DATABASE, HISTORY, asked, command, done, fill, rows, settle, started
from tests.live.killing import Moment, Tally, has_open, kill_when, until, waits_for_disk
from tests.live.running import ROOT, RunningServer, unmeasured
from tests.live.traffic import Line, Poster, Traffic, wait_until

POST_EVERY_S: Final = 0.005
SOON_S: Final = 0.5
"""A commit is awaited no longer."""
LEFT_TO_CHANCE: Final = 0.2
"""Of the kills in commits; the others wait until the server waits for its disk, which takes a few milliseconds."""
SPOOLED: Final = "SPOOLED"


@define
class Life:
    """A server that is killed and started again, with posts to it all the time."""

    folder: Path
    tally: Tally
    chance: Random
    url: str | None = None
    """Of its database on PostgreSQL, else it is in a file."""
    ask: Callable[[str], list[Any]] = field()
    """What a statement finds in its database."""
    server: RunningServer = field(init=False)
    posters: list[Poster] = field(init=False)
    spooled: set[int] = field(factory=set, init=False)
    """What was acknowledged of the spool."""
    _commit: Moment = field(init=False)
    _writer: Moment = field(init=False)
    _drain: Moment = field(init=False)
    _rebuild: Moment = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self.server = RunningServer(
            self.folder, () if self.url is None else ("--database", self.url), is_measured=False
        )
        self.posters = [Poster(self.server, f"POST-{n}", POST_EVERY_S, 60, insists=True) for n in range(3)]
        self._commit, self._writer = Moment(self.chance, 0.5), Moment(self.chance, 0.5, 0.2)
        self._drain, self._rebuild = Moment(self.chance, 0.02), Moment(self.chance, 0.3)

    @ask.default
    def _ask_the_file(self) -> Callable[[str], list[Any]]:
        return lambda sql: asked(self.folder / DATABASE, sql)

    @contextmanager
    def living(self) -> Iterator[None]:
        """The server runs and is posted to."""
        fill(self.folder / DATABASE, self.url)
        started(self.server, self.tally)
        for poster in self.posters:
            poster.start()
        try:
            yield
        finally:
            for poster in self.posters:
                poster.stop()
            self.server.process.kill()
            self.server.process.communicate()

    def _called(self, what: str) -> str:
        return what if self.url is None else f"{what}, PostgreSQL"

    def kill_committing(self) -> None:
        """While readings are committed; the server is dead afterwards."""
        pid = self.server.process.pid
        self._commit.wait()
        if self.url is not None:
            # It is PostgreSQL that waits for the disk then.
            is_inside = until(lambda: any(poster.is_asking for poster in self.posters), SOON_S)
        elif self.chance.random() < LEFT_TO_CHANCE:
            is_inside = waits_for_disk(pid)
        else:
            is_inside = until(lambda: waits_for_disk(pid), SOON_S)
        self.server.kill()
        self.tally.killed(self._called("commit"), is_inside)

    def kill_spooling(self) -> None:
        """While a dead server's spool grows, file after file."""
        first = max(self.spooled, default=-1) + 1
        words = ["-m", "tests.live.spoolwriter", str(self.folder / "spool"), SPOOLED, str(first)]
        process = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, bufsize=0, env=unmeasured()
        )
        assert process.stdout is not None
        told = process.stdout.readline()
        self._writer.wait()
        self.tally.expect(process.poll() is None, "what fills the spool has ended by itself")
        process.kill()
        rest, _ = process.communicate()
        # A number that was cut off in the middle was not told.
        self.spooled.update(map(int, (told + rest).rpartition(b"\n")[0].split()))
        self.tally.killed(self._called("spool rotation"), len(self._spool_files()) > 1)

    def kill_draining(self) -> None:
        """While the server stores what was in its spool; it is dead afterwards."""
        before = len(self._spool_files())
        self.server.spawn()
        is_inside = kill_when(self.server.process, lambda: len(self._spool_files()) < before, self._drain)
        is_inside = is_inside and 0 < len(self._spool_files()) < before
        self._drain.learn(is_inside)
        self.tally.killed(self._called("spool drain"), is_inside)

    def kill_rebuilding(self) -> None:
        """While the ledger is computed anew beside the running server."""
        victim = command("rebuild", *self._where())
        name = DATABASE if self.url is None else "socket"
        is_inside = kill_when(victim, lambda: has_open(victim.pid, name), self._rebuild)
        self._rebuild.learn(is_inside)
        self.tally.killed(self._called("rebuild"), is_inside)

    def cycle(self) -> None:
        """Four kills, one after the other; the server runs afterwards."""
        self.kill_committing()
        self.kill_spooling()
        self.kill_draining()
        started(self.server, self.tally)
        self.kill_rebuilding()

    def _spool_files(self) -> list[Path]:
        return list((self.folder / "spool").glob("*.spool"))

    def _where(self) -> list[str]:
        where = ["--state-dir", str(self.folder)]
        return where if self.url is None else [*where, "--database", self.url]

    def verify(self) -> None:
        """All that was acknowledged is there once, and the ledger is that of a rebuild; the server has ended."""
        for poster in self.posters:
            poster.stop()
        client = self.server.client()
        wait_until(client, lambda of: not of["spool"]["records"])
        spooled = Poster(self.server, SPOOLED, 1, stored=self.spooled)
        everyone = [*self.posters, *([spooled] if self.spooled else [])]
        missing = Traffic(everyone, Line(-1, "", 1)).missing(client)
        self.tally.expect(not missing, f"lost or doubled: {missing}")
        self.tally.looked_for += sum(len(poster.stored) for poster in everyone) + HISTORY
        client.connection.close()
        self.tally.expect(self.server.stop(), f"the server did not stop: {self.server.log[-2000:]!r}")
        [(first,)] = self.ask(f"SELECT count(*) FROM reading WHERE meter_id = 1 AND instant >= {NOON}")
        self.tally.expect(first == HISTORY, f"{first} readings of {HISTORY} are left")
        settle(self.folder / DATABASE, self.url)
        found = rows(self.ask, DERIVED)
        done("rebuild", *self._where())
        self.tally.expect(rows(self.ask, DERIVED) == found, "the ledger is not that of a rebuild")
        if self.url is None:
            self.tally.expect(self.ask("PRAGMA integrity_check") == [("ok",)], "the database is damaged")
