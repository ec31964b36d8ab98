"""Tests of dsmr_tw.store.connect: which store a database's name asks for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import SettingsError
from dsmr_tw.store.connect import store_at

ZONE = "Europe/Amsterdam"

ROOT = Path(__file__).resolve().parents[2]

WITHOUT = """
import sys
from twisted.internet.defer import maybeDeferred
from dsmr_tw.store.connect import store_at
store_at(None, None, "UTC", maybeDeferred, maybeDeferred)
print(sorted(name for name in sys.modules if name.startswith(("psycopg2", "txpostgres"))))
"""


class StoreAtTests(SynchronousTestCase):
    """Where the readings are."""

    def test_a_url_leads_to_a_server(self) -> None:
        """Nothing is asked of it before the store is opened."""
        store = store_at("postgresql://nobody@192.0.2.1/dsmr", Path("unused"), ZONE, maybeDeferred, maybeDeferred)
        self.assertEqual(store.kind, "postgresql")

    def test_a_path_is_a_file(self) -> None:
        """It is made when the store is opened."""
        path = Path(self.mktemp())
        store = store_at(None, path, ZONE, maybeDeferred, maybeDeferred)
        self.assertEqual((store.kind, path.exists()), ("sqlite", False))

    def test_an_impossible_url(self) -> None:
        """Is said in a sentence that does not show the password."""
        error = self.assertRaises(
            SettingsError,
            store_at,
            "postgresql://me:secret@host:port/dsmr",
            Path("unused"),
            ZONE,
            maybeDeferred,
            maybeDeferred,
        )
        self.assertIn("--database", str(error))
        self.assertNotIn("secret", str(error))

    def test_what_a_house_does_not_need_is_not_loaded(self) -> None:
        """With SQLite no library of PostgreSQL is, which some machines do not even have."""
        done = subprocess.run([sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "[]\n")
