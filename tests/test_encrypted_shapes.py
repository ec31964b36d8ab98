"""Tests of dsmr_tw.decrypt on every shape of an encrypted frame, each refused for each thing that may be wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from attrs import evolve, frozen
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.decrypt import Decryption, Keys
from dsmr_tw.errors import CrcError, FrameError
from tests.cable import Meter
from tests.encrypting import AUSTRIA, LUXEMBOURG, encrypted, fewest_bytes, two_bytes
from tests.golden_telegrams import body_of, telegram

LENGTHS: Final = (two_bytes, fewest_bytes)
LITTLE: Final = 5
"""A frame whose length has one byte, where it may."""
MEDIUM: Final = 150
"""One whose length has a byte and says so."""


@frozen
class Shape:
    """A frame as some meter makes it."""

    keys: Keys
    plain: bytes
    written: Callable[[int], bytes]
    title: bytes

    def frame(self, counter: int = 7, keys: Keys | None = None) -> bytes:
        """The frame, made with these keys or its own."""
        return encrypted(self.plain, counter, keys or self.keys, self.title, self.written)


def shapes() -> Iterator[Shape]:
    """All of them: whose keys, how the length is written, what is inside, and what the meter calls itself."""
    for keys, name in ((LUXEMBOURG, "lu-smarty-04"), (AUSTRIA, "at-steiermark-00")):
        for written in LENGTHS:
            for plain in (telegram(name), telegram(name)[:MEDIUM], telegram(name)[:LITTLE]):
                # A name is any eight bytes, also those that mean something elsewhere.
                for title in (b"SAGgp\x00\x01\x02", b"/!\r\nAB\x00\xdb"):
                    yield Shape(keys, plain, written, title)


class ShapeTests(SynchronousTestCase):
    """What holds for each shape."""

    def opened(self, keys: Keys, data: bytes) -> tuple[list[bytes], dict[str, int]]:
        """What a line with these keys opens, and why it refuses the rest."""
        decryption = Decryption(keys)
        opened = [one for one in (*decryption.take(data), *decryption.flush()) if not isinstance(one, FrameError)]
        return opened, {reason: number for reason, number in decryption.refused.items() if number}

    def test_opened(self) -> None:
        """With the right keys each is opened, one behind the other."""
        for shape in shapes():
            data = shape.frame(7) + shape.frame(8)
            self.assertEqual(self.opened(shape.keys, data), ([shape.plain] * 2, {}), shape)

    def test_as_others_read_them(self) -> None:
        """The frames that these tests make are what another program for such meters opens, too."""
        if find_spec("dlms_cosem") is None and not os.environ.get("DSMR_CI"):
            self.skipTest("dlms-cosem is not installed: pip install dsmr-parser")
        read = import_module("dlms_cosem.connection").XDlmsApduFactory.apdu_from_bytes
        for shape in shapes():
            apdu = read(shape.frame(0x01020304))
            self.assertEqual((apdu.system_title, apdu.invocation_counter), (shape.title, 0x01020304))
            self.assertEqual(apdu.to_plain_apdu(shape.keys.key, shape.keys.authentication_key), shape.plain)

    def test_wrong_keys(self) -> None:
        """With one of the keys wrong, or both exchanged, none is."""
        for shape in shapes():
            right = shape.keys
            for keys in (
                evolve(right, key=right.key[:-1] + b"?"),
                evolve(right, authentication_key=right.authentication_key[:-1] + b"?"),
                Keys(right.authentication_key, right.key),
            ):
                self.assertEqual(self.opened(keys, shape.frame()), ([], {"tag": 1}), shape)

    def test_wrong_counters(self) -> None:
        """With a counter that did not rise none is, and the tag vouches for the counter."""
        for shape in shapes():
            for counter in (7, 6, 0):
                data = shape.frame(7) + shape.frame(counter)
                self.assertEqual(self.opened(shape.keys, data), ([shape.plain], {"counter": 1}), shape)
            forged = shape.frame(7).replace((7).to_bytes(4), (9).to_bytes(4), 1)
            self.assertEqual(self.opened(shape.keys, shape.frame(8) + forged), ([shape.plain], {"tag": 1}), shape)

    def test_wrong_bytes(self) -> None:
        """With any one byte wrong, whichever part it is of, none is; the frame behind it always is."""
        for shape in shapes():
            if len(shape.plain) > MEDIUM:
                continue
            frame, following = shape.frame(7), shape.frame(8)
            for place in range(len(frame)):
                wrong = bytearray(frame)
                wrong[place] ^= 1 << place % 8
                opened, refused = self.opened(shape.keys, bytes(wrong) + following)
                self.assertEqual(opened, [shape.plain], (shape, place))
                # Name, counter, what is encrypted and the tag are told from noise; the rest makes a frame of bytes.
                begun = frame.index(b"\x30", 10)
                if 2 <= place < 10 or place > begun:
                    self.assertEqual(refused, {"tag": 1}, (shape, place))

    def test_lost_bytes(self) -> None:
        """With its end, its beginning or a byte in the midst lost, none is; the frame behind it always is."""
        for shape in shapes():
            frame, following = shape.frame(7), shape.frame(8)
            for rest in (frame[:-1], frame[1:], frame[:20] + frame[21:], frame[: len(frame) // 2]):
                self.assertEqual(self.opened(shape.keys, rest + following)[0], [shape.plain], shape)

    def test_a_wrong_crc_inside(self) -> None:
        """A genuine frame with a damaged telegram is refused for the CRC, both are named, and the next is taken."""
        for keys, name in ((LUXEMBOURG, "lu-smarty-04"), (AUSTRIA, "at-steiermark-00")):
            for written in LENGTHS:
                meter = Meter()
                meter.source(decryption=Decryption(keys))
                right = telegram(name)
                wrong = right.replace(b"(0", b"(1", 1)
                meter.cable.send(
                    encrypted(wrong, 1, keys, written=written) + encrypted(right, 2, keys, written=written)
                )
                [refusal] = meter.errors
                self.assertIsInstance(refusal, CrcError)
                self.assertRegex(str(refusal), r"CRC given [0-9A-F]{4}, computed [0-9A-F]{4}")
                self.assertEqual([taken.data for taken in meter.taken], [body_of(right)])
