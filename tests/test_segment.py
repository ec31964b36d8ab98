"""Tests of dsmr_tw.segment: the bytes of one file of the spool."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.demo import DemoMeter
from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.segment import DICTIONARY_BYTES, LONGEST, Codec, frames_of, scan
from tests.arrivals import NOON

MOST_A_TELEGRAM = 231
"""Bytes on disk, so that three days of a telegram a second take 60 MB."""


def telegrams(number: int, seed: int = 1) -> list[bytes]:
    """What a meter prints in so many seconds."""
    meter = DemoMeter(seed, meter_zone("Europe/Amsterdam"))
    return [meter.telegram(NOON + n * SECOND) for n in range(number)]


def records_in(data: bytes) -> list[bytes]:
    """What can be read, by somebody who has nothing but the bytes."""
    codec = Codec()
    return [codec.record(*frame) for frame in scan(data).frames]


class SegmentTests(SynchronousTestCase):
    """Records in, the same records out."""

    @given(st.lists(st.binary(max_size=200), max_size=12))
    def test_whatever_goes_in_comes_out(self, records: list[bytes]) -> None:
        """Any bytes, empty ones too."""
        self.assertEqual(records_in(frames_of(Codec(), records)), records)

    def test_telegrams_of_one_meter_take_little_room(self) -> None:
        """From one second to the next most of a telegram stays as it is."""
        printed = telegrams(300)
        data = frames_of(Codec(), printed)
        self.assertEqual(records_in(data), printed)
        self.assertLess(len(data) / len(printed), 150)

    def test_telegrams_of_several_meters_take_little_room(self) -> None:
        """The first one of each helps to write the others."""
        printed = [one for several in zip(*(telegrams(60, seed) for seed in (1, 2, 3)), strict=True) for one in several]
        noise = Random(1).randbytes(900)
        printed = [noise + one[:20] if n % 4 == 3 else one for n, one in enumerate(printed)]
        data = frames_of(Codec(), printed)
        self.assertEqual(records_in(data), printed)
        self.assertLess(len(data) / len(printed), MOST_A_TELEGRAM)

    def test_the_dictionary_has_a_bound(self) -> None:
        """A thousand unlike records do not make a file slow, or large in memory."""
        random, codec = Random(1), Codec()
        records = [random.randbytes(1000) for _ in range(100)]
        self.assertEqual(records_in(frames_of(codec, records)), records)
        self.assertLessEqual(len(codec.dictionary), DICTIONARY_BYTES)

    def test_a_record_that_no_telegram_could_be(self) -> None:
        """It is refused, rather than written so that nothing behind it could be read."""
        with self.assertRaises(ValueError):
            Codec().frame(Random(1).randbytes(LONGEST + 1))

    def test_as_many_as_are_asked_for(self) -> None:
        """A long file is read in pieces."""
        data = frames_of(Codec(), telegrams(7))
        first = scan(data, 3)
        rest = scan(data, 9, first.end)
        self.assertEqual([len(first.frames), len(rest.frames), rest.end], [3, 4, len(data)])

    def test_cut_off_anywhere(self) -> None:
        """After a power cut the whole records are read, and half a one is no damage: nobody was told it was there."""
        printed = telegrams(4)
        codec = Codec()
        ends = [0]
        data = b""
        for one in printed:
            data += codec.frame(one)
            ends.append(len(data))
        for end in range(len(data) + 1):
            found = scan(data[:end])
            whole = sum(each <= end for each in ends) - 1
            self.assertEqual((len(found.frames), found.end, found.is_damaged), (whole, ends[whole], False), end)

    def test_zeros_behind_a_record(self) -> None:
        """A power cut may leave a file's length without its bytes: that is no damage; zeros in a record are."""
        data = frames_of(Codec(), telegrams(3))
        for zeros in (1, 7, 8, 5000):
            found = scan(data + bytes(zeros))
            self.assertEqual((len(found.frames), found.end, found.is_damaged), (3, len(data), False), zeros)
        self.assertTrue(scan(data[:-4] + bytes(4)).is_damaged)
        self.assertTrue(scan(data + bytes(8) + data).is_damaged)

    def test_any_byte_changed(self) -> None:
        """What stands before it is read, it is never taken for what was written, and never for half a record."""
        printed = telegrams(3)
        data = frames_of(Codec(), printed)
        for at in range(len(data)):
            for bit in (1, 128):
                bad = bytearray(data)
                bad[at] ^= bit
                found = scan(bytes(bad))
                self.assertTrue(found.is_damaged, at)
                self.assertEqual(records_in(bytes(bad)), printed[: len(found.frames)])
                self.assertLessEqual(found.end, at)
