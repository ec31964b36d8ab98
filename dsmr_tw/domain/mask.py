"""Responsible for taking out of telegrams what tells whose they are, so that they can be shown to strangers.

Serial numbers (some meters print one in the header, too), connection numbers (EAN), device names and addresses get a
made-up stand-in, as ``dsmr_tw.domain.standins`` makes them.
Messages to the consumer become so many x. All else stays, times and registers above all: what is masked is read as
what was not, and its CRC is right if, and only if, it was.
What is an id already masked, or one filler throughout, stays as well.

Source: the codes 96.1.x, 96.13.x, 42.0.0 and 0.0.x of the P1 Companion Standards and their kin in other countries.

Tests: ``tests/domain/test_mask.py``
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from attrs import frozen

from dsmr_tw.domain.line import shown, understood
from dsmr_tw.domain.standins import StandIns, can_be_id
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.errors import TelegramError

_MASKED: Final = re.compile(
    rb"[\0 ]*[0-9]+-[0-9]+:(?:(?P<id>96[.:]1[.:][0-9]+|42[.:]0[.:]0|0[.:]0[.:][0-9])|96[.:]13[.:][0-9]+)"
    rb"(?:[.*]255)?(?=\()"
)
"""The beginning of a line that tells an id, or a text."""

_GROUP: Final = re.compile(rb"(?<=[(\n])[^()\r\n]+")
"""What stands in brackets; some meters break it into several lines."""

_VERSION: Final = re.compile(rb"50[0-9]{3}")
"""A Belgian meter prints the version of its port where others print an id."""

_SERIAL: Final = re.compile(rb"(?<![\\0-9])[0-9]{6,}")
"""A serial number in a header; right behind a backslash stands the number of a model."""

_MAKER: Final = 5
"""Bytes of a header that name the manufacturer and a speed: ``/KFM5``."""

_BEGINS: Final = re.compile(rb"[\0 ]*[0-9]+-[0-9]+:|!")
"""A line that does not continue the one before."""


@frozen
class Masked:
    """A telegram that can be shown."""

    raw: RawTelegram

    unknown: tuple[str, ...]
    """Its lines that nobody here knows, and that a person should look at."""


def masked(telegrams: Sequence[RawTelegram]) -> list[Masked]:
    """The telegrams, each without what tells whose it is."""
    stand_ins = StandIns([printed for raw in telegrams for printed in _ids(raw)])
    return [_masked(raw, stand_ins) for raw in telegrams]


def _lines(raw: RawTelegram) -> list[bytes]:
    """The header, and the lines with those that continue them: a value on a line of its own, a text in several."""
    first, *rest = raw.data.split(b"\n")
    lines = [first]
    for line in rest:
        is_open = lines[-1].count(b"(") > lines[-1].count(b")")
        if len(lines) > 1 and not _BEGINS.match(line) and (is_open or line.startswith(b"(")):
            lines[-1] += b"\n" + line
        else:
            lines.append(line)
    return lines


def _ids(raw: RawTelegram) -> Iterator[bytes]:
    """What is printed as an id in a telegram."""
    header, *lines = _lines(raw)
    for line in lines:
        found = _MASKED.match(line)
        if found and found["id"]:
            yield from filter(_is_id, _GROUP.findall(line, found.end()))
    yield from filter(_is_id, _SERIAL.findall(header[_MAKER:]))


def _is_id(printed: bytes) -> bool:
    return can_be_id(printed) and not _VERSION.fullmatch(printed)


def _masked(raw: RawTelegram, stand_ins: StandIns) -> Masked:
    header, *lines = _lines(raw)
    maker, model = header[:_MAKER], stand_ins.in_place(header[_MAKER:])
    done, unknown = [maker + _SERIAL.sub(lambda found: stand_ins.instead_of(found[0]), model)], []
    for line in lines:
        found = _MASKED.match(line)
        if found:
            instead_of, start = stand_ins.instead_of if found["id"] else _blank, found.end()
            line = line[:start] + _replaced(line[start:], instead_of)
        elif not _is_known(line):
            line = stand_ins.in_place(line)
            unknown.append(shown(line))
        done.append(line)
    data = b"\n".join(done)
    return Masked(_signed(raw, data), tuple(unknown))


def _replaced(groups: bytes, instead_of: Callable[[bytes], bytes]) -> bytes:
    """The rest of a line with something else in its brackets."""
    return _GROUP.sub(lambda found: instead_of(found[0]), groups)


def _blank(printed: bytes) -> bytes:
    """A message of the same length that says nothing, as hex octets where it was printed so."""
    if not set(printed) <= set(string.hexdigits.encode()):
        return b"x" * len(printed)
    return (b"78" * len(printed))[: len(printed)]


def _is_known(line: bytes) -> bool:
    """Whether a line is of the table, blank, or the end."""
    if not shown(line) or line == b"!":
        return True
    try:
        row, _, _ = understood(line.replace(b"\r\n", b"").replace(b"\n", b""))
    except TelegramError:
        return False
    return row is not None


def _signed(raw: RawTelegram, data: bytes) -> RawTelegram:
    """The new bytes with a CRC that is as right as the one before."""
    if raw.crc is None:
        return RawTelegram(data, None)
    computed = RawTelegram(data, None).computed_crc
    if raw.crc == raw.computed_crc:
        return RawTelegram(data, computed)
    return RawTelegram(data, raw.crc if raw.crc != computed else raw.crc ^ 1)
