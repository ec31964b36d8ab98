"""Tests of dsmr_tw.tap and dsmr_tw.opening with a PostgreSQL server, which may be away when the service starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock, deferLater
from twisted.logger import ILogObserver, capturedLogs, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import provider

from dsmr_tw.config import Settings
from dsmr_tw.errors import SettingsError
from dsmr_tw.known import FILE, Known
from dsmr_tw.opening import RETRY_S, Opening
from dsmr_tw.source import TelegramSource
from dsmr_tw.store.connect import postgres_store, sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.systemd import Notifying
from dsmr_tw.tap import Options, Parts, build, makeService
from tests.live.test_outages import fill_up, small_disk
from tests.onpostgres import ZONE, emptied
from tests.postgres import server
from tests.test_systemd import Systemd

AWAY = "postgresql://dsmr:secret@127.0.0.1:1/dsmr"
"""Nobody listens there."""


def known_in(state_dir: Path) -> Known:
    """What a state directory tells of the database."""
    known = Known(state_dir / FILE)
    known.load()
    return known


class BuildTests(SynchronousTestCase):
    """What is composed, and what is known of the meters before the start."""

    def setUp(self) -> None:
        """A database in which somebody has added a meter and a key."""
        self.url = emptied()
        store = postgres_store(self.url, ZONE, maybeDeferred, maybeDeferred)
        result_of(store.open())
        result_of(store.meters.add("Cellar", ZONE))
        result_of(store.keys.add("dashboard", "read", b"digest", "hint", 5))
        result_of(store.close())
        self.settings = Settings(
            state_dir=Path(self.mktemp()).resolve(), database=self.url, device=("/dev/none,meter=Cellar", "/dev/no")
        )

    def built(self, **changes: Any) -> tuple[Parts, str]:
        """The service, composed and never started, and what was logged."""
        with capturedLogs() as events:
            parts = build(evolve(self.settings, **changes), reactor)
        opening = next(part for part in parts.service if isinstance(part, Opening))
        for spool in opening.kept.spools:
            spool.close()
        opening.kept.state.release()
        return parts, "\n".join(formatEvent(event) for event in events)

    def tied(self, parts: Parts) -> list[int | None]:
        """The meter that each source is tied to."""
        return [part.origin.meter_id for part in parts.service if isinstance(part, TelegramSource)]

    def test_a_database_that_is_there(self) -> None:
        """Sources are tied to its meters; these and the keys are kept for a start without it."""
        parts, logged = self.built()
        self.assertEqual((parts.store.kind, self.tied(parts)), ("postgresql", [2, None]))
        self.assertNotIn("away", logged)
        known = known_in(self.settings.state_dir)
        self.assertEqual([meter.name for meter in known.meters], ["Meter 1", "Cellar"])
        self.assertEqual([(key.name, key.digest) for key in known.keys], [("dashboard", b"digest")])

    def test_a_database_that_is_away(self) -> None:
        """Of the last time it is known whose the sources are, and which keys there are; the log says what is wrong."""
        self.built()
        before = known_in(self.settings.state_dir)
        parts, logged = self.built(database=AWAY)
        self.assertEqual(self.tied(parts), [2, None])
        self.assertIn("the database is away, telegrams are kept in the spool: PostgreSQL at 127.0.0.1, port 1", logged)
        self.assertNotIn("secret", logged)
        self.assertEqual(known_in(self.settings.state_dir), before)

    def test_nothing_is_known_of_a_database_that_is_away(self) -> None:
        """The service is composed all the same, unless a source is tied to a meter that nobody knows."""
        parts, _ = self.built(database=AWAY, device=("/dev/no",))
        self.assertEqual(self.tied(parts), [None])

    def test_a_tie_to_a_meter_that_nobody_knows(self) -> None:
        """What a cable says is read into no other account."""
        settings = evolve(self.settings, database=AWAY, state_dir=Path(self.mktemp()).resolve())
        self.assertRaisesRegex(SettingsError, 'there is no meter "Cellar"', build, settings, reactor)

    def refused(self, database: str) -> str:
        """Start with a database; the sentence that is said instead."""
        options = Options()
        options.parseOptions(["--state-dir", str(self.settings.state_dir), "--database", database])
        return str(self.assertRaises(SystemExit, makeService, options))

    def test_a_newer_schema(self) -> None:
        """The database of a newer program is left alone."""
        server().ask("INSERT INTO schema_number VALUES (999)", self.url)
        self.addCleanup(server().ask, "DELETE FROM schema_number WHERE number = 999", self.url)
        sentence = (
            r"^dsmr: The PostgreSQL database was written by a newer dsmr_tw: its schema is number 999, "
            r"this program knows \d+\. Install the newer program again, or restore a dump that was made before\.$"
        )
        self.assertRegex(self.refused(self.url), sentence)

    def test_what_is_no_url(self) -> None:
        """A typing error is a sentence, and shows no password."""
        told = self.refused("postgresql://dsmr:se@cret@host/dsmr")
        self.assertRegex(told, "^dsmr: --database is no PostgreSQL URL: ")
        self.assertNotIn("cret", told)


class StartCase(TestCase):
    """A service that is started, and hears of its store later."""

    def setUp(self) -> None:
        """A directory for its state."""
        self.state_dir = Path(self.mktemp()).resolve()
        self.systemd = Systemd(f"@dsmr-{id(self)}")
        self.addCleanup(self.systemd.wire.close)
        self.notifying = Notifying(self.systemd.address)

    def logged(self, words: str) -> Deferred[str]:
        """Fires with the next line of the log that has these words, when what is under way then is done."""
        found: Deferred[str] = Deferred()

        @provider(ILogObserver)
        def look(event: Any) -> None:
            if words in (line := formatEvent(event)) and not found.called:
                found.callback(line)

        globalLogPublisher.addObserver(look)
        self.addCleanup(globalLogPublisher.removeObserver, look)
        return found.addCallback(lambda line: deferLater(reactor, 0, lambda: line))

    def started(self, clock: Clock, database: str | None = None) -> tuple[Parts, Opening]:
        """The service, which goes on when the clock does."""
        clock.advance(1_712_052_000)
        settings = Settings(state_dir=self.state_dir, database=database, http=("tcp:0:interface=127.0.0.1",))
        parts = build(settings, reactor, clock, self.notifying)
        parts.service.privilegedStartService()
        parts.service.startService()
        self.addCleanup(parts.service.stopService)
        return parts, next(part for part in parts.service if isinstance(part, Opening))


class StartTests(StartCase):
    """The service starts before its database does."""

    def setUp(self) -> None:
        """A database that will be there later."""
        super().setUp()
        self.url = server().database()
        server().drop(self.url)
        self.addCleanup(server().drop, self.url)

    async def test_it_comes_later(self) -> None:
        """It is tried again every few seconds; then it is opened, and has the owner's key."""
        clock = Clock()
        told = self.logged("the store can't be opened, trying again")
        parts, opening = self.started(clock, self.url)
        assert opening.opened is not None
        self.assertIn("does not exist", await told)
        # Telegrams are taken meanwhile, so nobody has to wait for this service any longer.
        self.assertIn("READY=1", self.systemd.heard())
        self.assertFalse(opening.opened.called)
        self.assertFalse((self.state_dir / "api.key").exists())
        server().ask(f"CREATE DATABASE {self.url.rpartition('/')[2]} TEMPLATE template0")
        ready = self.logged("0 readings in the postgresql store of")
        clock.advance(RETRY_S)
        await ready
        await opening.opened
        self.assertEqual([key.name for key in await parts.store.keys.all()], ["owner"])
        self.assertTrue((self.state_dir / "api.key").exists())
        # They may have been read a moment before the first one was made; a moment later they are read again.
        await parts.web.keys.refresh()
        self.assertEqual([key.name for key in known_in(self.state_dir).keys], ["owner"])


class TroubleTests(StartCase):
    """What keeps the store from being opened is not the database on a server."""

    async def test_whatever_it_is_it_is_tried_again(self) -> None:
        """The owner's key can't be read: that is told in the log and in ``/health``, and all goes well when it can."""
        clock = Clock()
        in_the_way = self.state_dir / "api.key"
        in_the_way.mkdir(parents=True)
        told = self.logged("the store can't be opened")
        _, opening = self.started(clock)
        await told
        self.assertIn("READY=1", self.systemd.heard())
        self.assertEqual(opening.figures(), {"opened_at": None})
        expected = "the store can't be opened, it is tried again: IsADirectoryError, see the log"
        self.assertEqual(opening.problems(), [expected])
        in_the_way.rmdir()
        ready = self.logged("0 readings in the sqlite store of")
        clock.advance(RETRY_S)
        await ready
        assert opening.opened is not None
        await opening.opened
        self.assertEqual((opening.problems(), opening.figures()["opened_at"]), ([], "2024-04-02T10:00:05Z"))
        self.assertTrue(in_the_way.is_file())
        self.assertEqual(len(self.flushLoggedErrors(IsADirectoryError)), 1)

    async def test_a_full_disk(self) -> None:
        """A server starts all the same, says what to do, and opens its database when there is room."""
        with small_disk(self, self.state_dir, 1) as disk:
            store = sqlite_store(disk / "dsmr.sqlite3", ZONE, maybeDeferred, maybeDeferred)
            result_of(store.open())
            result_of(store.close())
            (disk / "spool").mkdir()
            (disk / "dsmr.lock").touch()
            filler, clock = fill_up(disk), Clock()
            told = self.logged("the store can't be opened, trying again")
            _, opening = self.started(clock)
            await told
            [problem] = opening.problems()
            self.assertRegex(problem, r"again: dsmr\.sqlite3: .* \(make room on that disk, and it goes on by itself\)$")
            filler.unlink()
            ready = self.logged("0 readings in the sqlite store of")
            clock.advance(RETRY_S)
            await ready
            self.assertTrue((disk / "api.key").exists())
