"""Responsible for what ``/health`` tells about a source, and for what of it is a problem.

Tests: ``tests/test_source.py``, ``tests/test_health.py``
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import asdict, define, field

from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.quality import LineFigures

SILENCE_S: Final = 60
"""After so many seconds without a telegram a source is a problem."""

CLOCK_OFF_S: Final = 300
"""A meter's clock that is wrong by more is a problem: it puts amounts into other hours."""


@define
class SourceHealth:
    """What ``/health`` tells about a source."""

    name: str

    connected: bool = False

    last_telegram_at: int | None = None
    """When the last telegram was taken; ``None`` before the first."""

    telegrams: int = 0
    """Telegrams taken."""

    dialect: str | None = None
    """Which standard the meter speaks, by the last telegram taken; ``None`` before the first."""

    unknown_lines: int = 0
    """How many lines of that telegram are not understood."""

    crc_errors: int = 0
    """Telegrams refused for their CRC."""

    rejected: int = 0
    """Telegrams refused for any other reason."""

    bytes_skipped: int = 0
    """Bytes that belonged to no telegram."""

    frames_refused: Mapping[str, int] | None = None
    """Encrypted frames that were refused, for each reason; ``None`` when nothing is decrypted."""

    reconnects: int = 0
    """Connections made after the first."""

    clock_offset_s: int | None = None
    """How far the clock of the meter was ahead of ours in that telegram; ``None`` when one of them was not set."""

    by_arrival: bool = False
    """Whether telegrams are dated by our clock in any case."""

    bytes_received: int = 0
    """What came in all."""

    serial: str | None = None
    """How the port listens, like ``115200 8N1``; ``None`` where there is none, or as long as no telegram told."""

    line: LineFigures = field(factory=LineFigures)
    """How good the line is."""

    quiet_s: int = 0
    """Seconds since the last telegram was taken, or since the start."""

    trouble: str | None = None
    """Why, as far as it is known, no telegram comes; ``None`` while they do."""

    def problem(self) -> str | None:
        """What a person should look at, in words; ``None`` when all is well."""
        if self.quiet_s < SILENCE_S:
            complaint = self.line.complaint()
            return f"{self.name}: {complaint}" if complaint else self._clock_problem()
        words = f"{self.name}: no telegram for {self.quiet_s} s"
        return f"{words}; {self.trouble}" if self.trouble else words

    def figures(self) -> dict[str, object]:
        """What ``/health`` shows of it."""
        return {
            "name": self.name,
            "connected": self.connected,
            "serial": self.serial,
            "last_telegram_at": None if self.last_telegram_at is None else to_utc_text(self.last_telegram_at),
            "telegrams": self.telegrams,
            "dialect": self.dialect,
            "unknown_lines": self.unknown_lines,
            "crc_errors": self.crc_errors,
            "rejected": self.rejected,
            "bytes_received": self.bytes_received,
            "bytes_skipped": self.bytes_skipped,
            "frames_refused": self.frames_refused,
            "reconnects": self.reconnects,
            "clock_offset_s": self.clock_offset_s,
            "line": asdict(self.line),
        }

    def _clock_problem(self) -> str | None:
        offset = self.clock_offset_s
        if offset is None or abs(offset) <= CLOCK_OFF_S or self.by_arrival:
            return None
        way = "ahead of" if offset > 0 else "behind"
        return (
            f"{self.name}: the meter's clock is {_span(abs(offset))} {way} the server's; if the server's is the right "
            "one, start it with --trust-clock server"
        )


def _span(seconds: int) -> str:
    """A time that is longer than some minutes, in words."""
    for unit, words in ((86_400, "days"), (3_600, "hours")):
        if seconds >= 2 * unit:
            return f"{round(seconds / unit)} {words}"
    return f"{round(seconds / 60)} minutes"
