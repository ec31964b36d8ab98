"""Tests of dsmr_tw.decrypt: keys, genuine frames, frames that are none, and telegrams on their way to a source."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.decrypt import FRAMES_ANEW, PUBLIC_AUTHENTICATION_KEY, Decryption, Keys, read_keys
from dsmr_tw.errors import CrcError, FrameError, SettingsError
from dsmr_tw.sourcehealth import SILENCE_S
from tests.cable import Meter
from tests.encrypting import AUSTRIA, LUXEMBOURG, encrypted, fewest_bytes, two_bytes
from tests.golden_telegrams import body_of, telegram
from tests.printing import pieces, printed

OTHER = b"SAGgp\x00\x01\x03"


class KeyFileTests(SynchronousTestCase):
    """``--decryption-key-file``."""

    def file(self, text: str | bytes, mode: int = 0o600) -> Path:
        """A file of that mode."""
        path = Path(self.mktemp())
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    def sentence(self, path: Path) -> str:
        """Why it is refused."""
        return str(self.assertRaises(SettingsError, read_keys, path))

    def test_the_key(self) -> None:
        """One line is the key of a meter in Luxembourg, in large letters or small, with spaces or without."""
        digits = LUXEMBOURG.key.hex()
        for text in (digits, f"{digits.upper()}\n", f"\r\n{LUXEMBOURG.key.hex(' ')}\r\n\r\n"):
            self.assertEqual(read_keys(self.file(text)), LUXEMBOURG)
        self.assertEqual(LUXEMBOURG.authentication_key, PUBLIC_AUTHENTICATION_KEY)

    def test_the_authentication_key(self) -> None:
        """The second line is the authentication key, as operators give it: with 30 in front, or without."""
        for front in ("", "30"):
            text = f"{AUSTRIA.key.hex()}\n{front}{AUSTRIA.authentication_key.hex()}\n"
            self.assertEqual(read_keys(self.file(text, 0o640)), AUSTRIA)

    def test_a_file_that_everybody_reads(self) -> None:
        """It is refused, with the command that closes it."""
        for mode in (0o604, 0o602, 0o644):
            path = self.file(LUXEMBOURG.key.hex(), mode)
            self.assertIn(f"is open to every user of this machine; close it with: chmod o= {path}", self.sentence(path))

    def test_no_key(self) -> None:
        """What is no key is refused in a sentence that says what one is, and not what the file holds."""
        key = LUXEMBOURG.key.hex()
        for text in (
            "",
            key[:-1],
            key + "0",
            "30" + key,
            key[:-1] + "g",
            f"{key}\n{key[:-1]}",
            f"{key}\n31{key}",
            f"{key}\n{key}\n{key}",
            key + " " * 1000,
            key.encode("utf-16"),
        ):
            sentence = self.sentence(self.file(text))
            self.assertIn("must hold a key of 32 hexadecimal digits on its first line", sentence)
            self.assertNotIn(key[:8], sentence)

    def test_no_file(self) -> None:
        """A file that can't be read is named, with the reason."""
        missing = Path(self.mktemp())
        self.assertEqual(
            self.sentence(missing), f"--decryption-key-file {missing} can't be read: No such file or directory."
        )
        folder = Path(self.mktemp())
        folder.mkdir()
        self.assertIn("can't be read: Is a directory.", self.sentence(folder))

    def test_keys_are_never_shown(self) -> None:
        """Whatever writes them down, in a log or a traceback, writes no key."""
        for shown in (repr(AUSTRIA), repr(Decryption(AUSTRIA))):
            for key in (AUSTRIA.key, AUSTRIA.authentication_key):
                self.assertNotIn(repr(key)[2:-1], shown)
                self.assertNotIn(key.hex(), shown)


class DecryptionTests(SynchronousTestCase):
    """Frames of a line."""

    def setUp(self) -> None:
        """A line in Luxembourg."""
        self.decryption = Decryption(LUXEMBOURG)

    def take(self, data: bytes) -> list[bytes | str]:
        """What frames held, or why they were refused."""
        return [str(one) if isinstance(one, FrameError) else one for one in self.decryption.take(data)]

    def refused(self, **expected: int) -> None:
        """So many were refused, for these reasons and no others."""
        self.assertEqual(self.decryption.refused, {"tag": 0, "counter": 0, "length": 0, **expected})

    def test_every_shape(self) -> None:
        """Frames of Luxembourg and of Austria are opened, with lengths of all forms."""
        for keys in (LUXEMBOURG, AUSTRIA):
            for written in (two_bytes, fewest_bytes):
                self.decryption = Decryption(keys)
                for counter, size in enumerate((1, 110, 111, 238, 239, 16_384)):
                    plain = bytes(size)
                    self.assertEqual(self.take(encrypted(plain, counter, keys, written=written)), [plain])
                self.refused()

    def test_wrong_keys(self) -> None:
        """With another key, or another authentication key, nothing is opened, and each frame is counted."""
        for which, keys in (
            ("key", evolve(LUXEMBOURG, key=bytes(16))),
            ("authentication key", Keys(LUXEMBOURG.key, bytes(16))),
        ):
            self.decryption = Decryption(keys)
            for counter in range(3):
                [words] = self.take(encrypted(printed(1), counter))
                self.assertEqual(words, f"Frame not genuine: damaged on its way, or the {which} is not this meter's")
            self.refused(tag=3)
            self.assertEqual(self.decryption.skipped + 13, 3 * len(encrypted(printed(1), 1)))

    def test_repetitions(self) -> None:
        """A frame that was here before is refused, whatever came in between; one with a counter that rose is not."""
        first, second = encrypted(b"first", 5), encrypted(b"second", 6)
        self.assertEqual(self.take(first), [b"first"])
        self.assertEqual(self.take(first), ["Frame 5 came after frame 5: it is a repetition"])
        self.assertEqual(self.take(second), [b"second"])
        self.assertEqual(self.take(first), ["Frame 5 came after frame 6: it is a repetition"])
        self.assertEqual(self.take(encrypted(b"later", 2**32 - 1)), [b"later"])
        self.refused(counter=2)

    def test_a_forged_counter(self) -> None:
        """A frame that is not genuine does not make the counter rise."""
        forged = encrypted(b"forged", 1000, AUSTRIA)
        self.assertEqual(len(self.take(encrypted(b"1", 1) + forged + encrypted(b"2", 2))), 3)
        self.refused(tag=1)

    def test_a_meter_that_counts_anew(self) -> None:
        """When so many genuine frames in a row rise from a lower number, the meter is believed to count anew."""
        self.take(encrypted(b"before", 9000))
        for counter in range(FRAMES_ANEW):
            self.assertIn("it is a repetition", str(self.take(encrypted(b"after", counter))))
        self.assertEqual(self.take(encrypted(b"after", FRAMES_ANEW)), [b"after"])
        self.assertIn("it is a repetition", str(self.take(encrypted(b"after", FRAMES_ANEW))))
        self.assertEqual(self.take(encrypted(b"after", FRAMES_ANEW + 1)), [b"after"])
        self.refused(counter=FRAMES_ANEW + 1)

    def test_an_old_frame_again_and_again(self) -> None:
        """One frame, or two in turn, never make that many, and no more do some between good ones."""
        self.take(encrypted(b"1", 1) + encrypted(b"2", 2))
        for number in range(3 * FRAMES_ANEW):
            self.assertIn("it is a repetition", str(self.take(encrypted(b"1", 1 + number % 2))))
        for counter in range(10, 10 + 2 * FRAMES_ANEW):
            self.assertEqual(self.take(encrypted(b"3", counter)), [b"3"])
            self.assertIn("it is a repetition", str(self.take(encrypted(b"old", counter - 8))))
        self.refused(counter=5 * FRAMES_ANEW)

    def test_another_meter(self) -> None:
        """A meter that takes the place of another begins to count anew."""
        self.take(encrypted(b"old", 9000))
        self.assertEqual(self.take(encrypted(b"new", 0, title=OTHER)), [b"new"])
        self.assertEqual(len(self.take(encrypted(b"new", 0, title=OTHER))), 1)
        self.refused(counter=1)

    def test_the_end_of_the_connection(self) -> None:
        """A frame that it cuts off is counted."""
        self.take(encrypted(printed(1), 1)[:100])
        self.assertEqual(len(self.decryption.flush()), 1)
        self.refused(length=1)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(st.one_of(st.binary(max_size=200), st.integers(0, 5)), max_size=10),
        st.integers(1, 999),
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255)), max_size=3),
    )
    def test_any_bytes(self, parts: list[bytes | int], size: int, flips: list[tuple[float, int]]) -> None:
        """Whatever becomes of frames on their way, what is opened is an original, in its order, and the next comes."""
        self.setUp()
        stream = bytearray(
            b"".join(part if isinstance(part, bytes) else encrypted(printed(part), part) for part in parts)
        )
        for place, flip in flips:
            if stream:
                stream[int(place * len(stream))] ^= flip
        opened = [
            one
            for piece in pieces(bytes(stream) + encrypted(printed(7), 7), size)
            for one in self.decryption.take(piece)
            if isinstance(one, bytes)
        ]
        self.assertEqual(opened[-1], printed(7))
        numbers = [number for number in range(8) if printed(number) in opened]
        self.assertEqual(opened, [printed(number) for number in numbers])


class SourceTests(SynchronousTestCase):
    """A meter that encrypts, at the end of a source's cable."""

    def setUp(self) -> None:
        """A source that has the key."""
        self.meter = Meter()
        self.source = self.meter.source(decryption=Decryption(LUXEMBOURG))

    def send(self, *frames: bytes) -> None:
        """Let the meter print, as a serial port gives it."""
        for piece in pieces(b"".join(frames), 62):
            self.meter.cable.send(piece)

    def test_telegrams(self) -> None:
        """What is encrypted is taken like any telegram, with the dialect that it has, between any noise."""
        plain = telegram("lu-smarty-04")
        self.send(b"\x00\xff\x11\x13!/", encrypted(plain, 1), b"\r\n", encrypted(plain, 2))
        self.assertEqual([telegram.data for telegram in self.meter.taken], [body_of(plain)] * 2)
        health = self.source.health
        self.assertEqual((health.telegrams, health.dialect, health.bytes_skipped), (2, "Luxembourg", 8))
        self.assertEqual(health.frames_refused, {"tag": 0, "counter": 0, "length": 0})

    def test_without_line_end(self) -> None:
        """A telegram is there as soon as its frame is, also when nothing stands behind its CRC."""
        self.send(encrypted(printed(1).rstrip(), 1))
        self.assertEqual(len(self.meter.taken), 1)

    def test_crc(self) -> None:
        """The CRC inside is checked as everywhere."""
        self.send(encrypted(printed(1).replace(b"000001", b"000003", 1), 1), encrypted(printed(2), 2))
        self.assertEqual([type(error) for error in self.meter.errors], [CrcError])
        self.assertEqual((self.source.health.telegrams, self.source.health.crc_errors), (1, 1))

    def test_refused(self) -> None:
        """Frames that are refused are counted for their reason, told in words, and no telegram is lost for them."""
        first, broken = encrypted(printed(1), 1), encrypted(printed(2), 2)[:-1] + b"?"
        with capturedLogs() as events:
            self.send(first, first, broken, encrypted(telegram("lu-smarty-04"), 3)[:90], encrypted(printed(4), 4))
        health = self.source.health
        self.assertEqual(health.frames_refused, {"tag": 1, "counter": 1, "length": 1})
        self.assertEqual((health.telegrams, health.rejected, len(self.meter.errors)), (2, 3, 3))
        self.assertIn(
            "device /dev/ttyUSB0: telegram refused: Frame 1 came after frame 1: it is a repetition",
            [formatEvent(event) for event in events],
        )

    def test_no_telegram_inside(self) -> None:
        """A genuine frame that holds something else is said to, and spoils nothing."""
        self.send(encrypted(b"\x0f\x80\x00", 1), encrypted(printed(1)[:50], 2), encrypted(printed(2), 3))
        self.assertEqual(
            [str(error) for error in self.meter.errors],
            [
                "Frame decrypted, but there is no telegram in it",
                "Telegram not complete after 51 bytes: nothing follows",
            ],
        )
        self.assertEqual(len(self.meter.taken), 1)

    def test_another_connection(self) -> None:
        """What a connection's end cuts off is refused; a frame from before it is a repetition behind it."""
        first = encrypted(printed(1), 1)
        self.send(first, encrypted(printed(2), 2)[:80])
        self.meter.cable.cut()
        self.meter.wait(1)
        self.send(first, encrypted(printed(3), 3))
        self.assertEqual(len(self.meter.taken), 2)
        self.assertEqual(self.source.health.frames_refused, {"tag": 0, "counter": 1, "length": 1})

    def test_the_wrong_key(self) -> None:
        """After a minute of frames that do not fit, ``/health`` doubts the key."""
        for number in range(SILENCE_S):
            self.send(encrypted(printed(1), number, AUSTRIA))
            self.meter.wait(1)
        self.assertEqual(
            self.source.health.problem(),
            "device /dev/ttyUSB0: no telegram for 60 s; the last one was refused: "
            "Frame not genuine: damaged on its way, or the key is not this meter's",
        )

    def trouble(self, data: bytes) -> str | None:
        """What is said about a line after a minute of this."""
        self.send(data)
        self.meter.wait(SILENCE_S)
        return self.source.health.trouble

    def test_a_meter_that_prints_plainly(self) -> None:
        """With a key nothing is taken that is not encrypted; what to do is said."""
        self.assertEqual(
            self.trouble(printed(1)),
            "bytes came, but no telegram; it looks like telegrams that are not encrypted: "
            "leave out --decryption-key-file",
        )
        self.assertEqual(self.meter.taken, [])

    def test_a_meter_whose_key_is_not_given(self) -> None:
        """Without a key, a line that is encrypted is known for one."""
        self.meter = Meter()
        self.source = self.meter.source()
        self.assertEqual(
            self.trouble(encrypted(printed(1), 1)),
            "bytes came, but no telegram; it looks like encrypted telegrams, which need the key that your grid "
            "operator gives: --decryption-key-file",
        )
        self.assertIsNone(self.source.health.frames_refused)

    def test_a_meter_whose_telegrams_never_end(self) -> None:
        """Without a key, lines of plain telegrams are nothing to wonder at, whatever keeps telegrams from coming."""
        self.meter = Meter()
        self.source = self.meter.source()
        self.assertEqual(
            self.trouble(printed(1)[14:100]),
            "bytes came, but no telegram; are baud rate and cable those of this meter?",
        )

    def test_a_frame_without_end(self) -> None:
        """A line whose frames are never complete is told by what it looks like; the key is there already."""
        words = "bytes came, but no telegram; it looks like encrypted telegrams"
        self.assertEqual(self.trouble(encrypted(printed(1), 1)[:50]), words)

    def test_another_protocol(self) -> None:
        """Frames that are no P1 at all are named, with a key and without."""
        hdlc = b"~\xa0\x7a\xcf\x02\x23\x13\x1a\xe6\xe7\x00\x0f\x00"
        words = "bytes came, but no telegram; it looks like frames of HDLC, another protocol than P1"
        self.assertIn(words, self.trouble(hdlc) or "")
        self.meter = Meter()
        self.source = self.meter.source()
        self.assertIn(words, self.trouble(hdlc) or "")

    def test_keys_and_telegrams_stay_out_of_the_log(self) -> None:
        """Nothing that is logged on the way holds a key."""
        with capturedLogs() as events:
            self.send(encrypted(printed(1), 1), encrypted(printed(1), 1), encrypted(printed(1), 2, AUSTRIA))
        self.assertTrue(events)
        for event in events:
            self.assertNotIn(LUXEMBOURG.key.hex(), f"{formatEvent(event)}{event}".lower())
