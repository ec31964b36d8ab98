"""Responsible for telegrams that tests can tell apart, with the right CRC."""

from __future__ import annotations

from collections.abc import Iterator

from fastcrc.crc16 import arc

REGISTERS = ("1-0:1.8.1", "1-0:1.8.2", "1-0:2.8.1", "1-0:2.8.2")


def printed(number: int) -> bytes:
    """A DSMR 5 telegram whose registers show ``number`` kWh, from ``/`` to the line end behind the CRC."""
    lines = ["/TST5\\dsmr_tw", "", "1-3:0.2.8(50)", "0-0:1.0.0(240402120000S)"]
    lines += [f"{register}({number:06d}.000*kWh)" for register in REGISTERS]
    body = "\r\n".join([*lines, "!"]).encode()
    return body + f"{arc(body):04X}\r\n".encode()


def pieces(stream: bytes, size: int) -> Iterator[bytes]:
    """The stream in pieces of ``size`` bytes."""
    return (stream[start : start + size] for start in range(0, len(stream), size))
