"""Responsible for what must hold whatever a line brings: tried on one stream at a time, of bytes or of frames.

Two good telegrams follow each stream, as from a meter whose cable sits right again.
They are both taken; where no CRC tells a telegram from its ruins, the second is.
Nothing is taken that nobody vouches for, no error comes but those of the line, and no more bytes are held than a few
telegrams may have.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Final

from attrs import define, field
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from dsmr_tw.decrypt import Decryption, EncryptedReceiver
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.facts import failures, peaks
from dsmr_tw.domain.frame import HEADERS
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.mask import masked
from dsmr_tw.domain.parse import REMEMBERED_LINES, TelegramParser
from dsmr_tw.domain.quality import LATEST, LineQuality
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.reprint import on_a_line
from dsmr_tw.domain.resemblance import resemblance
from dsmr_tw.domain.speed import SpeedSearch
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, TelegramAssembler, outcomes_in
from dsmr_tw.errors import CrcError, TelegramError
from dsmr_tw.limits import FRAME_BYTES, TELEGRAM_BYTES, UNKNOWN_LINES
from dsmr_tw.serialproto import RECENT_BYTES, TelegramReceiver
from tests.badlines import bad_frames, bad_line, is_right, pieces
from tests.encrypting import LUXEMBOURG, encrypted
from tests.printing import printed

ZONE: Final = meter_zone("Europe/Amsterdam")
ORIGIN: Final = Origin("a bad line")
GOOD: Final = (printed(1), printed(2))

MOST_HELD: Final = 3 * TELEGRAM_BYTES + RECENT_BYTES
"""A line that goes on, a telegram under way, and what waits for the end of a line."""

MOST_FRAMES_HELD: Final = MOST_HELD + 2 * FRAME_BYTES


@define
class Line:
    """A connection over which anything comes, with all that is made of it."""

    receiver: TelegramReceiver
    taken: list[RawTelegram]
    refused: list[TelegramError]
    most_held: int = 0

    def bring(self, parts: list[bytes]) -> None:
        """Let these bytes come."""
        for part in parts:
            self.receiver.dataReceived(part)
            self.most_held = max(self.most_held, held(self.receiver))


def line(policy: CrcPolicy, decryption: Decryption | None = None) -> Line:
    """A connection that was just made."""
    taken: list[RawTelegram] = []
    refused: list[TelegramError] = []
    make = TelegramReceiver if decryption is None else decryption.receiver
    receiver = make(TelegramAssembler(policy), Clock(), lambda raw, received_at: taken.append(raw), refused.append)
    receiver.makeConnection(StringTransport())
    return Line(receiver, taken, refused)


def held(receiver: TelegramReceiver) -> int:
    """How many bytes wait in it for what is still to come."""
    assembler = receiver.assembler
    waiting = len(receiver._buffer) + sum(map(len, assembler._lines)) + len(assembler._lines)
    if isinstance(receiver, EncryptedReceiver):
        waiting += receiver.decryption._cutter.waiting
        assert len(receiver.decryption._cutter._waiting) <= HEADERS
    return waiting + len(assembler._unfinished) + len(receiver.recent)


@define
class Fuzzing:
    """Streams that were tried, and what came of them."""

    parser: TelegramParser = field(factory=TelegramParser)
    """One for all, since it remembers lines."""

    quality: LineQuality = field(factory=LineQuality)

    bytes_tried: int = 0
    most_held: int = 0
    """The most bytes that ever waited in a connection."""
    counted: Counter[str] = field(factory=Counter)

    def plain(self, random: Random, policy: CrcPolicy) -> None:
        """Try a stream of bytes."""
        stream = bad_line(random)
        at = line(policy)
        # Without a check the end of the damage must be told by something: a line end does.
        at.bring(pieces(random, stream + (b"\r\n" if policy is CrcPolicy.OFF else b"") + b"".join(GOOD)))
        expected = GOOD[1:] if policy is CrcPolicy.OFF else GOOD
        assert [raw.data for raw in at.taken[-len(expected) :]] == [data[:-6] for data in expected], at.taken[-2:]
        self._judge(at, len(stream), policy, MOST_HELD)

    def encrypted(self, random: Random) -> None:
        """Try a stream of frames, of which some hold telegrams, others anything."""
        stream = bad_frames(random, counter=100)
        good = b"".join(encrypted(data, 1000 + number) for number, data in enumerate(GOOD))
        at = line(CrcPolicy.STRICT, Decryption(LUXEMBOURG))
        at.bring(pieces(random, stream + good))
        assert [raw.data for raw in at.taken[-2:]] == [data[:-6] for data in GOOD]
        self._judge(at, len(stream), CrcPolicy.STRICT, MOST_FRAMES_HELD)

    def _judge(self, at: Line, size: int, policy: CrcPolicy, most_held: int) -> None:
        assert at.most_held <= most_held, at.most_held
        assert not at.receiver.transport.disconnecting  # type: ignore[union-attr]  # it was connected
        assert all(str(error) for error in at.refused)
        self._diagnose(at)
        for raw in at.taken[:-2]:
            self._understand(raw, policy)
        self.bytes_tried += size
        self.most_held = max(self.most_held, at.most_held)
        self.counted.update(taken=len(at.taken) - 2, refused=len(at.refused))

    def _diagnose(self, at: Line) -> None:
        """Look at the line as those do who have to say what is wrong with it."""
        search = SpeedSearch()
        assert search.take(at.receiver.recent) == at.receiver.recent
        search.conclude()
        assert resemblance(at.receiver.recent) != ""
        for error in at.refused:
            if isinstance(error, CrcError):
                self.quality.broken(error.body)
        self.quality.whole(at.taken[-1].data, received_at=0)
        figures = self.quality.figures()
        assert figures.telegrams <= LATEST
        figures.complaint()

    def _understand(self, raw: RawTelegram, policy: CrcPolicy) -> None:
        assert policy is not CrcPolicy.STRICT or is_right(raw.data, raw.crc), raw
        # Who reads what is served takes the same telegram again.
        [again] = outcomes_in(on_a_line(raw), policy)
        assert isinstance(again, RawTelegram) and again.data == raw.data, again
        masked([raw])
        # Each mask is a pattern, of which Python keeps 512: nothing to a command, but not to be counted here.
        re.purge()
        try:
            said = self.parser.parse(raw)
            assert said.dialect and len(said.unknown) == min(said.unknown_lines, UNKNOWN_LINES)
            peaks(said, ZONE)
            failures(said, ZONE)
            arrival(said, ORIGIN, 0, ZONE)
        except TelegramError:
            self.counted["not understood"] += 1
        assert len(self.parser._remembered) <= REMEMBERED_LINES
