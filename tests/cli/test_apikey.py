"""Tests of dsmr_tw.cli.apikey."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.keys import digest_of, owner_key
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.connect import sqlite_store
from dsmr_tw.store.threads import result_of
from dsmr_tw.stored import ApiKey


class ApiKeyTests(SynchronousTestCase):
    """Keys are made, chosen, listed and revoked beside a running server."""

    def setUp(self) -> None:
        """The store of a server that has started once, and is still open."""
        self.state = StateDir(Path(self.mktemp()).resolve())
        self.state.prepare()
        self.store = sqlite_store(self.state.path / "dsmr.sqlite3", "Europe/Amsterdam", maybeDeferred, maybeDeferred)
        result_of(self.store.open())
        self.addCleanup(lambda: result_of(self.store.close()))
        result_of(Deferred.fromCoroutine(owner_key(self.store.keys, self.state, 0)))

    def dsmr(self, *arguments: str, asked: str = "") -> Result:
        """Run a command on that store."""
        return CliRunner().invoke(main, [*arguments, "--state-dir", str(self.state.path)], input=asked)

    def keys(self) -> dict[str, ApiKey]:
        """The keys that the running server sees."""
        return {key.name: key for key in result_of(self.store.keys.all())}

    def test_a_key_is_made_and_shown_once(self) -> None:
        """What is printed is the key, and the server knows it at once."""
        result = self.dsmr("apikey", "create", "--scope", "read", "dashboard")
        self.assertEqual(result.exit_code, 0, result.output)
        key = self.keys()["dashboard"]
        self.assertEqual((key.scope, key.digest), ("read", digest_of(result.output.strip())))

    def test_a_key_for_one_meter(self) -> None:
        """It is named by name or id, and the key keeps it whatever else about the key is changed."""
        result_of(self.store.meters.add("Cellar", "Europe/Amsterdam"))
        for name, meter in (("one", "Cellar"), ("two", "2")):
            self.assertEqual(self.dsmr("apikey", "create", "--meter", meter, name).exit_code, 0)
        self.dsmr("apikey", "set", "one", asked="another-key-for-it\n")
        self.dsmr("apikey", "set", "one", "--scope", "read", asked="another-key-for-it\n")
        keys = self.keys()
        self.assertEqual([keys[name].meter_id for name in ("owner", "one", "two")], [None, 2, 2])

    def test_a_meter_that_is_not_there(self) -> None:
        """No key is made for it."""
        result = self.dsmr("apikey", "create", "--meter", "Cellar", "one")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("There is no meter 'Cellar'", result.output)
        self.assertNotIn("one", self.keys())

    def test_two_keys_of_one_name_are_refused(self) -> None:
        """A name stands for one key, or nobody knew which to revoke."""
        self.dsmr("apikey", "create", "dashboard")
        result = self.dsmr("apikey", "create", "dashboard")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("There is a key 'dashboard' already", result.output)

    def test_the_owner_chooses_a_key(self) -> None:
        """The key of an old installation is valid, the generated one no more, and the file has the new one."""
        old = self.state.read_key()
        result = self.dsmr("apikey", "set", asked="KEY-OF-MY-OLD-INSTALLATION\n")
        self.assertEqual(result.exit_code, 0, result.output)
        key = self.keys()["owner"]
        self.assertEqual((key.scope, key.digest), ("admin", digest_of("KEY-OF-MY-OLD-INSTALLATION")))
        self.assertEqual(self.state.read_key(), "KEY-OF-MY-OLD-INSTALLATION")
        self.assertNotEqual(old, "KEY-OF-MY-OLD-INSTALLATION")
        self.assertNotIn("KEY-OF-MY-OLD-INSTALLATION", result.output)

    def test_a_key_keeps_its_scope_when_it_is_chosen_anew(self) -> None:
        """Changing a key does not change what it may do."""
        self.dsmr("apikey", "create", "--scope", "read", "dashboard")
        self.dsmr("apikey", "set", "dashboard", asked="another-key-for-it\n")
        self.assertEqual(self.keys()["dashboard"].scope, "read")

    def test_a_key_gets_another_scope(self) -> None:
        """The same key, chosen again with another scope, is one key with that scope."""
        self.dsmr("apikey", "set", "dashboard", "--scope", "read", asked="the-same-key-twice\n")
        self.dsmr("apikey", "set", "dashboard", "--scope", "write", asked="the-same-key-twice\n")
        self.assertEqual([key.scope for key in result_of(self.store.keys.all()) if key.name == "dashboard"], ["write"])

    def test_a_key_that_is_taken_can_not_be_chosen(self) -> None:
        """Two names never share a key."""
        self.dsmr("apikey", "set", "one", asked="the-same-key-twice\n")
        result = self.dsmr("apikey", "set", "two", asked="the-same-key-twice\n")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("'one'", result.output)

    def test_a_revoked_key_stays_revoked(self) -> None:
        """The file of the owner's key goes with it, so that no start brings it back."""
        result = self.dsmr("apikey", "revoke", "owner")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(self.keys(), {})
        self.assertIsNone(self.state.read_key())

    def test_an_unknown_key_is_named(self) -> None:
        """A typing error is not silent."""
        result = self.dsmr("apikey", "revoke", "nobody")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("There is no key 'nobody'", result.output)

    def test_the_list_shows_no_key(self) -> None:
        """Names, scopes, and the last characters, to tell keys apart."""
        made = self.dsmr("apikey", "create", "--scope", "write", "logger").output.strip()
        listed = self.dsmr("apikey", "list").output
        self.assertRegex(listed, r"(?m)^2 +logger +write +…" + made[-4:])
        self.assertNotIn(made, listed)

    def test_the_list_says_which_meter(self) -> None:
        """As soon as a key is for one meter; who has no such key never reads of meters."""
        self.dsmr("apikey", "create", "plain")
        self.assertNotIn("METER", self.dsmr("apikey", "list").output)
        self.dsmr("apikey", "create", "--meter", "1", "tied")
        listed = self.dsmr("apikey", "list").output
        self.assertRegex(listed, r"(?m)^ID +NAME +SCOPE +METER +ENDS IN +MADE$")
        self.assertRegex(listed, r"(?m)^2 +plain +write +any +…")
        self.assertRegex(listed, r"(?m)^3 +tied +write +Meter 1 \(id 1\) +…")

    def test_a_wrong_directory_is_said(self) -> None:
        """No database is made by mistake."""
        elsewhere = Path(self.mktemp()).resolve()
        result = CliRunner().invoke(main, ["apikey", "list", "--state-dir", str(elsewhere)])
        self.assertEqual(result.exit_code, 1)
        self.assertIn("There is no database", result.output)
        self.assertFalse(elsewhere.exists())
