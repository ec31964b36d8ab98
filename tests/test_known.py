"""Tests of dsmr_tw.known: keys and meters that a server knows while its database is away."""

from __future__ import annotations

from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.known import FILE, Known
from dsmr_tw.stored import ApiKey, Meter, key_digest

KEYS = [
    ApiKey(1, "owner", "admin", key_digest(b"secret-key"), None, 5, "-key"),
    ApiKey(4, "cellar", "write", key_digest(b"other-key"), 2, 6, ""),
]
METERS = [Meter(1, "Meter 1", "Europe/Amsterdam"), Meter(2, "Keller", "Europe/Vienna")]


class KnownTests(SynchronousTestCase):
    """What is kept between two runs."""

    def setUp(self) -> None:
        """Begin with an empty directory."""
        self.path = Path(self.mktemp()) / FILE
        self.path.parent.mkdir()

    def known(self) -> Known:
        """What a start finds."""
        known = Known(self.path)
        known.load()
        return known

    def test_a_first_start_knows_nothing(self) -> None:
        """And makes no file."""
        self.assertEqual((self.known().keys, self.known().meters, self.path.exists()), ([], [], False))

    def test_the_next_start_knows_it(self) -> None:
        """Keys with their hashes, scopes and meters; meters with their zones, in a file that only the owner reads."""
        known = self.known()
        known.keep_keys(KEYS)
        known.keep_meters(METERS)
        self.assertEqual((self.known().keys, self.known().meters), (KEYS, METERS))
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertNotIn("secret-key", self.path.read_text())

    def test_the_speed_of_a_port(self) -> None:
        """What was found by listening is kept by the port's path; a file of an earlier version has none."""
        known = self.known()
        known.keep_keys(KEYS)
        known.keep_speed("/dev/ttyUSB0", 9600)
        self.assertEqual((self.known().speeds, self.known().keys), ({"/dev/ttyUSB0": 9600}, KEYS))
        self.path.unlink()
        known.keep_speed("/dev/ttyUSB0", 9600)
        self.assertFalse(self.path.exists())
        self.path.write_text('{"keys": [], "meters": []}')
        self.assertEqual(self.known().speeds, {})

    def test_it_is_written_on_change_only(self) -> None:
        """Not because a meter was heard again."""
        known = self.known()
        known.keep_keys(KEYS)
        known.keep_meters(METERS)
        self.path.unlink()
        known.keep_keys(list(KEYS))
        known.keep_meters([Meter(1, "Meter 1", "Europe/Amsterdam", ("E1",), 3, 4, 5), METERS[1]])
        self.assertFalse(self.path.exists())
        known.keep_keys(KEYS[:1])
        self.assertEqual(self.known().keys, KEYS[:1])

    def test_a_disk_that_does_not_take_it(self) -> None:
        """It is told once, and written as soon as the disk takes it, though nothing has changed since."""
        known = self.known()
        elsewhere = self.path.parent.with_name("elsewhere")
        self.path.parent.rename(elsewhere)
        with capturedLogs() as events:
            known.keep_keys(KEYS)
            known.keep_keys(KEYS)
            known.keep_meters(METERS)
        elsewhere.rename(self.path.parent)
        self.assertEqual([formatEvent(event).count("can't be written") for event in events], [1])
        self.assertFalse(self.path.exists())
        known.keep_keys(KEYS)
        self.assertEqual((self.known().keys, self.known().meters), (KEYS, METERS))

    def test_a_damaged_file_counts_for_nothing(self) -> None:
        """The service starts, and writes it anew."""
        for text in (
            "",
            "{",
            "[]",
            '{"keys": [{}], "meters": []}',
            '{"keys": [], "meters": [{"id": 1}]}',
            '{"keys": [], "meters": [], "speeds": []}',
        ):
            self.path.write_text(text)
            known = self.known()
            self.assertEqual((known.keys, known.meters), ([], []))
        known.keep_keys(KEYS)
        self.assertEqual(self.known().keys, KEYS)

    def test_a_disk_that_refuses(self) -> None:
        """Costs no more than what would be known the next time."""
        known = Known(self.path / "no" / FILE)
        known.keep_keys(KEYS)
        self.assertEqual(known.keys, KEYS)
