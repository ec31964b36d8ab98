"""Tests of dsmr_tw.cli.migrate_store."""

from __future__ import annotations

from click.testing import CliRunner, Result

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import result_of
from tests.arrivals import NOON, heard
from tests.cli.besidecase import BesideCase
from tests.postgres import server


class MigrateStoreTests(BesideCase):
    """All of a store goes into another one."""

    verb = "migrate-store"

    def setUp(self) -> None:
        """A store that no server uses, and an empty database."""
        super().setUp()
        self.add(*(heard(NOON + n * HOUR) for n in range(9)))
        result_of(self.store.close())
        self.url = server().database()
        self.addCleanup(lambda: server().drop(self.url))
        self.file = f"sqlite:{self.path / 'dsmr.sqlite3'}"

    def dsmr(self, *arguments: str, answer: str = "") -> Result:
        """Run the command; it names its stores itself."""
        return CliRunner().invoke(main, [self.verb, *arguments], input=answer)

    def test_there_and_back(self) -> None:
        """A sentence says that both are the same."""
        self.assertRegex(self.done(self.file, self.url), "^Copied and compared: [0-9]+ rows are the same in both")
        self.until_alone()
        again = f"sqlite:{self.path / 'again.sqlite3'}"
        self.assertIn("Copied and compared", self.done(self.url, again))
        self.until_alone()
        self.assertIn("is not empty: it has rows of", self.refused(self.url, again))

    def until_alone(self) -> None:
        """The server takes a moment to notice who has left."""
        sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dsmr_tw' AND datname = '{}'"
        while server().ask(sql.format(self.url.rpartition("/")[2])) != [(0,)]:
            pass

    def test_names(self) -> None:
        """What can't be is refused in a sentence, before anything is opened."""
        self.assertIn("takes sqlite:PATH or postgresql://", self.refused("dsmr.sqlite3", self.url))
        self.assertIn("FROM and TO are both SQLite", self.refused(self.file, "sqlite:other"))
        self.assertIn("There is no database", self.refused("sqlite:nothing-here", self.url))

    def test_the_same(self) -> None:
        """A store is not copied into itself."""
        self.assertIn("Error: ", self.refused(self.url, self.url))

    def test_a_server_that_runs(self) -> None:
        """Its lock is seen, whether the file lies in its state directory or elsewhere."""
        for name in ("dsmr.lock", "dsmr.sqlite3.lock"):
            state = StateDir(self.path)
            state.lock(self.path / name)
            self.assertIn("A server runs on", self.refused(self.file, self.url))
            state.release()

    def test_an_unfinished_copy_of_another(self) -> None:
        """It is named, and not gone on with."""
        self.done(self.file, self.url)
        self.until_alone()
        server().ask(
            "CREATE TABLE copying AS SELECT CAST('from' AS text) AS name, CAST('[\"x\"]' AS text) AS told", self.url
        )
        self.assertIn("holds an unfinished copy of x", self.refused(self.file, self.url))
