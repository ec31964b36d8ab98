"""Tests of dsmr_tw.domain.mask: what tells whose a telegram is, and all that has to stay."""

from __future__ import annotations

import re
from itertools import product

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.line import equipment_id
from dsmr_tw.domain.mask import Masked, masked
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.standins import can_be_id
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from dsmr_tw.errors import TelegramError
from tests.golden_telegrams import FOLDER, signed, telegram

NAMES = sorted(path.stem for path in FOLDER.glob("*.txt"))
IDS = re.compile(rb"^[0-9]-[0-9]:(?:96\.1\.[0-35-9]+|0\.0\.0)(?:\*255)?\(([^)]+)\)", re.MULTILINE)
"""Where ids stand, read here without any of the code under test."""


def raws(data: bytes) -> list[RawTelegram]:
    """The telegrams of these bytes, right or not."""
    return [outcome for outcome in outcomes_in(data, CrcPolicy.OFF) if isinstance(outcome, RawTelegram)]


def masked_lines(*lines: bytes, header: bytes = b"/TST5\\meter") -> list[bytes]:
    """The lines of a telegram after it was masked, without header and end."""
    [done] = masked(raws(signed(b"\r\n".join([header, b"", *lines, b"!"]))))
    return done.raw.data.split(b"\r\n")[2:-1]


def header_of(identification: bytes, *lines: bytes) -> bytes:
    """The header of a telegram after it was masked."""
    [done] = masked(raws(signed(b"\r\n".join([identification, b"", *lines, b"!"]))))
    return done.raw.data.split(b"\r\n")[0]


HIDDEN = (
    *("_id", "serial", "nameplate", "logical_name", "device_address", "owners_number", "ean", "port_version"),
    *("message", "message_code"),
)
"""What says whose a telegram is, or may; and messages."""


def values(raw: RawTelegram) -> dict[str | None, object]:
    """What a telegram tells, but for what is hidden."""
    told = TelegramParser().parse(raw).told.items()
    return {key: value for key, value in told if not (key or "").endswith(HIDDEN)}


class FieldTests(SynchronousTestCase):
    """Real telegrams."""

    def test_the_same_values(self) -> None:
        """What is masked tells the same as before, and its CRC is right if, and only if, it was."""
        for name in NAMES:
            for raw in raws(telegram(name)):
                [done] = masked([raw])
                self.assertEqual(done.raw.crc == done.raw.computed_crc, raw.crc == raw.computed_crc, name)
                self.assertEqual(done.raw.crc is None, raw.crc is None, name)
                self.assertEqual(len(done.raw.data), len(raw.data), name)
                try:
                    told = values(raw)
                except TelegramError as error:
                    self.assertRaisesRegex(TelegramError, re.escape(str(error)), values, done.raw)
                else:
                    self.assertEqual(values(done.raw), told, name)

    def test_none_of_the_ids(self) -> None:
        """No id of the telegrams is left anywhere in them, as printed or as what it spells."""
        everything = raws(b"".join(telegram(name) for name in NAMES))
        shown = b"".join(done.raw.data for done in masked(everything))
        ids = {found for raw in everything for found in IDS.findall(raw.data) if len(set(found)) > 2}
        self.assertGreater(len(ids), 40)
        for found in ids:
            self.assertNotIn(found, shown)
            spelled = bytes.fromhex(found.decode()) if re.fullmatch(rb"([0-9A-F]{2}){6,}", found) else found
            self.assertNotIn(spelled, shown)

    def test_the_same_id_again(self) -> None:
        """A meter has one stand-in in all of its telegrams, and another meter another one."""
        one, other = raws(telegram("dsmr-4-2-00"))[0], raws(telegram("dsmr-5-0-02"))[0]
        first, second, third = (IDS.findall(done.raw.data) for done in masked([one, other, one]))
        self.assertEqual(first, third)
        self.assertFalse(set(first) & set(second))


class LineTests(SynchronousTestCase):
    """Lines, one by one."""

    def test_form(self) -> None:
        """A stand-in has digits, letters and hex octets where the id has them."""
        for printed, made in {
            b"4530303033383634343431373532393934": b"4130303030303030303030303030303031",
            b"4b384547303734373133313038303330": b"58305858303030303030303030303031",
            b"619259129D2C2B4C": b"000000000A0A0A0B",
            b"619259129d2c2b4c": b"000000000a0a0a0b",
            b"1ESY4984175137": b"0XXX0000000001",
            b"61622d3132333435": b"78782d3030303031",
            b"61622D3132333435": b"78782D3030303031",
            b"64896": b"00001",
            b"caf\xe9 12": b"xxxX 01",
            b"ab-12345": b"xx-00001",
        }.items():
            self.assertEqual(masked_lines(b"0-0:96.1.1(%s)" % printed), [b"0-0:96.1.1(%s)" % made])

    def test_codes(self) -> None:
        """All that identifies a house is masked, however its code is spelled."""
        for code in (
            b"0-0:96.1.1", b"0-0:96.1.0", b"0-1:96.1.0", b"0-4:96.1.1", b"0-0:96.1.2", b"0-2:96.1.2", b"0-0:96.1.4",
            b"0-0:96.1.255", b"0-0:96.1.255*255", b"1-0:0.0.0*255", b"0-0:0.0.0", b"0-0:42.0.0", b"0-0:96.1.1.255",
            b"0-0:96:1.1", b"\x000-0:96.1.1",
        ):  # fmt: skip
            self.assertEqual(masked_lines(code + b"(541449012345678905)"), [code + b"(000000000000000001)"])

    def test_what_is_no_id(self) -> None:
        """What was masked before, is one filler, empty, or the version of a Belgian port stays as it is."""
        lines = [
            b"0-0:96.1.1(*******************************)",
            b"0-0:96.1.1(00000000000000000000)",
            b"0-0:96.1.0(XXXXXXXXXXXXXXXX)",
            b"0-1:96.1.0()",
            b"0-0:96.1.4(50217)",
            b"0-1:96.1.0(121212)",
            b"1-0:0.0.0(1)",
            b"1-3:0.2.8(50)",
            b"1-0:0.2.0(1.03)",
        ]
        self.assertEqual(masked_lines(*lines), lines)

    def test_messages(self) -> None:
        """Texts for the consumer become x, octet by octet, also where they are broken into several lines."""
        self.assertEqual(
            masked_lines(b"0-0:96.13.1(3031)", b"0-0:96.13.0(414", b"243", b"44)", b"0-0:96.13.2(Hi, you)"),
            [b"0-0:96.13.1(7878)", b"0-0:96.13.0(787", b"787", b"78)", b"0-0:96.13.2(xxxxxxx)"],
        )

    def test_a_bracket_that_is_not_closed(self) -> None:
        """A damaged line of a text does not take the lines behind it with it."""
        lines = [b"0-0:96.13.0(41", b"1-0:1.8.1(000001.000*kWh)"]
        self.assertEqual(masked_lines(*lines), [b"0-0:96.13.0(78", lines[1]])

    def test_headers(self) -> None:
        """A serial number in the header is masked; the maker, and the number of a model, stay."""
        for header, made in {
            b"/XMX5LGBBFFB231158062": b"/XMX5LGBBFFB000000001",
            b"/MCS17532411740789": b"/MCS10000000000001",
            b"/KMP5 ZABF001587315111": b"/KMP5 ZABF000000000001",
            b"/FLU5\\253769484_A": b"/FLU5\\253769484_A",
            b"/ISK5\\2M550T-1012": b"/ISK5\\2M550T-1012",
            b"/ADN9 6534": b"/ADN9 6534",
        }.items():
            self.assertEqual(header_of(header), made)

    def test_an_id_elsewhere(self) -> None:
        """An id has its stand-in in the header, and in lines that nobody knows, too, whichever way it is printed."""
        line = b"0-0:96.1.1(4530303132333435363738)"
        self.assertEqual(header_of(b"/TST5-E0012345678", line), b"/TST5-A0000000001")
        for unknown, made in {
            b"9-9:9.9.9(E0012345678)": b"9-9:9.9.9(A0000000001)",
            b"noise 4530303132333435363738": b"noise 4130303030303030303031",
            b"9-9:9.9.9(11)": b"9-9:9.9.9(11)",
        }.items():
            self.assertEqual(masked_lines(line, unknown)[1], made)

    def test_a_value_that_looks_like_an_id(self) -> None:
        """Values stay, whatever the ids are."""
        self.assertEqual(
            masked_lines(b"0-0:96.1.1(12345678)", b"1-0:1.8.0(12345678*Wh)", b"0-0:96.7.21(12345678)")[1:],
            [b"1-0:1.8.0(12345678*Wh)", b"0-0:96.7.21(12345678)"],
        )

    def test_a_stand_in_is_nobodys(self) -> None:
        """The id of one house is never made up for another, nor does a made-up one hold a real one."""
        for printed, made in {
            (b"ab-99999", b"xx-00001"): [b"xx-00002", b"xx-00003"],
            (b"123", b"001"): [b"002", b"003"],
            (b"00000001", b"123456789012"): [b"00000002", b"000000000003"],
            (b"123456789012", b"00000001"): [b"000000000002", b"00000002"],
        }.items():
            lines = masked_lines(*(b"0-%d:96.1.0(%s)" % one for one in enumerate(printed)))
            self.assertEqual(lines, [b"0-%d:96.1.0(%s)" % one for one in enumerate(made)])

    def test_two_spellings(self) -> None:
        """An id that is printed as text and as octets is one id; one that begins like another is another."""
        lines = (b"0-0:96.1.0(453030313233)", b"0-0:42.0.0(E00123)", b"0-1:96.1.0(E0012345)", b"0-2:96.1.0(E001234567)")
        self.assertEqual(
            masked_lines(*lines, b"9-9:9.9.9(E001234567)")[1:],
            [b"0-0:42.0.0(A00001)", b"0-1:96.1.0(A0000002)", b"0-2:96.1.0(A000000003)", b"9-9:9.9.9(A000000003)"],
        )

    def test_many_short_ids(self) -> None:
        """Each of a hundred has a stand-in of its own, which still is an id."""
        lines = [b"0-0:96.1.0(%da%db)" % (number // 10, number % 10) for number in range(100)]
        made = [line[11:-1].decode() for line in masked_lines(*lines)]
        self.assertEqual(len(set(made)), 100)
        self.assertTrue(all(map(equipment_id, made)), made)

    def test_no_stand_in_left(self) -> None:
        """Where all of a form are real ids, none is shown for another."""
        ids = ["".join(letters).encode() for letters in product("abcdef", repeat=3) if len(set(letters)) > 1]
        self.assertEqual(set(masked_lines(*(b"0-0:96.1.0(%s)" % one for one in ids))), {b"0-0:96.1.0(XXX)"})


class UnknownTests(SynchronousTestCase):
    """What a person should look at."""

    def unknown(self, *lines: bytes) -> tuple[str, ...]:
        """The lines that are told to be unknown."""
        done: Masked
        [done] = masked(raws(signed(b"\r\n".join([b"/TST5\\meter", b"", *lines, b"!"]))))
        return done.unknown

    def test_unknown_lines(self) -> None:
        """Lines that nobody knows, and measured values that can't be read, are told; masked ones are known."""
        lines = (b"9-9:9.9.9(name)", b"0-0:96.1.1(123456)", b"1-0:1.8.1(?)", b"noise", b"0-0:96.13.5(414243)")
        self.assertEqual(self.unknown(*lines), ("9-9:9.9.9(name)", "1-0:1.8.1(?)", "noise"))

    def test_a_value_on_a_line_of_its_own(self) -> None:
        """The gas of old meters is understood with the line that follows."""
        lines = (b"0-1:24.3.0(090212160000)(00)(60)(1)(0-1:24.2.1)(m3)", b"(00001.001)")
        self.assertEqual(self.unknown(*lines), ())


class LawTests(SynchronousTestCase):
    """What holds for any ids."""

    @given(
        st.lists(st.text("0123456789ABCDEFGHabc- ", min_size=8, max_size=24), min_size=1, max_size=6, unique=True),
        st.booleans(),
    )
    def test_nothing_is_left(self, texts: list[str], as_hex: bool) -> None:
        """Whatever the ids are, none is left, no two become one, and the CRC is right."""
        printed = [(text.encode().hex().upper() if as_hex else text).encode() for text in texts]
        lines = [b"0-%d:96.1.0(%s)" % (channel, one) for channel, one in enumerate(printed)]
        [raw] = raws(signed(b"\r\n".join([b"/TST5\\meter", b"", *lines, b"!"])))
        [done] = masked([raw])
        made = [line.split(b"(")[1][:-1] for line in done.raw.data.split(b"\r\n")[2:-1]]
        self.assertEqual(done.raw.crc, done.raw.computed_crc)
        for text, before, after in zip(texts, printed, made, strict=True):
            self.assertEqual(len(after), len(before))
            # Digits may also be octets that say nothing, or a filler throughout.
            if can_be_id(before) and sum(character.isalnum() for character in text) >= 8:
                self.assertNotIn(before, done.raw.data)
        real = [text for text, before in zip(texts, printed, strict=True) if can_be_id(before)]
        self.assertGreaterEqual(len(set(made)), len(real))

    def test_a_wrong_crc_stays_wrong(self) -> None:
        """Not even by chance does masking make a damaged telegram look sound."""
        [raw] = raws(signed(b"/TST5\\meter\r\n\r\n0-0:96.1.1(123456)\r\n!"))
        [done] = masked([raw])
        damaged = evolve(raw, crc=done.raw.crc)
        [done] = masked([damaged])
        self.assertNotEqual(done.raw.crc, done.raw.computed_crc)
