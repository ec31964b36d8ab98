"""Tests of dsmr_tw.domain.resemblance: what a line that brings no telegrams is called."""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.resemblance import ENCRYPTED, HDLC, INVERTED, MBUS, PLAIN, resemblance
from dsmr_tw.domain.speed import FAST, SEVEN_BITS, SLOW, LineSetting
from tests.encrypting import encrypted
from tests.golden_telegrams import every, telegram
from tests.printing import printed
from tests.uart import through

AIDON = bytes.fromhex("7ea02a410883130413e6e7000f40000000000101020309060100010700ff060000052102020f00161b6d0a7e")
KAIFA = bytes.fromhex("7ea027010201105a87e6e7000f40000000090c07e1081003102405ff8000000201060000016fdcb17e")
"""Norwegian meters: a list with the power alone."""

KAMSTRUP = bytes.fromhex("7ea8a4cf0223131ae6e700db084b414d4501000001820100300000000a") + bytes(200)
"""A Danish meter: an encrypted message, the first part of it, in a frame of HDLC."""

AUSTRIAN = bytes.fromhex("68fafa6853ff000167db084b464d102001126782015521000005") + bytes(range(7, 245))
"""A long frame of wired M-Bus with an encrypted message."""

SHORT_MBUS = bytes.fromhex("6815156808017201000000962501174e0000000c78563412004a16")
"""The answer of a device on an M-Bus of its own."""


class ResemblanceTests(SynchronousTestCase):
    """What bytes look like."""

    def test_frames_of_other_protocols(self) -> None:
        """Norwegian and Danish meters (HDLC) and Austrian ones (M-Bus) are called by their protocol."""
        for frame in (AIDON, KAIFA, KAMSTRUP):
            self.assertEqual(resemblance(b"\x00" + frame + b"\xff"), HDLC)
        for frame in (AUSTRIAN, SHORT_MBUS):
            self.assertEqual(resemblance(b"\x00" + frame + b"\xff"), MBUS)

    def test_encrypted(self) -> None:
        """A meter that encrypts is known by the head of its frames."""
        self.assertEqual(resemblance(b"\xff" + encrypted(printed(1), 1)), ENCRYPTED)

    def test_plain(self) -> None:
        """A telegram without its beginning is known by the codes of its lines, on every meter."""
        for name in every():
            self.assertEqual(resemblance(telegram(name)[8:]), PLAIN, name)

    def test_inverted(self) -> None:
        """A cable without an inverter is known at each way to speak, whatever the meter prints."""
        for name in every()[::12]:
            for spoken in (FAST, SLOW, SEVEN_BITS):
                heard = through(telegram(name), spoken, LineSetting(spoken.baud), inverted=True)
                self.assertEqual(resemblance(heard), INVERTED, f"{name}, {spoken}")

    def test_wrong_speed(self) -> None:
        """What is read at a wrong speed looks like nothing, inverted or not."""
        for name in every()[::12]:
            for spoken, listened in ((FAST, SLOW), (SLOW, FAST), (SEVEN_BITS, FAST)):
                for inverted in (False, True):
                    self.assertIsNone(resemblance(through(telegram(name), spoken, listened, inverted)), name)

    @given(binary(max_size=300))
    def test_anything(self, data: bytes) -> None:
        """Any bytes look like something or nothing, and noise without a mark of these is nothing."""
        self.assertIsNone(resemblance(bytes(byte & 0x13 for byte in data)))
        resemblance(data)
