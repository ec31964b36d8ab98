"""Responsible for servers and commands that are killed once, each time with the same database.

    Migrating   a start that brings an old database up to date
    Thinning    `dsmr retention`
    Beginning   a first start, which writes the key of its owner

Each method named ``kill_…`` is one kill, noted in the tally with whether it fell inside what it was meant for.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any, Final

from attrs import define, field

from dsmr_tw.store.migrate import migrations
from tests.ledgercase import DERIVED
from tests.live.filled import DATABASE, OLD, asked, command, done, fill, fill_old, rows, settle, started
from tests.live.killing import Moment, Tally, has_open, kill_when
from tests.live.running import RunningServer

STAYING: Final = (*DERIVED, "reading", "reading_count")
"""What thinning out leaves the same, however often it was broken off."""


@define
class Migrating:
    """Starts that bring an old database up to date; each time the same one."""

    folder: Path
    tally: Tally
    chance: Random
    _copying: Moment = field(init=False)
    _stepping: Moment = field(init=False)
    _expected: list[Any] = field(init=False)
    """What a migration makes that nobody broke off."""
    _kills: int = 0

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._copying, self._stepping = Moment(self.chance, 0.05), Moment(self.chance, 0.1)
        fill_old(self.folder / "old.sqlite3")
        whole = self.folder / "whole.sqlite3"
        shutil.copy(self.folder / "old.sqlite3", whole)
        settle(whole, is_computed=False)
        self._expected = self._migrated(whole)

    def kill_migrating(self) -> None:
        """While a step is applied and, every other time, while the backup is made before."""
        is_step = self._kills % 2 == 0
        self._kills += 1
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        path = state / DATABASE
        shutil.copy(self.folder / "old.sqlite3", path)
        backup = path.with_name(f"{DATABASE}.schema-1.backup")
        unfinished = backup.with_name(f"{backup.name}.unfinished")
        server = RunningServer(state, is_measured=False)
        server.spawn()
        moment, mark = (self._stepping, backup) if is_step else (self._copying, unfinished)
        kill_when(server.process, lambda: mark.exists() or backup.exists(), moment)
        newest = migrations("sqlite")[-1].number
        is_inside = mark.exists() and (not is_step or asked(path, "PRAGMA user_version") != [(newest,)])
        moment.learn(is_inside)
        self.tally.killed("migration" if is_step else "backup before a migration", is_inside)
        if backup.exists():
            self._check(backup, 1)
        started(server, self.tally)
        server.kill()
        self._check(path, newest)
        self.tally.expect(self._migrated(path) == self._expected, "a broken migration differs from a whole one")
        # That of an upgrade which was broken off between two steps is of the schema between them.
        for each in state.glob(f"{DATABASE}.schema-*.backup"):
            self._check(each, int(each.name.split("-")[1].split(".")[0]))
        left = [each.name for each in state.iterdir() if "unfinished" in each.name]
        self.tally.expect(backup.exists() and not left, f"beside a database that was migrated lie {left}")

    def _migrated(self, path: Path) -> list[Any]:
        """The schema, and what is counted and marked by migrations."""
        return [
            sorted(asked(path, sql), key=repr)
            for sql in (
                "SELECT sql FROM sqlite_master",
                "SELECT * FROM reading_count",
                "SELECT count(*) FROM dirty_quarter",
            )
        ]

    def _check(self, path: Path, schema: int) -> None:
        self.tally.expect(asked(path, "PRAGMA integrity_check") == [("ok",)], f"{path.name} is damaged")
        [found] = asked(path, "SELECT count(*), sum(delivered_1), max(id) FROM reading")
        expected = (OLD, 10 * OLD * (OLD - 1) // 2, OLD)
        self.tally.expect(found == expected, f"{path.name} holds {found} instead of {expected}")
        self.tally.expect(asked(path, "PRAGMA user_version") == [(schema,)], f"{path.name} is not of schema {schema}")
        self.tally.looked_for += OLD


@define
class Thinning:
    """`dsmr retention` on a database that has not been thinned out yet; each time the same one."""

    folder: Path
    tally: Tally
    chance: Random
    _moment: Moment = field(init=False)
    _expected: dict[str, list[Any]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._moment = Moment(self.chance, 0.3)
        fill(self.folder / "whole.sqlite3")
        self._thin(self._fresh())
        self._expected = rows(lambda sql: asked(self.folder / "state" / DATABASE, sql), STAYING)

    def _fresh(self) -> Path:
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        shutil.copy(self.folder / "whole.sqlite3", state / DATABASE)
        return state

    def _words(self, state: Path) -> list[str]:
        return ["retention", "--keep", "31d", "--state-dir", str(state)]

    def _thin(self, state: Path) -> None:
        done(*self._words(state))

    def kill_thinning(self) -> None:
        """While readings go; what a whole run leaves is left then, too."""
        state = self._fresh()
        victim = command(*self._words(state))
        is_inside = kill_when(victim, lambda: has_open(victim.pid, DATABASE), self._moment)
        self._moment.learn(is_inside)
        self.tally.killed("retention", is_inside)
        server = RunningServer(state, is_measured=False)
        started(server, self.tally)
        server.kill()
        self._thin(state)
        found = rows(lambda sql: asked(state / DATABASE, sql), STAYING)
        wrong = [name for name in STAYING if found[name] != self._expected[name]]
        self.tally.expect(not wrong, f"after retention was broken off, {wrong} are not as after a whole one")
        self.tally.looked_for += len(self._expected["reading"])


@define
class Beginning:
    """First starts, in a directory that is not there yet."""

    folder: Path
    tally: Tally
    chance: Random
    _kills: int = 0
    _moment: Moment = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        self._moment = Moment(self.chance, 0.001)

    def kill_writing(self) -> None:
        """While the key, or what is known of keys and meters, is written, or before the database knows the key."""
        state = self.folder / "first"
        shutil.rmtree(state, ignore_errors=True)
        server = RunningServer(state, is_measured=False)
        server.spawn()
        key_file = state / "api.key"
        mark = (state / "api.unfinished", state / "known.unfinished", key_file)[self._kills % 3]
        self._kills += 1
        # Whoever looks may miss it: it is there for the time of one write.
        kill_when(server.process, lambda: mark.exists() or key_file.exists(), self._moment)
        is_inside = any(state.glob("*.unfinished")) or not asked(state / DATABASE, "SELECT 1 FROM api_key")
        self._moment.learn(is_inside)
        self.tally.killed("first start", is_inside)
        key = key_file.read_text() if key_file.exists() else None
        started(server, self.tally)
        client = server.client()
        self.tally.expect(client.status("/api/v2/meters") == 200, "the key in api.key is not valid")
        self.tally.expect(key in (None, key_file.read_text()), "another key than before the kill")
        client.connection.close()
        server.kill()
        names = [of["name"] for of in json.loads((state / "known.json").read_text())["keys"]]
        self.tally.expect(names in ([], ["owner"]), f"known.json names {names}")
