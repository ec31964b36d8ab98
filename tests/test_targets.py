"""Tests of dsmr_tw.targets: which servers settings name, and where their telegrams wait."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.errors import SettingsError, StoreRefused
from dsmr_tw.limits import Limits
from dsmr_tw.targets import DIRECTORY, PATH, Targeting, TargetSetting, target_settings, targeting

KEY = "a-key-of-the-other-server"


class SettingCase(SynchronousTestCase):
    """A test with a key in a file."""

    def setUp(self) -> None:
        """The file is closed to others."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.file = self.key_file("key", f"{KEY}\n".encode())

    def key_file(self, name: str, content: bytes, mode: int = 0o600) -> str:
        """A file."""
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(mode)
        return str(path)

    def settings(self, *urls: str, files: tuple[str, ...] | None = None) -> list[TargetSetting]:
        """What these make."""
        return target_settings("--to", urls, "--key-file", [self.file] * len(urls) if files is None else files)

    def refusal(self, *urls: str, files: tuple[str, ...] | None = None) -> str:
        """What is said of these."""
        return str(self.assertRaises(SettingsError, self.settings, *urls, files=files))


class SettingTests(SettingCase):
    """Addresses and keys."""

    def test_in_pairs(self) -> None:
        """The first key is the first server's, and so on."""
        other = self.key_file("other", b"another-key")
        pair = self.settings("http://one.example", "https://two.example:8443/x", files=(self.file, other))
        self.assertEqual(
            [(setting.url, setting.key) for setting in pair],
            [(f"http://one.example{PATH}", KEY), ("https://two.example:8443/x", "another-key")],
        )

    def test_an_address_without_a_path(self) -> None:
        """It means the route of version 1 there."""
        for url in ("http://192.0.2.7:8080", "http://192.0.2.7:8080/", f"http://192.0.2.7:8080{PATH}"):
            [setting] = self.settings(url)
            self.assertEqual(setting.url, f"http://192.0.2.7:8080{PATH}")
            self.assertEqual(setting.name, "http://192.0.2.7:8080")

    def test_names(self) -> None:
        """Neither key nor path stands in what is shown, and each address has a directory of its own."""
        settings = self.settings(
            "http://[2001:db8::1]:8080/secret-path", "http://[2001:db8::1]:8080", "http://a.example"
        )
        names = {setting.directory for setting in settings}
        self.assertEqual(len(names), 3)
        for name in names:
            self.assertRegex(name, r"^[A-Za-z0-9][A-Za-z0-9.-]*-[0-9a-f]{8}$")
        self.assertNotIn("secret", f"{names} {settings[0].name}")
        self.assertNotIn(KEY, repr(settings))

    def test_not_in_pairs(self) -> None:
        """A key that is missing, or one too many, is said in numbers."""
        self.assertIn("--to is given once, and --key-file 0 times", self.refusal("http://a.example", files=()))
        self.assertIn("--to is given 0 times, and --key-file once", self.refusal(files=(self.file,)))

    def test_no_addresses(self) -> None:
        """What can't be is not tried, and what may be secret in it is not shown."""
        for url in (
            "192.0.2.7",
            "ftp://a.example",
            "http://a.example/a b",
            "http://",
            "http:///x",
            "http://a.example:/",
        ):
            self.assertIn("is no address like", self.refusal(url), url)
        for url in ("http://user:secret@a.example/", "http://a.example/?token=secret", "http://a.example/#secret"):
            self.assertNotIn("secret", self.refusal(url))
        self.assertIn("ports are 1 to 65535", self.refusal("http://a.example:70000"))
        self.assertIn("brackets", self.refusal("http://[nonsense]/"))

    def test_twice(self) -> None:
        """A server gets each telegram once."""
        self.assertIn("names http://a.example twice", self.refusal("http://a.example", "http://a.example/"))

    def test_no_keys(self) -> None:
        """A file that is not there, open to all, or holds no key, is said in a sentence that does not show it."""
        for file, words in (
            (str(self.folder / "none"), "can't be read: No such file"),
            (self.key_file("open", KEY.encode(), 0o644), "close it with: chmod o="),
            (self.key_file("empty", b" \n"), "must hold the API key"),
            (self.key_file("two", b"two keys\nsecret"), "must hold the API key"),
            (self.key_file("long", b"x" * 2000), "must hold the API key"),
            (self.key_file("binary", b"secret\x00\xff"), "must hold the API key"),
        ):
            refusal = self.refusal("http://a.example", files=(file,))
            self.assertIn(words, refusal)
            self.assertNotIn("secret", refusal)


class TargetingTests(SettingCase):
    """What is made of them."""

    def targeting(self, *urls: str, ca_file: Path | None = None) -> Targeting:
        """What forwards to these."""
        made = targeting(
            self.settings(*urls), ca_file, self.folder, "Europe/Amsterdam", reactor, Clock(), Limits(), lambda: 0.0
        )
        self.addCleanup(self.close, made)
        return made

    def close(self, made: Targeting) -> None:
        """Let go of the spools."""
        for server in made.forwards.servers:
            server.unsent.spool.close()  # type: ignore[attr-defined]  # the real one

    def test_a_spool_each(self) -> None:
        """In a directory of the state directory, for their owner only."""
        made = self.targeting("http://a.example", "https://b.example")
        self.assertEqual(
            [server.target.name for server in made.forwards.servers], ["http://a.example", "https://b.example"]
        )
        spools = sorted((self.folder / DIRECTORY).iterdir())
        self.assertEqual([path.name[:-9] for path in spools], ["a.example", "b.example"])
        self.assertEqual({path.stat().st_mode & 0o777 for path in spools}, {0o700})

    def test_in_use(self) -> None:
        """Two programs do not send the same telegrams."""
        self.targeting("http://a.example")
        self.assertRaises(StoreRefused, self.targeting, "http://a.example")

    def test_left_behind(self) -> None:
        """Telegrams for a server that is not in the settings any more are told of at the start."""
        left = self.folder / DIRECTORY / "old.example-12345678"
        left.mkdir(parents=True)
        (left / "0000000001.spool").touch()
        with capturedLogs() as events:
            self.targeting("http://a.example")
        told = [formatEvent(event) for event in events]
        self.assertEqual(told, [f"telegrams wait in {left} for a server that the settings do not name"])

    def test_certificates_for_nobody(self) -> None:
        """A file of them without any address of HTTPS is a mistake."""
        error = self.assertRaises(SettingsError, self.targeting, "http://a.example", ca_file=self.folder / "ca")
        self.assertIn("no address begins with https:", str(error))

    def test_without_tls(self) -> None:
        """Where the packages are missing that HTTPS needs, it is said how to get them."""
        name = "dsmr_tw.sinks.authority"
        self.addCleanup(sys.modules.__setitem__, name, importlib.import_module(name))
        sys.modules[name] = None  # type: ignore[assignment]  # Python's way to say that it can't be imported
        error = self.assertRaises(SettingsError, self.targeting, "https://a.example")
        self.assertIn("pip install '.[forward]'", str(error))
