"""Tests of dsmr_tw.cli.retention."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from tests.arrivals import MINUTE, NOON, heard


class RetentionCommandTests(SynchronousTestCase):
    """Old readings are thinned out by hand, beside a running server."""

    def setUp(self) -> None:
        """The store of a server with an hour of old readings, and their ledger."""
        self.state = Path(self.mktemp()).resolve()
        self.store = sqlite_store(self.state / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        result_of(self.store.readings.add([[heard(at) for at in range(NOON, NOON + HOUR, MINUTE)]], NOON + HOUR))
        while result_of(self.store.ledger.recompute(1, NOON + HOUR)):
            pass

    def dsmr(self, *arguments: str, **environment: str) -> Result:
        """Run the command on that store."""
        return CliRunner().invoke(
            main, ["retention", *arguments, "--state-dir", str(self.state)], env=environment, catch_exceptions=False
        )

    def count(self) -> int:
        """How many readings the server sees."""
        return result_of(self.store.readings.total())

    def test_what_would_go(self) -> None:
        """A dry run says how much would go, and drops nothing."""
        result = self.dsmr("--keep", "31d", "--dry-run")
        self.assertEqual(result.exit_code, 0)
        self.assertIn("Meter 1: 52 of 60 old readings, of 1 days, would go.\n", result.output)
        self.assertEqual(self.count(), 60)

    def test_they_go(self) -> None:
        """Without a dry run they are gone, and the size of the database is told."""
        result = self.dsmr("--keep", "31d")
        self.assertIn("Meter 1: 52 of 60 old readings, of 1 days, are gone.\n", result.output)
        self.assertIn(" wait to be used again.\n", result.output)
        self.assertEqual(self.count(), 8)

    def test_the_servers_own_limit_holds(self) -> None:
        """Who does not say how long asks for what the server was told."""
        self.assertIn("52 of 60", self.dsmr("--dry-run", DSMR_KEEP_READINGS="99d").output)

    def test_for_ever(self) -> None:
        """Without any limit nothing goes; the answer says how to give one."""
        result = self.dsmr()
        self.assertEqual(result.exit_code, 1)
        self.assertIn(
            "All readings are kept for ever; say how long with --keep, for example --keep 31d.", result.output
        )
        self.assertEqual(self.count(), 60)

    def test_what_is_no_length(self) -> None:
        """A slip is told in words, before anything is dropped."""
        for text in ("31", "1d", "x", "99999d", "٣١d"):
            result = self.dsmr("--keep", text)
            self.assertEqual(result.exit_code, 1)
            self.assertIn(f"--keep takes a number of days from 2d, like 31d, or forever, not {text}.", result.output)
