"""Responsible for what bad lines bring: telegrams of all dialects, damaged in every way, amid noise.

Whoever asks brings a ``Random``: hypothesis one that it can shrink, the longer run one with a seed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Final

from fastcrc.crc16 import arc

from tests.encrypting import encrypted, fewest_bytes, two_bytes
from tests.golden_telegrams import every, signed, telegram

TELEGRAMS: Final = tuple(telegram(name) for name in every())

NASTY: Final = (
    *(b"\0", b"\xff", b"\xb3", b"\x7f", b"\xff\xfb\x03", b"\xff\xfd\x01", b"\r", b"\n", b"\r\n", b"\n\r", b"\x1a"),
    *(b"!", b"!\r\n", b"!0000\r\n", b"/", b"//", b"/A", b"/ISK5", b"/ISK5\\x\r\n\r\n", b"/HLY5/", b"(", b")(", b"*"),
    *(
        b"\r\n(",
        b"\xdb\x08",
        b"\xdb\x08SAGgp\0\1\2\x82\xff\xff\x30",
        b"\xdb\x08SAGgp\0\1\2\x82\x20\0\x30",
        b"~\xa0",
        b"h\xfa\xfah",
        b"\xc2\xb3",
        b"%s",
    ),
)
"""Bytes that mean something, to somebody."""

_NUMBER: Final = re.compile(rb"[0-9.]+")
NUMBERS: Final = (b"", b"0", b"-1", b"9" * 12, b"9" * 40, b"1.2.3", b".5", b"5.", b"632525252525W", b"1e9", b"00")
"""What may stand where a number was."""

ENDLESS: Final = (b"\xb3\x00\xff\xfd\x01", b"x", b"\0/FAK5\r\n", b"!\r\n", b"1-0:1.8.1(1*kWh)\r\n", b"\n", b"/ABC")
"""What may come again and again."""

SWELLINGS: Final = (b"3F", b" ", b"(", b"\0", b")(", b"1-0:", b"\r\n1-0:99.99.9(0)", b"\r\n0-0:96.13.0()")
"""What may be put in again and again."""

Damage = Callable[[Random, bytes], bytes]


def _place(random: Random, data: bytes) -> int:
    return random.randrange(len(data) + 1)


def _span(random: Random, data: bytes) -> tuple[int, int]:
    one, other = _place(random, data), _place(random, data)
    return min(one, other), max(one, other)


def _cut(random: Random, data: bytes) -> bytes:
    """A part of it is left."""
    start, end = _span(random, data)
    return data[start:end]


def _lose(random: Random, data: bytes) -> bytes:
    """A part of it is lost."""
    start, end = _span(random, data)
    return data[:start] + data[end:]


def _repeat(random: Random, data: bytes) -> bytes:
    """A part of it comes twice."""
    start, end = _span(random, data)
    return data[:end] + data[start:]


def _flip(random: Random, data: bytes) -> bytes:
    """Some of its bits are others."""
    flipped = bytearray(data)
    for _ in range(random.randrange(1, 8) if data else 0):
        flipped[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(flipped)


def _put_in(random: Random, data: bytes) -> bytes:
    """Something stands in it."""
    place = _place(random, data)
    return data[:place] + noise(random) + data[place:]


def _parity(random: Random, data: bytes) -> bytes:
    """It is read as eight bits, where it was sent as seven with a parity."""
    return bytes(byte | (byte.bit_count() % 2) << 7 for byte in data)


def _line_ends(random: Random, data: bytes) -> bytes:
    """Its lines end otherwise."""
    return data.replace(b"\r\n", random.choice((b"\n", b"\r", b"\n\r", b"\0\r\n", b" \r\n")))


def _lines(random: Random, data: bytes) -> bytes:
    """Its lines are shuffled, some missing, some there twice."""
    lines = data.split(b"\n")
    return b"\n".join([lines[0], *(random.choice(lines) for _ in lines[1:-2]), *lines[-2:]])


def _number(random: Random, data: bytes) -> bytes:
    """One of its numbers is none, or a very large one."""
    numbers = list(_NUMBER.finditer(data))
    if not numbers:
        return data
    found = random.choice(numbers)
    return data[: found.start()] + random.choice(NUMBERS) + data[found.end() :]


def _swollen(random: Random, data: bytes) -> bytes:
    """A line of it is very long, or there are very many."""
    place = _place(random, data)
    return data[:place] + random.choice(SWELLINGS) * random.randrange(6000) + data[place:]


def _end(random: Random, data: bytes) -> bytes:
    """Its CRC is written otherwise, or is gone."""
    head, mark, crc = data.rpartition(b"!")
    return head + mark + random.choice((b"\r\n", b"", crc.lower(), crc.lstrip(b"0"), crc[:2] + crc, b"zzzz\r\n"))


DAMAGES: Final[tuple[Damage, ...]] = (
    *(_cut, _lose, _repeat, _flip, _put_in, _parity, _line_ends, _lines, _number, _swollen, _end),
)


def noise(random: Random) -> bytes:
    """Bytes that are no telegram."""
    match random.randrange(4):
        case 0:
            return Random(random.getrandbits(32)).randbytes(random.randrange(400))
        case 1:
            return random.choice(NASTY) * random.choice((1, 2, 17, 900))
        case 2:
            return b"".join(random.choice(NASTY) for _ in range(random.randrange(20)))
        case _:
            return random.choice(ENDLESS) * random.choice((5, 40, 40, 4000))


def damaged(random: Random) -> bytes:
    """A telegram of any dialect after up to four accidents; in one of two cases its CRC is right nevertheless."""
    data = random.choice(TELEGRAMS)
    for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
        data = random.choice(DAMAGES)(random, data)
    return signed(data[: data.rindex(b"!") + 1]) if b"!" in data and random.randrange(2) else data


def bad_line(random: Random) -> bytes:
    """What a bad line brings for a while."""
    return b"".join((damaged if random.randrange(4) else noise)(random) for _ in range(random.randrange(1, 20)))


def bad_frames(random: Random, counter: int) -> bytes:
    """The same of a meter that encrypts: genuine frames that hold anything, the first with this counter, and others."""
    stream = b""
    for number in range(random.randrange(1, 20)):
        plain = random.choice((damaged, noise))(random)[:16_384]
        frame = encrypted(plain, counter + number, written=random.choice((two_bytes, fewest_bytes)))
        if random.randrange(2):
            frame = random.choice((_cut, _lose, _repeat, _flip, _put_in))(random, frame)
        stream += frame if random.randrange(4) else noise(random) + frame
    return stream


def pieces(random: Random, stream: bytes) -> list[bytes]:
    """The stream cut anywhere: byte by byte, as a serial port gives it, or in large reads."""
    size = random.choice((1, 7, 62, 255, 1460, 30_000))
    if size == 1 and len(stream) > 3000:
        size = 13
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def is_right(data: bytes, crc: int | None) -> bool:
    """Whether somebody vouches for a telegram: its CRC, or its dialect, which has none."""
    return crc == arc(data) or (crc is None and not re.search(rb"\n(1-3:0\.2\.8|0-0:1\.0\.0|0-0:96\.1\.4)\(", data))
