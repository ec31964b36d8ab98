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
    "dsmr-4-0-10": "CRC given 522B, computed 622A",
    "dsmr-4-2-12": "CRC absent, computed 6B8E",
    "dsmr-4-2-16": "CRC given 5305, computed 63CC",
    "dsmr-4-2-28": "CRC given D3B0, computed 5FD4",
    "dsmr-5-0-34": "CRC given 0000, computed 3067",
    "dsmr-5-0-38": "CRC given 67B1, computed 3EB0",
    "dsmr-5-0-42": "CRC absent, computed 64BD",
}
"""The Dutch telegrams whose CRC is wrong or absent, and what is said about them."""


def telegram(name: str) -> bytes:
    """The bytes of a file, without its suffix: ``dsmr-4-2-00``."""
    return (FOLDER / f"{name}.txt").read_bytes()


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
