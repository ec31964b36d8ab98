"""Tests of dsmr_tw.cli.beside on a PostgreSQL server: commands do there what they do on a file."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import maybeDeferred

from dsmr_tw.domain.reading import DAY, HOUR
from dsmr_tw.keys import digest_of
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import postgres_store
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, heard
from tests.cli.besidecase import BesideCase
from tests.onpostgres import ZONE, emptied
from tests.postgres import server


class BesideOnPostgresTests(BesideCase):
    """Commands with ``--database postgresql://…``, beside a server that has the same database open."""

    verb = "meters"

    def setUp(self) -> None:
        """Open the store; another directory than the server's is as good."""
        self.path = Path(self.mktemp()).resolve()
        self.url = emptied()
        self.server_store = postgres_store(self.url, ZONE, maybeDeferred, maybeDeferred)
        result_of(self.server_store.open())
        self.addCleanup(lambda: result_of(self.server_store.close()))

    def where(self) -> list[str]:
        """See ``BesideCase``."""
        return ["--state-dir", str(self.path), "--database", self.url]

    def run_verb(self, *arguments: str) -> str:
        """Run another command so that it succeeds; what it says."""
        self.verb = arguments[0]
        return self.done(*arguments[1:])

    def store_hours(self) -> None:
        """Two meters with a reading in each hour of a day."""
        arrivals = [heard(NOON + n * HOUR) for n in range(25)]
        arrivals += [heard(NOON + n * HOUR, origin=SECOND_CABLE, equipment_id=OTHER_METER) for n in range(3)]
        result_of(self.server_store.readings.add([arrivals], NOON + DAY))

    def test_keys(self) -> None:
        """They are made, listed and revoked, and the server sees it."""
        key = self.run_verb("apikey", "create", "--scope", "read", "dashboard").strip()
        [stored] = result_of(self.server_store.keys.all())
        self.assertEqual((stored.name, stored.digest), ("dashboard", digest_of(key)))
        self.assertIn("dashboard", self.run_verb("apikey", "list"))
        self.assertIn("valid no more", self.run_verb("apikey", "revoke", "dashboard"))
        self.assertEqual(result_of(self.server_store.keys.all()), [])

    def test_meters(self) -> None:
        """They are listed, added, renamed and joined."""
        self.store_hours()
        self.assertIn("(id 2, Europe/Amsterdam): 3 readings", self.done())
        self.assertIn("Cellar (id 3, ", self.done("add", "Cellar"))
        self.done("rename", "Cellar", "Attic")
        self.assertEqual(result_of(self.server_store.meters.directory())[2].name, "Attic")
        self.done("join", "1", "2", "--yes")
        self.assertEqual([meter.id for meter in result_of(self.server_store.meters.directory())], [1, 3])
        self.assertEqual(self.marked(), 0)

    def test_accounts_that_the_server_remembers(self) -> None:
        """It goes on with those that there are."""
        self.store_hours()
        self.done("join", "1", "2", "--yes")
        late = heard(NOON + 2 * DAY, origin=SECOND_CABLE, equipment_id=OTHER_METER)
        [[receipt]] = result_of(self.server_store.readings.add([[late]], NOON + 2 * DAY))
        self.assertEqual(receipt.meter_id, 1)

    def test_a_rebuild_and_an_export(self) -> None:
        """The ledger is computed anew, and what is stored is written as CSV."""
        self.store_hours()
        ledger = self.server_store.ledger
        while result_of(ledger.recompute(1, NOON + 2 * DAY)) or result_of(ledger.close(1, NOON + 2 * DAY)):
            pass
        right = self.exported("hours")
        self.assertEqual((len(right), len(self.exported("readings"))), (1 + 24, 1 + 25))
        server().ask("UPDATE quarter SET delivered_2 = 99", self.url)
        server().ask("DELETE FROM hour_statistics", self.url)
        self.run_verb("rebuild")
        self.assertEqual(self.exported("hours"), right)

    def exported(self, kind: str) -> list[str]:
        """The lines of a CSV file."""
        file = self.path.with_suffix(f".{kind}")
        file.unlink(missing_ok=True)
        self.run_verb("export", kind, "-o", str(file))
        return file.read_text("utf-8").splitlines()

    def test_a_database_that_is_away(self) -> None:
        """A sentence says which, without the password."""
        self.url = "postgresql://dsmr:secret@127.0.0.1:1/dsmr"
        told = self.refused()
        self.assertEqual(told.count("\n"), 1, told)
        self.assertIn("PostgreSQL at 127.0.0.1, port 1", told)
        self.assertNotIn("secret", told)

    def test_a_newer_schema(self) -> None:
        """The database of a newer program is left alone."""
        self.url = server().database()
        self.addCleanup(server().drop, self.url)
        self.done()
        server().ask("INSERT INTO schema_number VALUES (999)", self.url)
        self.assertIn("was written by a newer dsmr_tw: its schema is number 999", self.refused())

    def test_whether_the_server_runs(self) -> None:
        """That is told by the lock in its state directory, wherever the database is: what it computes is left to it."""
        self.store_hours()
        state = StateDir(self.path)
        state.prepare()
        state.lock()
        self.addCleanup(state.release)
        told = self.done("join", "1", "2", "--yes")
        self.assertIn("The running server computes hours and days anew in a moment.", told)
        self.assertGreater(self.marked(), 0)

    def marked(self) -> int:
        """How many quarters wait to be computed."""
        return result_of(self.server_store.ledger.summary()).dirty_quarters
