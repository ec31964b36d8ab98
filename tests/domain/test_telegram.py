"""Tests of dsmr_tw.domain.telegram: what of a stream of bytes is a telegram, and what becomes of all the rest.

Any damage at all is done to telegrams in ``test_telegram_damage.py``.
"""

from __future__ import annotations

from fastcrc.crc16 import arc, ibm_sdlc
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.telegram import (
    CrcPolicy,
    Outcome,
    RawTelegram,
    TelegramAssembler,
    outcomes_in,
    telegrams_in,
    with_line_ends,
)
from dsmr_tw.errors import CrcError, TelegramError, TelegramTooLong
from dsmr_tw.limits import TELEGRAM_BYTES
from tests.golden_telegrams import REFUSED, bodies, body_of, errors, signed, telegram, valid_dutch

GOOD = telegram("dsmr-5-0-46")
NEXT = telegram("dsmr-4-2-00")
OLD = telegram("dsmr-2-2-3-0-00")
NOISE = b"\xb3\x00\xff\xfd\x01" * 4000

HOLLEY = signed(body_of(GOOD).replace(b"/ISK5\\2M550T-1012", b"/HLY5/D545-METER/ABC"))


class CrcTests(SynchronousTestCase):
    """Which telegrams are trusted."""

    def judge(self, data: bytes, policy: CrcPolicy = CrcPolicy.STRICT) -> RawTelegram | str:
        """The telegram in these bytes, or what is said against it."""
        (outcome,) = outcomes_in(data, policy)
        return outcome if isinstance(outcome, RawTelegram) else str(outcome)

    def test_all_good_ones(self) -> None:
        """Every Dutch telegram with a right CRC is taken, byte for byte, all in one stream."""
        names = valid_dutch()
        self.assertEqual(len(names), 36)
        stream = b"".join(map(telegram, names))
        self.assertEqual(bodies(outcomes_in(stream)), [body_of(telegram(name)) for name in names])

    def test_all_bad_ones(self) -> None:
        """One with a wrong CRC, or with none where there should be one, is refused, and both CRCs are named."""
        for name, reason in REFUSED.items():
            self.assertEqual(self.judge(telegram(name)), reason)
            (outcome,) = outcomes_in(telegram(name))
            self.assertIsInstance(outcome, CrcError)

    def test_dialects_without_a_crc(self) -> None:
        """DSMR 2.2 and 3.0, and Q3D, need none, since they print none."""
        for name in ("dsmr-2-2-3-0-00", "dsmr-2-2-3-0-04", "q3d"):
            taken = self.judge(telegram(name))
            self.assertEqual(taken, RawTelegram(body_of(telegram(name)), None))

    def test_signs_of_a_crc(self) -> None:
        """A version or a clock tells a dialect that prints a CRC, so that a telegram of it needs one."""
        for line in (b"1-3:0.2.8(42)", b"0-0:1.0.0(220605191351S)", b"0-0:96.1.4(50217)"):
            body = body_of(OLD).replace(b"\r\n\r\n", b"\r\n\r\n" + line + b"\r\n")
            self.assertEqual(self.judge(body + b"\r\n"), f"CRC absent, computed {arc(body):04X}")

    def test_printed_crc_counts_in_every_dialect(self) -> None:
        """Where a CRC is printed it must be right, also in a dialect that needs none."""
        self.assertEqual(self.judge(OLD[:-2] + b"0001\r\n"), f"CRC given 0001, computed {arc(body_of(OLD)):04X}")

    def test_optional(self) -> None:
        """With an optional CRC an absent one is accepted, a wrong or unreadable one is not."""
        name = "dsmr-4-2-12"
        self.assertEqual(self.judge(telegram(name), CrcPolicy.OPTIONAL), RawTelegram(body_of(telegram(name)), None))
        self.assertEqual(self.judge(telegram("dsmr-5-0-34"), CrcPolicy.OPTIONAL), REFUSED["dsmr-5-0-34"])
        self.assertIn("not readable", str(self.judge(body_of(GOOD) + b"1F5q\r\n", CrcPolicy.OPTIONAL)))

    def test_off(self) -> None:
        """Without a check any telegram is taken, with the CRC as it is printed."""
        wrong = telegram("dsmr-5-0-38")
        self.assertEqual(self.judge(wrong, CrcPolicy.OFF), RawTelegram(body_of(wrong), 0x67B1))
        self.assertEqual(self.judge(body_of(GOOD) + b"none\r\n", CrcPolicy.OFF), RawTelegram(body_of(GOOD), None))

    def test_holley(self) -> None:
        """A meter of Holley may print a CRC-16/X-25; no other may, and one that is neither is refused."""
        body = body_of(HOLLEY)
        other = ibm_sdlc(body)
        self.assertNotEqual(other, arc(body))
        taken = self.judge(body + b"%04x\r\n" % other)
        assert isinstance(taken, RawTelegram)
        self.assertEqual((taken.crc, taken.computed_crc), (other, other))
        taken = self.judge(HOLLEY)
        assert isinstance(taken, RawTelegram)
        self.assertEqual((taken.crc, taken.computed_crc), (arc(body), arc(body)))
        self.assertEqual(self.judge(body + b"0001\r\n"), f"CRC given 0001, computed {other:04X}")
        body = body_of(GOOD)
        self.assertEqual(
            self.judge(body + b"%04X\r\n" % ibm_sdlc(body)), f"CRC given {ibm_sdlc(body):04X}, computed {arc(body):04X}"
        )

    def test_spellings(self) -> None:
        """The CRC is compared as a number: lower case, a dropped zero, padding and what follows it do not matter."""
        good, short = telegram("dsmr-5-0-46"), telegram("dsmr-4-0-02")
        self.assertEqual((good[-6:], short[-6:]), (b"7BC0\r\n", b"0434\r\n"))
        for end in (b"7bc0\r\n", b"7BC0", b"7BC0\n", b"7BC0\0\r\n", b"7BC0 junk\r\n", b"7BC0A\r\n"):
            self.assertEqual(self.judge(good[:-6] + end), RawTelegram(body_of(good), 0x7BC0), end)
        for end in (b"434\r\n", b"434", b"434 junk\r\n", b"434\0\0\r\n"):
            self.assertEqual(self.judge(short[:-6] + end), RawTelegram(body_of(short), 0x434), end)

    def test_unreadable(self) -> None:
        """Anything else behind the exclamation mark is no CRC: a flipped bit makes one of a 1."""
        for end in (b"-0:1.8.1(001073.079*kWh)\r\n", b"434q\r\n", b" 0434\r\n", b"ZZZZ\r\n", b"43/\r\n", b"\xff\r\n"):
            said = self.judge(telegram("dsmr-4-0-02")[:-6] + end)
            self.assertEqual(said, "CRC not readable, computed 0434", end)

    def test_absent(self) -> None:
        """Padding behind the exclamation mark is no CRC either, but an absent one."""
        for end in (b"", b"\n", b"\r\n", b"\0\0\r\n", b"  \r\n"):
            self.assertEqual(self.judge(telegram("dsmr-4-0-02")[:-6] + end), "CRC absent, computed 0434", end)

    def test_text(self) -> None:
        """A telegram is shown with its CRC in four digits, each byte as one character."""
        taken = self.judge(telegram("dsmr-4-0-02"))
        assert isinstance(taken, RawTelegram)
        self.assertEqual(taken.text, telegram("dsmr-4-0-02").decode("latin-1").rstrip())
        self.assertEqual((taken.identification, taken.computed_crc), ("KFM5KAIFA-METER", 0x434))
        self.assertEqual(RawTelegram(b"/A\xb3\n!", None).text, "/A³\n!")

    def test_every_flipped_bit(self) -> None:
        """A telegram with one bit flipped is refused, unless the bit is one that does not count; the next is taken."""
        for data in (telegram("dsmr-4-2-18"), telegram("dsmr-5-0-32"), telegram("dsmr-4-0-02"), HOLLEY):
            end = data.rindex(b"!") + 5
            for place in range(end):
                for bit in range(8):
                    flipped = data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
                    taken = bodies(outcomes_in(flipped + NEXT))
                    same = flipped[:end].upper() == data[:end].upper() and place > end - 5
                    expected = [body_of(data), body_of(NEXT)] if same else [body_of(NEXT)]
                    self.assertEqual(taken, expected, (place, bit))


class StreamTests(SynchronousTestCase):
    """What damage costs."""

    def check(self, stream: bytes, *taken: bytes, refused: int = 0, policy: CrcPolicy = CrcPolicy.STRICT) -> list[str]:
        """Of the stream these telegrams are taken and so many refused; what is said about those."""
        outcomes = outcomes_in(stream, policy)
        self.assertEqual(bodies(outcomes), [body_of(data) for data in taken])
        said = errors(outcomes)
        self.assertEqual(len(said), refused, said)
        return said

    def test_beginning_in_the_midst(self) -> None:
        """When listening begins in the midst of a telegram, its rest is skipped silently."""
        assembler = TelegramAssembler()
        for line in (GOOD[310:] + NEXT).split(b"\n")[:-1]:
            last = assembler.line(line)
        self.assertEqual(bodies(list(last)), [body_of(NEXT)])
        self.assertEqual(assembler.skipped, len(GOOD[310:]))

    def test_cut(self) -> None:
        """A telegram that is cut off costs itself, wherever it is cut and however the next one follows."""
        for end in range(1, len(GOOD) - 6):
            self.check(GOOD[:end] + NEXT, NEXT, refused=1)
            said = self.check(GOOD[:end] + b"\r\n" + NEXT, NEXT, refused=1)
        self.assertEqual(said, [f"Telegram not complete after {len(GOOD) - 5} bytes: the header of another follows"])

    def test_cut_in_the_crc(self) -> None:
        """The CRC's line may run into the next header."""
        for length, refused in ((0, 1), (1, 1), (2, 1), (3, 1), (4, 0)):
            data = GOOD[: len(GOOD) - 6 + length]
            self.check(data + NEXT, *([] if refused else [GOOD]), NEXT, refused=refused)
        self.check(GOOD[:-2] + b" ?" + GOOD[:-2] + NEXT, GOOD, GOOD, NEXT)

    def test_glued(self) -> None:
        """Noise before a header costs nothing, unless it begins a line with a slash; noise in a telegram costs that."""
        for noise in (
            b"\xff\xfe",
            b"\0",
            b"a/b/",
            b"!",
            b"!12",
            b"\r",
            b"x/path/to",
            b"x/path/to\r\n",
            b"x" + b"/" * 99,
        ):
            self.check(GOOD + noise + NEXT, GOOD, NEXT)
        for noise in (b"/path/to", b"/path/to\r\n", b"/" * 100):
            self.check(GOOD + noise + NEXT, GOOD, NEXT, refused=1)
        self.check(GOOD[:500] + b"\0" + GOOD[500:] + NEXT, NEXT, refused=1)

    def test_header_in_a_header(self) -> None:
        """An identification may hold slashes, also when its telegram follows one that was cut in its own header."""
        self.check(HOLLEY + NEXT, HOLLEY, NEXT)
        self.check(GOOD[:7] + HOLLEY + NEXT, HOLLEY, NEXT, refused=1)

    def test_without_a_crc(self) -> None:
        """Two telegrams that ran into each other are not taken for one where no CRC would tell."""
        said = self.check(OLD[:200] + OLD + NEXT, OLD, NEXT, refused=1)
        self.assertEqual(said, ["Telegram not complete: the header of another stands in it"])
        self.check(GOOD[:200] + GOOD + NEXT, GOOD, NEXT, refused=1, policy=CrcPolicy.OFF)

    def test_many_headers(self) -> None:
        """Of bytes that are refused only the last headers are tried, so that nobody can keep us busy."""
        fakes = b"\0/FAK" * 500
        self.check(GOOD[:-7] + fakes + b"\r\n" + NEXT[:20] + NEXT, NEXT, refused=2)
        self.check(GOOD[:-7] + fakes + NEXT, NEXT, refused=1)
        late = b"/ABC5\r\n" + b"\0/FAK5\r\n" * 20 + b"!"
        self.check(b"/ABC5\r\n\0" + signed(late) + NEXT, NEXT, refused=1)

    def test_end_of_the_line(self) -> None:
        """What is under way when a connection ends is refused, once."""
        assembler = TelegramAssembler()
        self.assertEqual(list(assembler.flush()), [])
        for line in GOOD[:100].split(b"\n"):
            assembler.line(line)
        self.assertEqual(errors(list(assembler.flush())), ["Telegram not complete after 101 bytes: nothing follows"])
        self.assertEqual(list(assembler.flush()), [])
        self.assertEqual(bodies(outcomes_in(NEXT)), [body_of(NEXT)])

    def test_blank_lines(self) -> None:
        """Line ends between telegrams are not counted as skipped bytes, all else is."""
        assembler = TelegramAssembler()
        for line in (b"\r", b"", b"ab\r", b"\0\r"):
            self.assertEqual(list(assembler.line(line)), [])
        self.assertEqual(assembler.skipped, len(b"ab\r\n\0\r\n"))
        assembler.line(b"xy/ISK5")
        assembler.line(b"/ISK5")
        self.assertEqual(assembler.skipped, len(b"ab\r\n\0\r\nxy/ISK5\n"))

    def test_long_message(self) -> None:
        """A message of 1 024 octets is part of a telegram like any other line."""
        message = signed(body_of(GOOD).replace(b"0-0:96.13.0()", b"0-0:96.13.0(" + b"3F" * 1024 + b")"))
        self.check(message + NEXT, message, NEXT)

    def test_too_much(self) -> None:
        """More than 16 KiB without an end are refused once, and the next telegram is taken."""
        lines = b"1-0:99.99.9(0)\r\n" * 1100
        (said,) = self.check(GOOD[:-7] + lines + NEXT, NEXT, refused=1)
        self.assertEqual(said, f"Telegram not complete after {said.split()[4]} bytes: no end within 16384 bytes")
        self.assertIsInstance(outcomes_in(GOOD[:-7] + lines)[0], TelegramTooLong)
        self.check(GOOD[:-7] + lines[:8000] + b"x" + NEXT[:-7] + b"\r\n" + lines[:4000] + NEXT, NEXT, refused=1)
        self.check(b"/ISK5" + b"x" * 20_000 + b"\r\n" + NEXT, NEXT, refused=1)

    def test_too_much_before_a_header(self) -> None:
        """A header that comes late in too many bytes begins a telegram of its own, unless it comes too early."""
        lines = b"1-0:99.99.9(0)\r\n"
        self.check(GOOD[:-7] + b"x\r\n" + lines * 950 + b"x" + NEXT, NEXT, refused=1)
        self.check(GOOD[:-7] + b"x" + NEXT[:-7] + lines * 1000, refused=1)

    def test_largest(self) -> None:
        """A telegram of 16 KiB is taken, one of a byte more is not."""
        for spare, refused in ((0, 0), (1, 1)):
            filler = b"1" * (TELEGRAM_BYTES - len(b"/ISK5\r\n\r\n") + spare)
            data = signed(b"/ISK5\r\n" + filler + b"\r\n!")
            self.check(data + NEXT, *([] if refused else [data]), NEXT, refused=refused)


class TooLongTests(SynchronousTestCase):
    """Lines that the framer does not want to hold."""

    def run_through(self, given_up: bytes, then: bytes, before: bytes = b"") -> tuple[list[Outcome], TelegramAssembler]:
        """What comes of lines, bytes that the framer gives up on, and more lines."""
        assembler = TelegramAssembler()
        outcomes = [outcome for line in before.split(b"\n")[:-1] for outcome in assembler.line(line)]
        outcomes += assembler.too_long(given_up)
        outcomes += [outcome for line in then.split(b"\n")[:-1] for outcome in assembler.line(line)]
        return outcomes, assembler

    def test_header_behind_noise(self) -> None:
        """A header right behind 20 kB of noise without a line end is not lost, wherever the framer gives up."""
        for cut in range(len(NEXT)):
            outcomes, assembler = self.run_through(NOISE + NEXT[:cut], NEXT[cut:])
            self.assertEqual((bodies(outcomes), errors(outcomes)), ([body_of(NEXT)], []))
            self.assertEqual(assembler.skipped, len(NOISE))

    def test_noise_in_a_telegram(self) -> None:
        """Noise without a line end costs the telegram that it is in."""
        outcomes, _ = self.run_through(GOOD[200:300] + NOISE, NEXT, before=GOOD[:200].rpartition(b"\n")[0] + b"\n")
        self.assertEqual(bodies(outcomes), [body_of(NEXT)])
        self.assertIsInstance(outcomes[0], TelegramTooLong)

    def test_again_and_again(self) -> None:
        """Noise that goes on is forgotten as it comes."""
        assembler = TelegramAssembler()
        for _ in range(10):
            self.assertEqual(list(assembler.too_long(NOISE)), [])
        self.assertEqual(assembler.skipped, 10 * len(NOISE) - 3)
        self.assertEqual(bodies([o for line in NEXT.split(b"\n")[:-1] for o in assembler.line(line)]), [body_of(NEXT)])

    def test_whole_telegrams_behind(self) -> None:
        """Telegrams in the bytes that the framer gave up on are taken; one whose end is still to come goes on."""
        for cut in (0, 5, 100, len(NEXT) - 8, len(NEXT) - 3):
            outcomes, _ = self.run_through(NOISE + b"\r\n" + GOOD + NEXT[:cut], NEXT[cut:])
            self.assertEqual(bodies(outcomes), [body_of(GOOD), body_of(NEXT)], cut)
            self.assertEqual(errors(outcomes), [])

    def test_then_nothing(self) -> None:
        """When nothing follows, what waited is judged, or refused as cut off."""
        _, assembler = self.run_through(NOISE + b"\r\n" + GOOD[:-2], b"")
        self.assertEqual(bodies(list(assembler.flush())), [body_of(GOOD)])
        _, assembler = self.run_through(NOISE + b"\r\n" + GOOD[:200], b"")
        self.assertEqual(len(errors(list(assembler.flush()))), 1)


class TextTests(SynchronousTestCase):
    """Telegrams in the body of a request."""

    def check(self, text: str, *taken: bytes, policy: CrcPolicy = CrcPolicy.STRICT) -> None:
        """These telegrams are found."""
        self.assertEqual([found.data for found in telegrams_in(text, policy)], [body_of(data) for data in taken])

    def refused(self, text: str, policy: CrcPolicy = CrcPolicy.STRICT) -> str:
        """Why the text is refused."""
        return str(self.assertRaises(TelegramError, telegrams_in, text, policy))

    def test_line_ends(self) -> None:
        """A telegram is recognised when its line ends became LF, wholly or in part."""
        text = GOOD.decode("latin-1")
        self.check(text, GOOD)
        self.check(text.replace("\r\n", "\n"), GOOD)
        self.check(text.replace("\r\n", "\n", 5), GOOD)
        self.check(text[:-6] + text[-6:].replace("\r\n", "\n"), GOOD)
        self.check(text.rstrip(), GOOD)
        self.assertEqual(with_line_ends(b"a\r\nb\nc"), b"a\r\nb\r\nc")

    def test_encodings(self) -> None:
        """Bytes beyond ASCII may have been read as UTF-8 or as Latin-1, with either line end."""
        latin, utf = (signed(body_of(GOOD).replace(b"*m3", cubic)) for cubic in (b"*m\xb3", "*m³".encode()))
        for data, encoding in ((latin, "latin-1"), (utf, "utf-8")):
            self.check(data.decode(encoding), data)
            self.check(data.decode(encoding).replace("\r\n", "\n"), data)

    def test_surroundings(self) -> None:
        """What stands before the first slash and behind the CRC does not matter."""
        text = GOOD.decode()
        for around in (
            "junk\r\n{}",
            "see /var/log\r\n{}",
            "{}\r\n\r\nsee /var/log",
            "\0\0{}\0",
            "telegram={}",
            "{}junk",
        ):
            self.check(around.format(text), GOOD)
        self.check(GOOD[200:].decode() + text, GOOD)

    def test_several(self) -> None:
        """Several telegrams are found in their order; when one is bad none is taken, and the first bad one is named."""
        good, following = GOOD.decode(), NEXT.decode()
        self.check(good + following + good, GOOD, NEXT, GOOD)
        bad = good.replace("3432.829", "3432.828")
        reason = f"CRC given 7BC0, computed {arc(body_of(bad.encode())):04X}"
        self.assertEqual(self.refused(bad), reason)
        as_it_came = body_of(bad.encode()).replace(b"\r\n", b"\n")
        self.assertIn(f"computed {arc(as_it_came):04X}", self.refused(bad.replace("\r\n", "\n")))
        self.assertEqual(self.refused(following + bad + bad), f"Telegram 2 of 3: {reason}")
        self.assertEqual(self.refused(good[:300] + "\r\n" + following).partition(":")[0], "Telegram 1 of 2")
        self.assertIn("nothing follows", self.refused(following + good[:300]))
        self.assertRaises(CrcError, telegrams_in, following + bad)

    def test_none(self) -> None:
        """A text without a telegram is refused in words."""
        for text in ("blablabla", "", "\0", "\ud800", "1-0:1.8.1(000001.000*kWh)\r\n!1234", "!"):
            self.assertEqual(self.refused(text), "No telegram found: none of its lines begins with /")

    def test_masked_example(self) -> None:
        """The API document's own example, masked after its CRC was made, is refused unless nothing is checked."""
        lines = """/KFM5KAIFA-METER||1-3:0.2.8(42)|0-0:1.0.0(160303164347W)|0-0:96.1.1(*******************************)
            |1-0:1.8.1(001073.079*kWh)|1-0:1.8.2(001263.199*kWh)|1-0:2.8.1(000000.000*kWh)|1-0:2.8.2(000000.000*kWh)
            |0-0:96.14.0(0002)|1-0:1.7.0(00.143*kW)|1-0:2.7.0(00.000*kW)|0-0:96.7.21(00006)|0-0:96.7.9(00003)
            |1-0:99.97.0(1)(0-0:96.7.19)(000101000001W)(2147483647*s)|1-0:32.32.0(00000)|1-0:32.36.0(00000)
            |0-0:96.13.1()|0-0:96.13.0()|1-0:31.7.0(000*A)|1-0:21.7.0(00.143*kW)|1-0:22.7.0(00.000*kW)|!74B0"""
        text = "\r\n".join(line.strip() for line in lines.split("|")) + "\n"
        self.assertEqual(self.refused(text), "CRC given 74B0, computed A97E")
        self.check(text, text.rstrip().encode(), policy=CrcPolicy.OFF)
