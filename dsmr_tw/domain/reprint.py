"""Responsible for putting a telegram on a line again, as the meter printed it.

All bytes from ``/`` to ``!`` are those that came; behind them stands the CRC that was printed, in four digits.
A CRC that something on the way has stripped can be made again, for readers that want one.

Tests: ``tests/domain/test_reprint.py``
"""

from __future__ import annotations

from attrs import evolve

from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, outcomes_in, with_line_ends
from dsmr_tw.errors import CrcError

LINE_END = b"\r\n"


def on_a_line(raw: RawTelegram, sign: bool = False) -> bytes:
    """The bytes from ``/`` to the line end behind the CRC.

    A CRC that is absent is made again if ``sign``, unless the telegram is of a dialect that has none.
    """
    crc = raw.computed_crc if sign and lacks_crc(raw) else raw.crc
    return raw.data + (b"" if crc is None else b"%04X" % crc) + LINE_END


def lacks_crc(raw: RawTelegram) -> bool:
    """Whether it has no CRC, and its dialect would print one."""
    if raw.crc is not None:
        return False
    # Who knows is who checks them.
    return any(isinstance(outcome, CrcError) for outcome in outcomes_in(raw.data, CrcPolicy.STRICT))


def with_its_line_ends(raw: RawTelegram) -> RawTelegram:
    """The telegram with CR LF where an editor or a download made LF of them.

    The CRC tells: it is right with CR LF then. A telegram without a CRC always gets them.
    """
    if raw.crc == raw.computed_crc:
        return raw
    restored = evolve(raw, data=with_line_ends(raw.data))
    return restored if raw.crc in (None, restored.computed_crc) else raw
