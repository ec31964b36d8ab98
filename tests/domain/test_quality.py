"""Tests of dsmr_tw.domain.quality: how good a line is, and where its telegrams break."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary, integers
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.quality import LATEST, LEAST, RECENT, Damage, LineFigures, LineQuality, damage
from tests.golden_telegrams import telegram

WHOLE = telegram("dsmr-5-0-02")[:-6]
LINES = WHOLE.split(b"\r\n")
VOLTAGE = next(number for number, line in enumerate(LINES, 1) if line.startswith(b"1-0:32.7.0"))
START = WHOLE.index(b"1-0:32.7.0")


class DamageTests(SynchronousTestCase):
    """Where a telegram broke."""

    def test_other_digits(self) -> None:
        """A telegram of the same meter with other values has the same form, so it does not tell where it broke."""
        self.assertEqual(damage(WHOLE.replace(b"1", b"7"), WHOLE), Damage())

    def test_lost_bytes(self) -> None:
        """Bytes that were lost are counted, and the line where they are missing is named."""
        for lost in (1, 16, 200):
            broken = WHOLE[: START + 5] + WHOLE[START + 5 + lost :]
            self.assertEqual(damage(broken, WHOLE), Damage(VOLTAGE, "1-0:32.7.0", lost))

    def test_changed_bytes(self) -> None:
        """A byte that no meter prints is counted, at its line."""
        broken = WHOLE[: START + 12] + b"\xb0" + WHOLE[START + 13 :]
        self.assertEqual(damage(broken, WHOLE), Damage(VOLTAGE, "1-0:32.7.0", 0, 1))

    def test_the_header(self) -> None:
        """A line that begins with no code is told by its number alone."""
        self.assertEqual(damage(b"/X" + WHOLE[2:], WHOLE), Damage(1, None, 0))

    def test_the_end(self) -> None:
        """A telegram with more, or less, at its end breaks there."""
        self.assertEqual(damage(WHOLE + b"x", WHOLE).lost, -1)
        self.assertEqual(damage(WHOLE[:-1], WHOLE), Damage(len(LINES), None, 1))

    def test_nothing_to_compare_with(self) -> None:
        """Before the first whole telegram only bytes that no meter prints are known."""
        self.assertEqual(damage(b"/X\xff\x00", None), Damage(strange=2))

    @given(integers(0, len(WHOLE) - 1), integers(1, 64), binary(max_size=20))
    def test_any_damage(self, start: int, lost: int, noise: bytes) -> None:
        """Nothing before the place where bytes were lost or changed is blamed."""
        broken = WHOLE[:start] + noise + WHOLE[start + lost :]
        found = damage(broken, WHOLE)
        if found.line is not None:
            self.assertGreaterEqual(found.line, WHOLE.count(b"\n", 0, start) + 1)
            self.assertEqual(found.lost, len(WHOLE) - len(broken))


class QualityTests(SynchronousTestCase):
    """The figures of a line."""

    def setUp(self) -> None:
        """A line on which nothing came."""
        self.quality = LineQuality()

    def whole(self, count: int) -> None:
        """Let telegrams come, one a second."""
        for number in range(count):
            self.quality.whole(WHOLE, number * 1_000_000)

    def complaint(self) -> str:
        """What is wrong with the line."""
        return self.quality.figures().complaint() or ""

    def test_nothing(self) -> None:
        """A line on which nothing came has no figures, and nothing to complain about."""
        self.assertEqual(self.quality.figures(), LineFigures())
        self.assertEqual(self.complaint(), "")

    def test_all_is_well(self) -> None:
        """Whole telegrams are counted, with the time between them, whatever a clock that was set makes of one."""
        self.whole(30)
        self.quality.whole(WHOLE, 10**15)
        self.assertEqual(self.quality.figures(), LineFigures(31, 0, 31, 0, interval_ms=1000))

    def test_lost_bytes(self) -> None:
        """The line where most telegrams break is named, with what is missing and what may help."""
        self.whole(90)
        for _ in range(9):
            self.quality.broken(WHOLE[: START + 5] + WHOLE[START + 21 :])
        self.quality.broken(b"/X" + WHOLE[2:])
        figures = self.quality.figures()
        self.assertEqual(
            (figures.crc_errors, figures.breaks_at_line, figures.breaks_at, figures.bytes_lost),
            (10, VOLTAGE, "1-0:32.7.0", 16),
        )
        self.assertEqual(
            self.complaint(),
            f"10 of the last 100 telegrams had a wrong CRC; most break at line {VOLTAGE} (1-0:32.7.0), with 16 bytes "
            "missing; bytes get lost: try another USB port, without a hub or with one that has its own power",
        )

    def test_changed_bytes(self) -> None:
        """Bytes that were changed or added speak for the cable."""
        for broken, words in (
            (WHOLE.replace(b"/", b"o", 1), "most break at line 1; bytes get changed: try a shorter or better cable"),
            (b"/" + WHOLE, "most break at line 1, with 1 byte too many; bytes get changed"),
            (b"//" + WHOLE, "most break at line 1, with 2 bytes too many; bytes get changed"),
        ):
            self.quality = LineQuality()
            self.whole(20)
            for _ in range(5):
                self.quality.broken(broken)
            self.assertIn(words, self.complaint())

    def test_only_digits(self) -> None:
        """When only digits are wrong no place is named."""
        self.whole(20)
        for _ in range(5):
            self.quality.broken(WHOLE.replace(b"2", b"3"))
        self.assertEqual(
            self.complaint(),
            "5 of the last 25 telegrams had a wrong CRC; bytes get changed: try a shorter or better cable, "
            "away from power cables",
        )

    def test_none_whole(self) -> None:
        """When no telegram comes whole, something on the way may change them all."""
        for _ in range(LEAST):
            self.quality.broken(WHOLE)
        self.assertIn("20 of the last 20 telegrams had a wrong CRC; none came whole", self.complaint())

    def test_a_little(self) -> None:
        """A few wrong ones are no problem, and neither is anything that was seen but a few times, or long ago."""
        self.whole(95)
        for _ in range(5):
            self.quality.broken(WHOLE[:50])
        self.assertEqual(self.complaint(), "")
        self.quality.broken(WHOLE[:50])
        self.assertIn("6 of the last 100", self.complaint())
        self.whole(RECENT)
        self.assertEqual(self.complaint(), "")
        self.assertEqual(self.quality.figures().crc_errors, 6)
        few = LineQuality()
        few.broken(WHOLE)
        self.assertIsNone(few.figures().complaint())
        self.assertIsNotNone(few.figures().complaint(least=1))

    def test_memory(self) -> None:
        """Only the latest telegrams are looked back on."""
        self.whole(LATEST + 1)
        self.assertEqual(self.quality.figures().telegrams, LATEST)
