"""Tests of dsmr_tw.cli.migrate_store."""

from __future__ import annotations

import io
import time
from contextlib import redirect_stderr, redirect_stdout

from click.testing import CliRunner, Result

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import result_of
from dsmr_tw.tap import Options, makeService
from tests.arrivals import NOON, heard
from tests.cli.besidecase import BesideCase, Impatient
from tests.postgres import PATIENCE_S, server


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
        end = time.monotonic() + PATIENCE_S
        while server().ask(sql.format(self.url.rpartition("/")[2])) != [(0,)]:
            self.assertLess(time.monotonic(), end, "somebody stays connected")

    def pressed(self, percent: int) -> tuple[str, str]:
        """Run it on a terminal and press Ctrl-C; what it says, and what its bar showed."""
        said, terminal = io.StringIO(), Impatient(percent)
        with redirect_stdout(said), redirect_stderr(terminal), self.assertRaises(SystemExit) as caught:
            main([self.verb, self.file, self.url])
        self.assertEqual(caught.exception.code, 130)
        self.until_alone()
        return said.getvalue(), terminal.getvalue()

    def copied_tables(self) -> list[str]:
        """The tables that were copied as far as is noted, the first one first."""
        return [name for (name,) in server().ask("SELECT name FROM copying WHERE name <> 'from'", self.url)]

    def test_it_is_stopped_and_goes_on(self) -> None:
        """Ctrl-C tells that nothing is lost; while copying and while comparing; run again it goes on, to the end."""
        numbers = []
        for percent in (20, 80):
            said, bar = self.pressed(percent)
            numbers.append(len(self.copied_tables()))
            self.assertEqual(said.splitlines()[-1], "Stopped. Run it again, and it goes on.")
            self.assertRegex(bar, r"Copying .*%")
            self.assertIn("meter", self.copied_tables())
        self.assertLess(numbers[0], numbers[1])
        told = self.done(self.file, self.url)
        self.assertRegex(
            told, r"^Going on where it was stopped\.\nCopied and compared: [0-9]+ rows are the same in both"
        )
        self.assertEqual(server().ask("SELECT count(*) FROM reading", self.url), [(9,)])
        self.assertEqual(server().ask("SELECT to_regclass('copying') IS NULL", self.url), [(True,)])

    def test_a_server_on_half_a_copy(self) -> None:
        """Neither a server nor another command begins on a copy that was stopped: a sentence says what to do."""
        self.pressed(20)
        options = Options()
        options.parseOptions(["--state-dir", str(self.path / "state"), "--database", self.url])
        error = str(self.assertRaises(SystemExit, makeService, options))
        sentence = "The PostgreSQL database is a copy that is not finished: run dsmr migrate-store again, or remove it."
        self.assertEqual(error, f"dsmr: {sentence}")
        listed = CliRunner().invoke(main, ["apikey", "list", "--database", self.url])
        self.assertEqual((listed.exit_code, listed.output), (1, f"Error: {sentence}\n"))

    def test_a_difference(self) -> None:
        """What is not the same is named, with its table and meter, and the copy is not called good."""
        self.pressed(80)
        server().ask("UPDATE reading SET delivered_1 = delivered_1 + 1 WHERE id = 4", self.url)
        self.until_alone()
        result = self.dsmr(self.file, self.url)
        self.assertEqual(result.exit_code, 1)
        first, second = result.stderr.splitlines()
        at = NOON + 3 * HOUR
        self.assertRegex(
            first, f"^postgresql://.* differs from sqlite:/.*sqlite3 in reading of meter 1, at 1, {at}, 4\\.$"
        )
        self.assertEqual(second, "Do not use the copy: remove it, and run this again.")
        self.assertNotIn("Copied and compared", result.output)
        self.until_alone()
        self.assertIn("reading", self.copied_tables())

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
