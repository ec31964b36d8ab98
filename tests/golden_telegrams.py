"""Telegrams from the field, for tests; their origin is told in ``tests/telegrams/README.md``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from fastcrc.crc16 import arc

from dsmr_tw.domain.telegram import Outcome, RawTelegram
from dsmr_tw.errors import TelegramError

FOLDER: Final = Path(__file__).parent / "telegrams"

REFUSED: Final = {
    "be-emucs-50213-00": "CRC given 81A9, computed E778",
    "be-emucs-50213-02": "CRC given 99B6, computed AFF2",
    "be-emucs-50213-04": "CRC given 7934, computed 7A1C",
    "be-emucs-50217-04": "CRC absent, computed 0CC1",
    "be-emucs-50217-06": "CRC absent, computed B96E",
    "be-emucs-50217-08": "CRC given 59A5, computed BF0C",
    "be-emucs-50221-00": "CRC given 1234, computed 4B20",
    "be-emucs-50223-00": "CRC absent, computed 1AD7",
    "be-emucs-redacted": "CRC given B315, computed EF8A",
    "ch-xt211": "CRC given 3BA5, computed B7B8",
    "dsmr-4-0-10": "CRC given 522B, computed 622A",
    "dsmr-4-0-12": "CRC given 522B, computed 3879",
    "dsmr-4-2-10": "CRC given CE7C, computed 1D3C",
    "dsmr-4-2-12": "CRC absent, computed 6B8E",
    "dsmr-4-2-16": "CRC given 5305, computed 63CC",
    "dsmr-4-2-28": "CRC given D3B0, computed 5FD4",
    "dsmr-5-0-14": "CRC given B055, computed 60EB",
    "dsmr-5-0-20": "CRC given 0B43, computed A590",
    "dsmr-5-0-28": "CRC given B055, computed BD80",
    "dsmr-5-0-34": "CRC given 0000, computed 3067",
    "dsmr-5-0-36": "CRC given 1F28, computed DCFB",
    "dsmr-5-0-38": "CRC given 67B1, computed 3EB0",
    "dsmr-5-0-42": "CRC absent, computed 64BD",
    "dsmr-5-0-44": "CRC given 6DEB, computed 0360",
    "ie-iskra-00": "CRC absent, computed F7C9",
    "metcom-00": "CRC absent, computed 0F7D",
    "metcom-02": "CRC absent, computed 32D4",
    "se-fi-04": "CRC absent, computed 2005",
    "se-fi-08": "CRC absent, computed 3A0E",
    "se-fi-10": "CRC absent, computed 2A62",
    "se-fi-12": "CRC given A267, computed A4B0",
    "se-fi-26": "CRC absent, computed 0517",
    "se-fi-28": "CRC given 9AD0, computed 3AA1",
    "unknown-00": "CRC given 1F28, computed C8D7",
}
"""The telegrams whose CRC is wrong or absent, and what is said about them."""

WITHOUT_CRC: Final = ("ace4000", "de-q3d-", "dsmr-2-2-3-0-", "q3d")
"""How the names of those begin that need none."""


def telegram(name: str) -> bytes:
    """The bytes of a file, without its suffix: ``dsmr-4-2-00``."""
    return (FOLDER / f"{name}.txt").read_bytes()


def every() -> list[str]:
    """The names of all telegrams, in order."""
    return sorted(path.stem for path in FOLDER.glob("*.txt"))


def valid_dutch() -> list[str]:
    """The names of all DSMR 4 and 5 telegrams whose CRC is right, in order."""
    names = sorted(path.stem for path in FOLDER.glob("dsmr-[45]-*.txt"))
    return [name for name in names if name not in REFUSED]


def without_register() -> set[str]:
    """Those of them that print no register 1.8.x, and so give no reading, only the value of a device."""
    return {"dsmr-5-0-32"}


def without_clock() -> set[str]:
    """Those of them that print no clock, and so are dated by their arrival."""
    return {"dsmr-4-2-18", "dsmr-5-0-32"}


def signed(body: bytes) -> bytes:
    """The bytes from ``/`` to ``!`` with their CRC and a line end."""
    return body + b"%04X\r\n" % arc(body)


def body_of(data: bytes) -> bytes:
    """The bytes from ``/`` to ``!``."""
    return data[: data.rindex(b"!") + 1]


def bodies(outcomes: Iterable[Outcome]) -> list[bytes]:
    """The bytes of the telegrams among the outcomes."""
    return [outcome.data for outcome in outcomes if isinstance(outcome, RawTelegram)]


def errors(outcomes: Iterable[Outcome]) -> list[str]:
    """What is said about the others."""
    return [str(outcome) for outcome in outcomes if isinstance(outcome, TelegramError)]
