"""Tests of dsmr_tw.domain.telegram under damage of any kind: the next good telegram is taken, and no bad one is.

With ``DSMR_CI=1`` each property is tried on 2 100 examples, so on more than 10 000 together.
"""

from __future__ import annotations

import os

from fastcrc.crc16 import arc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.telegram import CrcPolicy, Outcome, RawTelegram, TelegramAssembler, outcomes_in, telegrams_in
from dsmr_tw.errors import TelegramError
from tests.golden_telegrams import bodies, body_of, telegram, valid_dutch

damaging = settings(
    max_examples=2100 if os.environ.get("DSMR_CI") else 100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)

NASTY = st.sampled_from(
    [
        b"\0",
        b"\xff",
        b"\xb3",
        b"\xff\xfb\x03",
        b"\xff\xfd\x01",
        b"\r",
        b"\n",
        b"\r\n",
        b"!",
        b"/",
        b"/A",
        b"/ISK5",
        b"1",
    ]
)
NOISES = (
    st.lists(NASTY, max_size=8).map(b"".join)
    | st.binary(max_size=40)
    | st.sampled_from([b"\xb3\x00\xff\xfd\x01" * 4000, b"x" * 12_000])
)
NAMES = st.sampled_from(valid_dutch())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A stream of telegrams of which some were cut, overlap, or had bytes put in."""
    stream = b""
    for name in draw(st.lists(NAMES, min_size=1, max_size=3)):
        data = telegram(name)
        start, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        stream += draw(st.sampled_from([data, data[:end], data[start:], data[:start] + data[end:]]))
        place = draw(st.integers(0, len(stream)))
        stream = stream[:place] + draw(NOISES) + stream[place:]
    return stream


class DamageTests(SynchronousTestCase):
    """What holds for any damage."""

    def check(self, outcomes: list[Outcome], following: bytes) -> None:
        """The last telegram is the one that followed the damage, and no CRC was taken that is not right."""
        taken = [outcome for outcome in outcomes if isinstance(outcome, RawTelegram)]
        self.assertEqual(taken[-1].data, body_of(following))
        for outcome in taken:
            self.assertTrue(outcome.crc == arc(outcome.data) or b"0-0:1.0.0(" not in outcome.data)

    @damaging
    @given(damaged(), NAMES)
    def test_next_one_is_taken(self, stream: bytes, name: str) -> None:
        """Whatever happened before, the next good telegram is taken."""
        self.check(outcomes_in(stream + telegram(name)), telegram(name))

    @damaging
    @given(damaged(), NAMES)
    def test_next_one_is_taken_without_a_check(self, stream: bytes, name: str) -> None:
        """The same when the CRC is not checked, and the damage ends with a line."""
        outcomes = outcomes_in(stream + b"\r\n" + telegram(name), CrcPolicy.OFF)
        self.assertEqual(bodies(outcomes)[-1], body_of(telegram(name)))

    @damaging
    @given(damaged(), NAMES, st.integers(1, 5000))
    def test_any_pieces(self, stream: bytes, name: str, size: int) -> None:
        """A framer that gives up on lines of any length loses no telegram behind them."""
        stream += b"\r\n" + telegram(name)
        assembler = TelegramAssembler()
        outcomes: list[Outcome] = []
        buffer = b""
        for start in range(0, len(stream), size):
            *lines, buffer = (buffer + stream[start : start + size]).split(b"\n")
            outcomes += [outcome for line in lines for outcome in assembler.line(line)]
            if len(buffer) > 2000:
                outcomes += assembler.too_long(buffer)
                buffer = b""
        self.check(outcomes, telegram(name))

    @damaging
    @given(st.binary(max_size=2000) | damaged(), st.sampled_from(CrcPolicy))
    def test_text(self, stream: bytes, policy: CrcPolicy) -> None:
        """Whatever a text holds, its telegrams come out or a refusal in words."""
        try:
            taken = telegrams_in(stream.decode("latin-1"), policy)
        except TelegramError as error:
            self.assertTrue(str(error))
        else:
            self.assertTrue(taken)

    @damaging
    @given(NAMES, st.integers(0), st.integers(0, 7), NAMES)
    def test_flipped_bit(self, name: str, place: int, bit: int, other: str) -> None:
        """A telegram with a flipped bit is never taken, the one behind it always."""
        data = bytearray(telegram(name))
        place %= data.rindex(b"!") + 1
        data[place] ^= 1 << bit
        self.assertEqual(bodies(outcomes_in(bytes(data) + telegram(other))), [body_of(telegram(other))])
