"""Responsible for saying what bytes look like that hold no telegram.

Bytes in; a name for what they resemble, or ``None``, out.

A line whose signal is inverted, as behind a cable without an inverter, is known by this: the end of a byte and the
beginning of the next make the beginning of a byte that is none, so each byte comes one bit later, all its bits turned
around, and with its lowest bit set.

Source: IEC 13239 and 62056-46 (HDLC), EN 13757-2 (wired M-Bus).

Tests: ``tests/domain/test_resemblance.py``
"""

from __future__ import annotations

import re
from typing import Final

from dsmr_tw.domain.frame import HEADER

ENCRYPTED: Final = "encrypted telegrams"
PLAIN: Final = "telegrams that are not encrypted"
HDLC: Final = (
    "frames of HDLC, another protocol than P1, as Norwegian, Danish and some Austrian meters speak it; "
    "it is not read here"
)
MBUS: Final = "frames of M-Bus, another protocol than P1, as many Austrian meters speak it; it is not read here"
INVERTED: Final = (
    "a P1 signal that is inverted; the cable lacks the inverter that every P1 port needs: take a cable that is made "
    "for P1, or set its adapter to an inverted RXD"
)

_PLAIN: Final = re.compile(rb"\n[01]-[0-4]:\d+\.\d+\.\d+[(*]")
_HDLC: Final = re.compile(rb"~[\xa0-\xaf].{4,10}\xe6[\xe6\xe7]\x00", re.DOTALL)
"""The first frame of each message: flag, length, addresses, checksum, and what the standard begins a message with."""

_MBUS: Final = re.compile(rb"h(.)\1h[\x08\x18\x28\x38\x53\x73]", re.DOTALL)
"""A long frame: twice the same length between two marks, then what kind of frame it is."""

_CODES: Final = re.compile(rb":\d{1,2}\.\d")
_LEAST_CODES: Final = 2
"""Parts of so many codes tell an inverted line from noise; of seven bits with parity not all bytes can be turned."""

_TURNED: Final = bytes((~byte >> 1) & 0x7F for byte in range(256))
"""What a byte was on a line whose signal is inverted."""


def resemblance(data: bytes) -> str | None:
    """What bytes that hold no telegram look like, in words; ``None`` when they look like nothing known."""
    if _HDLC.search(data):
        return HDLC
    if _MBUS.search(data):
        return MBUS
    # Not before: Danish meters put frames like these into those of HDLC.
    if HEADER.search(data):
        return ENCRYPTED
    if _PLAIN.search(data):
        return PLAIN
    if len(_CODES.findall(data.translate(_TURNED))) >= _LEAST_CODES:
        return INVERTED
    return None
