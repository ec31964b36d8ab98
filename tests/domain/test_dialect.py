"""Tests of dsmr_tw.domain.dialect: which standard a meter speaks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.dialect import UNKNOWN
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in
from tests.golden_telegrams import every, telegram

NAMES = (
    ("ace4000", "ACE4000"),
    ("at-", "Austria"),
    ("be-emucs-50", "eMUCS 50"),
    ("be-emucs-redacted", "eMUCS"),
    ("ch-", "Switzerland"),
    ("de-q3d", "Germany, Q3D"),
    ("q3d", "Germany, Q3D"),
    ("dsmr-2-2-3-0", "DSMR 2.2 or 3.0"),
    ("dsmr-4-0", "DSMR 4.0"),
    ("dsmr-4-2", "DSMR 4.2"),
    ("dsmr-5-0", "DSMR 5.0"),
    ("hu-", "Hungary"),
    ("ie-", "Ireland"),
    ("lt-", "Lithuania"),
    ("lu-", "Luxembourg"),
    ("metcom", "DSMR 5.0, Metcom"),
    ("se-fi-08", "eMUCS 50221"),
    ("se-fi-10", "eMUCS 50221"),
    ("se-fi-", "Sweden or Finland"),
    ("unknown", UNKNOWN),
    ("warmtelink", "DSMR 5.0"),
)


def dialect(data: bytes) -> str:
    """The dialect of the one telegram in these bytes."""
    (outcome,) = outcomes_in(data, CrcPolicy.OFF)
    assert isinstance(outcome, RawTelegram)
    return TelegramParser().parse(outcome).dialect


def made_of(header: str, *lines: str) -> str:
    """The dialect of a telegram of these lines."""
    return dialect("\r\n".join((f"/{header}", "", *lines, "!")).encode("latin-1"))


class DialectTests(SynchronousTestCase):
    """Names of dialects."""

    def test_every_telegram(self) -> None:
        """The dialect of each telegram from the field is the one that its file is named after."""
        for name in every():
            expected = next(dialect for start, dialect in NAMES if name.startswith(start))
            if name.startswith("be-emucs-50"):
                expected = f"eMUCS {name[9:14]}"
            self.assertEqual(dialect(telegram(name)), expected, name)

    def test_any_header(self) -> None:
        """A maker's header tells no country: the lines do, as far as a dialect has any of its own."""
        for name in every():
            if name.startswith(("lu-", "lt-", "be-emucs-50", "hu-", "ch-", "at-", "q3d", "se-fi", "dsmr")):
                body = telegram(name)
                renamed = b"/KFM5KAIFA-METER" + body[body.index(b"\n") - 1 :]
                self.assertEqual(dialect(renamed), dialect(body), name)

    def test_headers(self) -> None:
        """A header in which the grid's owner or the model stands is enough."""
        for header, expected in (
            ("FLU5\\253769484_A", "eMUCS"),
            ("Lux5\\253663629_D", "Luxembourg"),
            ("ESO5\\1_C", "Lithuania"),
            ("EST5\\1_A", "Austria"),
            ("ISk5\\2MIE5T-200", "Ireland"),
            ("AUX5UXXXXXXXX", "Hungary"),
            ("ESY5Q3DA1004 V3.04", "Germany, Q3D"),
            ("KFM5KAIFA-METER", UNKNOWN),
            ("", UNKNOWN),
        ):
            self.assertEqual(made_of(header), expected)

    def test_lines(self) -> None:
        """Lines that no other dialect prints are enough, too."""
        clock, total, tariff = "0-0:1.0.0(220605191351S)", "1-0:1.8.0(000001.000*kWh)", "1-0:1.8.1(000001.000*kWh)"
        for lines, expected in (
            (("1-3:0.2.8(42)",), "DSMR 4.2"),
            (("1-3:0.2.8(42)", "1-1:31.4.0(100*A)(-100*A)"), "Luxembourg"),
            (("1-3:0.2.8(P)", clock), "DSMR, version not known"),
            (("0-0:96.1.4(50299)", "1-3:0.2.8(50)"), "eMUCS 50299"),
            ((clock, "1-0:1.6.0(200509134558S)(02.589*kW)"), "eMUCS"),
            ((clock, "0-1:24.2.3(200512134558S)(00112.384*m3)"), "eMUCS"),
            ((clock, "0-0:98.1.0(230701000000S)(000040.777*kWh)"), "Hungary"),
            ((clock, "0-0:96.50.68(ON)"), "Hungary"),
            ((clock, "1-1:1.8.1(000001.000*kWh)"), "Switzerland"),
            ((clock, total), "Sweden or Finland"),
            ((clock, tariff), UNKNOWN),
            ((tariff,), "DSMR 2.2 or 3.0"),
            ((total,), UNKNOWN),
        ):
            self.assertEqual(made_of("XYZ5", *lines), expected, lines)
