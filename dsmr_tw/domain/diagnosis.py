"""Responsible for what figures of a source mean: what a person wants to know of it, and what to do.

Figures are those that ``/health`` shows of a source, so it does not matter who took them.

Tests: ``tests/domain/test_diagnosis.py``
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from dsmr_tw.domain.quality import LineFigures

NOTHING_COMES = (
    "Nothing comes. Is the plug all the way in the meter's P1 port? Some ports must be enabled by the grid operator "
    "first, and some cables need another program or adapter to raise their request line."
)


@frozen
class Diagnosis:
    """How one source is."""

    name: str

    figures: Mapping[str, Any]
    """As ``/health`` shows them."""

    trouble: str | None = None
    """Why, as far as it is known, no telegram comes."""

    remarks: tuple[tuple[str, str], ...] = field(default=())
    """What else was seen, and its heading: who may open the port, who reads it."""

    @property
    def line(self) -> LineFigures:
        """How good the line is."""
        return LineFigures(**self.figures.get("line") or {})

    @property
    def is_well(self) -> bool:
        """Whether telegrams come as they should."""
        return bool(self.figures["telegrams"]) and self.trouble is None and self._complaint() is None

    def verdict(self) -> str:
        """How it is, and what to do, in a sentence or two."""
        figures = self.figures
        if complaint := self._complaint():
            return _sentence(complaint)
        if figures["telegrams"]:
            unknown = " `dsmr parse` shows the lines that are not understood." if figures["unknown_lines"] else ""
            return (
                f"All is well.{unknown}" if self.trouble is None else _sentence(f"Telegrams came, but {self.trouble}")
            )
        if not figures["connected"] or figures["rejected"]:
            return _sentence(f"No telegram: {self.trouble or 'it is not connected yet'}")
        if not figures["bytes_received"]:
            return NOTHING_COMES
        return _sentence(f"Bytes come, but no telegram: {self.trouble or 'a longer look may tell more'}")

    def lines(self) -> Iterator[tuple[str, str]]:
        """The figures in words, each with its heading."""
        yield from self.remarks
        figures, line = self.figures, self.line
        if figures["serial"]:
            yield "serial", figures["serial"]
        received, skipped = figures["bytes_received"], figures["bytes_skipped"]
        if figures["connected"] or received:
            yield "bytes", f"{received:,}" + (f", of which {skipped:,} belong to no telegram" if skipped else "")
        if not any(figures[each] for each in ("telegrams", "crc_errors", "rejected")):
            return
        yield "telegrams", f"{figures['telegrams']:,}" + "".join(self._about_telegrams())
        yield "wrong CRC", f"{line.crc_errors} of {line.telegrams}"
        if line.strange_bytes:
            yield "damage", f"{line.strange_bytes:,} bytes that no meter prints"
        if figures["rejected"]:
            yield "refused", f"{figures['rejected']:,} for another reason"
        if refused := sum((figures["frames_refused"] or {}).values()):
            yield "frames", f"{refused:,} refused"

    def _about_telegrams(self) -> Iterator[str]:
        interval, dialect, unknown = self.line.interval_ms, self.figures["dialect"], self.figures["unknown_lines"]
        if interval is not None:
            yield f", one every {interval // 1000}.{interval % 1000 // 100} s"
        if dialect:
            yield f", {dialect}"
        if unknown:
            yield f", {unknown} lines not understood"

    def _complaint(self) -> str | None:
        return self.line.complaint(least=1)


def _sentence(words: str) -> str:
    return words if words.endswith(("?", ".")) else f"{words}."
