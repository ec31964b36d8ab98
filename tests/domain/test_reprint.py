"""Tests of dsmr_tw.domain.reprint: a telegram on a line again."""

from __future__ import annotations

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.reprint import lacks_crc, on_a_line, with_its_line_ends
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from tests.golden_telegrams import telegram, valid_dutch


def raw(data: bytes, policy: CrcPolicy = CrcPolicy.OFF) -> RawTelegram:
    """The one telegram of these bytes."""
    [outcome] = outcomes_in(data, policy)
    assert isinstance(outcome, RawTelegram)
    return outcome


class ReprintTests(SynchronousTestCase):
    """What goes out is what came in."""

    def test_as_it_came(self) -> None:
        """A telegram with its CRC has the same bytes as in the file where it was recorded."""
        for name in valid_dutch():
            self.assertEqual(on_a_line(raw(telegram(name))), telegram(name).strip() + b"\r\n", name)

    def test_a_wrong_crc_stays(self) -> None:
        """Nobody vouches for a telegram whose CRC is wrong, and who reads it can see that."""
        data = telegram("dsmr-5-0-38")
        for sign in (False, True):
            self.assertIn(b"!67B1\r\n", on_a_line(raw(data), sign))

    def test_a_crc_that_was_stripped(self) -> None:
        """It is made again where that is asked for, and left out where it is not."""
        whole = telegram("dsmr-4-2-00")
        stripped = raw(whole.replace(b"!1659", b"!"), CrcPolicy.OPTIONAL)
        self.assertTrue(lacks_crc(stripped))
        self.assertTrue(on_a_line(stripped, sign=True).endswith(b"\r\n!1659\r\n"))
        self.assertTrue(on_a_line(stripped).endswith(b"\r\n!\r\n"))

    def test_a_dialect_without_crc(self) -> None:
        """Meters before DSMR 4 print none, and get none."""
        old = raw(telegram("dsmr-2-2-3-0-00"), CrcPolicy.OPTIONAL)
        self.assertIsNone(old.crc)
        self.assertFalse(lacks_crc(old))
        self.assertTrue(on_a_line(old, sign=True).endswith(b"!\r\n"))

    def test_line_ends(self) -> None:
        """Line ends that became LF are put back where the CRC is right with them, or where there is none."""
        whole = telegram("dsmr-4-2-00")
        lost = raw(whole.replace(b"\r\n", b"\n"))
        self.assertEqual(on_a_line(with_its_line_ends(lost)), whole)
        self.assertEqual(with_its_line_ends(raw(whole)), raw(whole))
        self.assertEqual(with_its_line_ends(evolve(lost, crc=None)), evolve(raw(whole), crc=None))
        wrong = raw(telegram("dsmr-5-0-38").replace(b"\r\n", b"\n"))
        self.assertEqual(with_its_line_ends(wrong), wrong)
