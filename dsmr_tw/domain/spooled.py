"""Responsible for a telegram's form in the spool: all that is needed to take it once more, just as it was taken.

    received_at, meter_id, lengths | zone | origin's name | the telegram from / to the CRC

Numbers are big-endian, so that they begin alike from one telegram to the next; ``meter_id`` 0 stands for ``None``.
The length of the zone's name has its highest bit set when the telegram is dated by its arrival.
A telegram is parsed again when it is read: the arrival is then equal to the one that was written.

Tests: ``tests/domain/test_spooled.py``
"""

from __future__ import annotations

from struct import Struct, error
from typing import Final

from attrs import frozen

from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import meter_zone, to_utc_text
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import Arrival, Origin
from dsmr_tw.domain.telegram import RawTelegram
from dsmr_tw.errors import DsmrError, TelegramError

_HEAD: Final = Struct(">qqBH")

_BY_ARRIVAL: Final = 0x80


@frozen
class Record:
    """What stands in one record."""

    received_at: int
    """When the telegram was taken."""

    origin: Origin
    """Which cable or key it came by."""

    zone: str
    """The time zone in which its clocks are read: ``"Europe/Amsterdam"``."""

    by_arrival: bool
    """Whether the meter's clock is not trusted."""

    telegram: str
    """From ``/`` to the CRC, each byte one character (Latin-1)."""

    def packed(self) -> bytes:
        """The bytes of the record."""
        zone, name = self.zone.encode(), self.origin.name.encode()
        zone_bytes = len(zone) | _BY_ARRIVAL if self.by_arrival else len(zone)
        head = _HEAD.pack(self.received_at, self.origin.meter_id or 0, zone_bytes, len(name))
        return b"".join((head, zone, name, self.telegram.encode("latin-1")))

    def text(self) -> str:
        """For people: when and from where it came, then the telegram."""
        return f"{to_utc_text(self.received_at)} {self.origin.name}\n{self.telegram}\n"

    def arrival(self, parser: TelegramParser) -> Arrival:
        """What an intake took.

        Raises: ``DsmrError`` when this program, unlike the one that wrote it, sees no telegram in it.
        """
        raw = RawTelegram.of_text(self.telegram)
        return arrival(parser.parse(raw), self.origin, self.received_at, meter_zone(self.zone), self.by_arrival)


def record_of(taken: Arrival) -> bytes:
    """A telegram as it is kept in the spool."""
    assert taken.telegram is not None and taken.zone is not None, "only telegrams are spooled"
    return Record(taken.received_at, taken.origin, taken.zone, taken.by_arrival, taken.telegram).packed()


def record_in(data: bytes) -> Record:
    """What stands in the bytes of one record.

    Raises: ``TelegramError`` when it is none, as one of a newer program may be.
    """
    try:
        return _record_in(data)
    except (error, UnicodeDecodeError) as why:
        raise TelegramError(f"this program can't read the record: {why}") from why


def _record_in(data: bytes) -> Record:
    received_at, meter_id, zone_bytes, name_bytes = _HEAD.unpack_from(data)
    by_arrival = zone_bytes >= _BY_ARRIVAL
    zone_bytes %= _BY_ARRIVAL
    name_at = _HEAD.size + zone_bytes
    telegram_at = name_at + name_bytes
    origin = Origin(data[name_at:telegram_at].decode(), meter_id or None)
    zone, telegram = data[_HEAD.size : name_at].decode(), data[telegram_at:].decode("latin-1")
    return Record(received_at, origin, zone, by_arrival, telegram)


def text_in(data: bytes) -> str:
    """The same for people, whatever it is."""
    try:
        return record_in(data).text()
    except TelegramError:
        return data.decode("latin-1") + "\n"


def arrival_in(data: bytes, parser: TelegramParser) -> Arrival | DsmrError:
    """What an intake took, or why nothing can be taken from the record."""
    try:
        return record_in(data).arrival(parser)
    except DsmrError as why:
        return why
