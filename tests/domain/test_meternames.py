"""Tests of dsmr_tw.domain.meternames."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.meternames import LONGEST, given_name, meter_named, refusal
from dsmr_tw.stored import Meter

HOUSE = Meter(1, "House", "Europe/Amsterdam")
CELLAR = Meter(2, "Cellar, left", "Europe/Amsterdam")


class WhichTests(SynchronousTestCase):
    """Which meter somebody means."""

    def test_by_id_and_by_name(self) -> None:
        """Both name a meter."""
        for wanted, meter in {"1": HOUSE, "2": CELLAR, "House": HOUSE, "Cellar, left": CELLAR}.items():
            self.assertIs(meter_named([HOUSE, CELLAR], wanted), meter)

    def test_nothing_like_it(self) -> None:
        """What is nearly an id or a name is none."""
        for wanted in ("", "3", "01", " 1", "house", "Cellar"):
            self.assertIsNone(meter_named([HOUSE, CELLAR], wanted), wanted)


class NameTests(SynchronousTestCase):
    """Which names can be."""

    def assert_refused(self, name: str, why: str) -> None:
        """A meter can't have the name, and a whole sentence says why."""
        reason = refusal(name, 2)
        assert reason is not None, name
        self.assertIn(why, reason)
        self.assertTrue(reason.startswith("A meter") and reason.endswith(".") and reason.isprintable(), reason)

    def test_names(self) -> None:
        """People call their meters what they like, in any language."""
        for name in (
            "Cellar",
            "Zon & Wind “NL”",
            "Wärmepumpe",
            "電力",
            "2nd floor",
            "meter 7",
            "Meter 07",
            "x" * LONGEST,
        ):
            self.assertIsNone(refusal(name, 2), name)

    def test_empty(self) -> None:
        """A name of nothing, or of nothing to be seen, is none."""
        for name in ("", " ", "\t"):
            self.assert_refused(name, "can't be empty")

    def test_too_long(self) -> None:
        """A name fits on a line."""
        self.assert_refused("x" * (LONGEST + 1), "at most 64 characters, not 65")

    def test_what_can_not_be_shown(self) -> None:
        """Control characters, and bytes that are no text, would spoil each list with the name in it."""
        for name in ("Cel\nlar", "Cellar\x1b[2J", "Cellar\0", "Cellar\udcff", "Cel\u202elar"):
            self.assert_refused(name, "can be shown")

    def test_spaces_around(self) -> None:
        """Nobody sees them, and nobody would type them."""
        for name in (" Cellar", "Cellar "):
            self.assert_refused(name, "a space")

    def test_digits(self) -> None:
        """A number is an id."""
        for name in ("7", "0", "٧"):
            self.assert_refused(name, "looks like an id")

    def test_names_that_are_given(self) -> None:
        """The name of a meter that nobody has named yet is kept free for that one."""
        self.assertIsNone(refusal(given_name(2), 2))
        self.assert_refused(given_name(3), "for the meter with the id 3")
