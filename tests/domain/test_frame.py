"""Tests of dsmr_tw.domain.frame: frames found in any bytes, in any pieces, and never more than are there."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.frame import HEADERS, Frame, FrameCutter, Opened
from dsmr_tw.errors import FrameCounterError, FrameError, FrameLengthError, FrameTagError
from dsmr_tw.limits import FRAME_BYTES
from tests.encrypting import fewest_bytes, two_bytes
from tests.printing import pieces

TITLE = b"SAGgp\x00\x01\x02"
HEADER = b"\xdb\x08" + TITLE


def tag(title: bytes, counter: int, ciphertext: bytes) -> bytes:
    """A tag for frames whose encryption is none."""
    return sha256(title + counter.to_bytes(4) + ciphertext).digest()[:12]


def framed(text: bytes, counter: int = 1) -> bytes:
    """A genuine frame."""
    body = b"\x30" + counter.to_bytes(4) + text + tag(TITLE, counter, text)
    return HEADER + two_bytes(len(body)) + body


def opened(frame: Frame) -> bytes:
    """What a frame holds; counter 0 is a repetition."""
    if frame.tag != tag(frame.title, frame.counter, frame.ciphertext):
        raise FrameTagError("tag")
    if not frame.counter:
        raise FrameCounterError("counter")
    return frame.ciphertext


def kinds(outcomes: list[Opened]) -> list[object]:
    """What frames held, and of others the reason."""
    return [outcome.reason if isinstance(outcome, FrameError) else outcome for outcome in outcomes]


class CuttingCase(SynchronousTestCase):
    """A stream that was just begun."""

    def setUp(self) -> None:
        """Nothing came yet."""
        self.cutter = FrameCutter(opened)

    def take(self, data: bytes, size: int = 64) -> list[object]:
        """What became of bytes that came in pieces."""
        return kinds([outcome for piece in pieces(data, size) for outcome in self.cutter.take(piece)])


class CuttingTests(CuttingCase):
    """Frames that are there."""

    def test_parts(self) -> None:
        """A frame's parts are those of the specification, and the nonce is made of name and counter."""
        found: list[Frame] = []

        def look(frame: Frame) -> bytes:
            found.append(frame)
            return b""

        FrameCutter(look).take(HEADER + b"\x82\x00\x14\x30\x00\x01\x02\x03abc" + b"t" * 12)
        self.assertEqual(found, [Frame(TITLE, 0x010203, b"abc", b"t" * 12)])
        self.assertEqual(found[0].nonce, TITLE + b"\x00\x01\x02\x03")

    def test_pieces(self) -> None:
        """However the bytes are cut, each frame comes once, in order, and no byte is left over."""
        texts = [b"one" * 100, b"x", b"three" * 1000]
        stream = b"".join(map(framed, texts))
        for size in (1, 7, 255, 256, 257, len(stream)):
            self.setUp()
            self.assertEqual(self.take(stream, size), texts, f"in pieces of {size}")
            self.assertEqual((self.cutter.skipped, self.cutter.waiting), (0, 0))

    def test_many_at_once(self) -> None:
        """A read that brings more frames than may wait loses none."""
        texts = [bytes([number]) for number in range(3 * HEADERS)]
        self.assertEqual(self.take(b"".join(map(framed, texts)), 10_000), texts)

    def test_lengths(self) -> None:
        """The length may have one byte or two, or be preceded by how many it has."""
        for size in (1, 100, 200, 1000):
            text = b"t" * size
            body = b"\x30\x00\x00\x00\x01" + text + tag(TITLE, 1, text)
            self.assertEqual(self.take(HEADER + fewest_bytes(len(body)) + body), [text])
            self.assertEqual(self.take(HEADER + two_bytes(len(body)) + body), [text])

    def test_noise_between(self) -> None:
        """What stands between frames is skipped and counted, also when it begins like a frame."""
        noise = b"\xdb\xdb\x08" + b"\xff" * 500 + b"\xdb\x08SAG"
        self.assertEqual(self.take(noise + framed(b"one") + noise + framed(b"two")), [b"one", b"two"])
        self.assertEqual(self.cutter.skipped, 2 * len(noise))

    def test_other_security(self) -> None:
        """What has no tag, or holds nothing, is no frame."""
        self.assertEqual(self.take(HEADER + b"\x82\x00\x20\x20" + bytes(40)), [])
        self.assertEqual(self.take(HEADER + b"\x82\x00\x11\x30" + bytes(40)), [])


class RefusingTests(CuttingCase):
    """Frames that are none, and what comes behind them."""

    def test_a_flipped_byte(self) -> None:
        """A frame with a byte that is wrong is refused for its tag, and the next one comes."""
        self.assertEqual(self.take(framed(b"one").replace(b"one", b"two") + framed(b"next")), ["tag", b"next"])

    def test_a_repetition(self) -> None:
        """A genuine frame that was here before is refused, and leaves nothing behind."""
        self.assertEqual(self.take(framed(b"old", 0) + framed(b"new")), ["counter", b"new"])
        self.assertEqual(self.cutter.skipped, 0)

    def test_lost_bytes(self) -> None:
        """A frame that lost bytes does not take the next one with it, which comes as soon as it is complete."""
        self.assertEqual(self.take(framed(b"one" * 100)[:200] + framed(b"two")), ["length", b"two"])
        self.assertEqual(self.cutter.skipped, 200)

    def test_a_header_within(self) -> None:
        """A header that stands in a genuine frame, by chance, does no harm, whether or not it waits for its end."""
        for claimed in (b"\x82\x00\x20", b"\x82\x0f\xff"):
            text = b"a" * 300 + HEADER + claimed + b"\x30" + b"b" * 300
            self.setUp()
            outcomes = self.take(framed(text) + framed(b"next"))
            self.assertEqual([outcome for outcome in outcomes if isinstance(outcome, bytes)], [text, b"next"])
            self.assertEqual(self.cutter.skipped, 0)

    def test_both_wait(self) -> None:
        """When a frame that lost bytes and the next one end in the same piece, the next one is not lost."""
        broken = framed(b"o" * 400)[:100]
        inner = framed(b"i" * 310)
        self.assertGreater(len(broken) + len(inner), 418)
        self.assertEqual(self.take(broken + inner, 300), ["tag", b"i" * 310])

    def test_both_complete_at_once(self) -> None:
        """When a genuine frame and what looks like one inside it end in the same piece, the genuine one counts."""
        text = b"a" * 100 + HEADER + b"\x82\x01\x30\x30" + b"b" * 296
        frame = framed(text)
        self.assertEqual(self.take(frame[:200], 200), [])
        self.assertEqual(self.take(frame[200:], len(frame)), [text])

    def test_too_long(self) -> None:
        """A frame longer than any may be is refused before its bytes are waited for; the longest is taken."""
        self.assertEqual(self.take(HEADER + b"\x82\xff\xff\x30" + framed(b"next")), ["length", b"next"])
        longest = b"t" * (FRAME_BYTES - 30)
        self.assertEqual(self.take(framed(longest)), [longest])
        self.assertEqual(self.take(framed(longest + b"t") + framed(b"next")), ["length", b"next"])

    def test_the_end_of_the_connection(self) -> None:
        """A frame that is cut off by it is refused, and does not spoil what the next connection brings."""
        self.assertEqual(self.take(framed(b"one" * 50)[:100]), [])
        self.assertEqual(kinds(self.cutter.flush()), ["length"])
        self.assertEqual(self.cutter.flush(), [])
        self.assertEqual(self.take(framed(b"two")), [b"two"])
        self.assertEqual(self.cutter.skipped, 100)

    def test_memory(self) -> None:
        """Noise full of headers is not kept, beyond what the longest frame may have."""
        header = HEADER + b"\x82\x40\x00\x30"
        for _ in range(3000):
            self.cutter.take(header)
            self.assertLess(self.cutter.waiting, 2 * FRAME_BYTES)
        self.assertLessEqual(self.cutter.waiting, (HEADERS + 1) * len(header))
        self.assertEqual(self.take(framed(b"next"))[-1:], [b"next"])

    def test_work(self) -> None:
        """Noise full of headers costs so many tries for each byte at most, in one read or many."""
        tried: list[int] = []

        def refuse(frame: Frame) -> bytes:
            tried.append(len(frame.ciphertext))
            raise FrameTagError("tag")

        for length, most_tries in ((b"\x03\x00", 1000), (b"\x30\x00", 10)):
            noise = (HEADER + b"\x82" + length + b"\x30" + b"x" * 40) * 1000
            tried.clear()
            FrameCutter(refuse).take(noise)
            self.assertLess(len(tried), most_tries)
            self.assertLess(sum(tried), 2 * HEADERS * len(noise))


PARTS = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [b"\xdb\x08", HEADER, HEADER + b"\x82", HEADER + b"\x82\x01\x00\x30", HEADER + b"\x82\xf0\x00\x30"]
    ),
    st.binary(min_size=1, max_size=600).map(framed),
)


class LawTests(CuttingCase):
    """What holds for any bytes."""

    @settings(max_examples=200, deadline=None)
    @given(st.lists(PARTS, max_size=12), st.integers(1, 700), st.data())
    def test_any_bytes(self, parts: list[bytes], size: int, data: st.DataObject) -> None:
        """Whatever comes, in whatever pieces, what is opened was there; the next good frame always comes."""
        self.setUp()
        stream = bytearray(b"".join(parts))
        for position in data.draw(st.lists(st.integers(0, max(0, len(stream) - 1)), max_size=3)) if stream else ():
            stream[position] ^= data.draw(st.integers(1, 255))
        last = framed(b"the last one")
        found = self.take(bytes(stream) + last, size)
        texts = [text for text in found if isinstance(text, bytes)]
        self.assertEqual(texts[-1], b"the last one")
        position = 0
        for text in texts:
            position = (bytes(stream) + last).index(framed(text), position) + len(framed(text))
        genuine = sum(len(framed(text)) for text in texts)
        self.assertEqual(self.cutter.skipped + self.cutter.waiting + genuine, len(stream) + len(last))

    def test_errors_are_telegram_errors_with_a_reason(self) -> None:
        """Each way to be refused has its word."""
        self.assertEqual([error.reason for error in (FrameTagError, FrameLengthError)], ["tag", "length"])
