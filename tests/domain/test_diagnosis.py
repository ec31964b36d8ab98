"""Tests of dsmr_tw.domain.diagnosis: what figures of a source mean."""

from __future__ import annotations

from typing import Any

from attrs import asdict
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.diagnosis import NOTHING_COMES, Diagnosis
from dsmr_tw.domain.quality import LineFigures
from dsmr_tw.sourcehealth import SourceHealth


def figures(**changes: Any) -> dict[str, object]:
    """The figures of a source with these."""
    return SourceHealth("device /dev/ttyUSB0", **{"connected": True, **changes}).figures()


GOOD = figures(
    telegrams=1234,
    dialect="DSMR 5.0",
    serial="115200 8N1",
    bytes_received=9_876_543,
    line=LineFigures(1000, 2, 100, 0, strange_bytes=3, interval_ms=1049),
)


class VerdictTests(SynchronousTestCase):
    """What is said, and whether it is well."""

    def verdict(self, told: dict[str, object], trouble: str | None = None, well: bool = False) -> str:
        """What is said about these figures."""
        diagnosis = Diagnosis("/dev/ttyUSB0", told, trouble)
        self.assertEqual(diagnosis.is_well, well)
        return diagnosis.verdict()

    def test_well(self) -> None:
        """Where telegrams come all is well; lines that are not understood are no harm, but can be looked at."""
        self.assertEqual(self.verdict(GOOD, well=True), "All is well.")
        said = self.verdict({**GOOD, "unknown_lines": 2}, well=True)
        self.assertEqual(said, "All is well. `dsmr parse` shows the lines that are not understood.")

    def test_not_any_more(self) -> None:
        """Telegrams of yesterday do not make it well."""
        self.assertEqual(self.verdict(GOOD, "no telegram for 3600 s"), "Telegrams came, but no telegram for 3600 s.")

    def test_not_opened(self) -> None:
        """Why a device can't be opened is said as it is."""
        told = figures(connected=False)
        self.assertEqual(self.verdict(told, "is the cable plugged in?"), "No telegram: is the cable plugged in?")
        self.assertEqual(self.verdict(told), "No telegram: it is not connected yet.")

    def test_silent(self) -> None:
        """What to look at when nothing comes."""
        self.assertEqual(self.verdict(figures()), NOTHING_COMES)

    def test_bytes_only(self) -> None:
        """What bytes look like is said; when there is nothing to say, that more time may tell."""
        told = figures(bytes_received=12)
        self.assertEqual(
            self.verdict(told, "it looks like frames of HDLC"),
            "Bytes come, but no telegram: it looks like frames of HDLC.",
        )
        self.assertEqual(self.verdict(told), "Bytes come, but no telegram: a longer look may tell more.")

    def test_refused(self) -> None:
        """Why telegrams are refused is said."""
        told = figures(bytes_received=500, rejected=3)
        self.assertEqual(
            self.verdict(told, "the last one was refused: no"), "No telegram: the last one was refused: no."
        )

    def test_a_bad_line(self) -> None:
        """A few broken telegrams are enough for whoever looks."""
        said = self.verdict({**GOOD, "line": asdict(LineFigures(10, 1, 10, 1, 12, "1-0:21.7.0", 16))})
        self.assertTrue(said.startswith("1 of the last 10 telegrams had a wrong CRC; most break at line 12"), said)
        none = figures(bytes_received=500, crc_errors=2, line=LineFigures(2, 2, 2, 2))
        self.assertIn("none came whole", self.verdict(none))


class LinesTests(SynchronousTestCase):
    """The figures in words."""

    def lines(self, told: dict[str, object]) -> list[tuple[str, str]]:
        """What is shown."""
        return list(Diagnosis("/dev/ttyUSB0", told, None, (("port", "crw"),)).lines())

    def test_all(self) -> None:
        """What a person wants to know of a good line."""
        self.assertEqual(
            self.lines({**GOOD, "unknown_lines": 1, "bytes_skipped": 5}),
            [
                ("port", "crw"),
                ("serial", "115200 8N1"),
                ("bytes", "9,876,543, of which 5 belong to no telegram"),
                ("telegrams", "1,234, one every 1.0 s, DSMR 5.0, 1 lines not understood"),
                ("wrong CRC", "2 of 1000"),
                ("damage", "3 bytes that no meter prints"),
            ],
        )

    def test_nothing(self) -> None:
        """Of a device that can't be opened there is nothing to tell, and little of one that brings no telegram."""
        self.assertEqual(self.lines(figures(connected=False)), [("port", "crw")])
        self.assertEqual(self.lines(figures(bytes_received=7)), [("port", "crw"), ("bytes", "7")])

    def test_refused(self) -> None:
        """Refusals are counted."""
        told = figures(rejected=2, frames_refused={"tag": 3, "counter": 1, "length": 0})
        self.assertEqual(
            self.lines(told)[2:],
            [("telegrams", "0"), ("wrong CRC", "0 of 0"), ("refused", "2 for another reason"), ("frames", "4 refused")],
        )

    def test_an_older_server(self) -> None:
        """A server that shows no figures of the line is understood all the same."""
        told = {name: value for name, value in GOOD.items() if name != "line"}
        self.assertIn(("wrong CRC", "0 of 0"), self.lines(told))
