"""Responsible for what telegrams look like on their way to another server, and for what its answers mean.

A request is a form with one field, ``telegram``, as every server with version 1 of the API takes it.
A server that says so takes several telegrams in one body, behind one another, and is told when each of them arrived.

Tests: ``tests/domain/test_forwarded.py``
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import Final

from attrs import frozen

from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import YEAR_2020
from dsmr_tw.domain.spooled import Record
from dsmr_tw.limits import BODY_BYTES

MOST_TOGETHER: Final = 100
"""The most telegrams that are sent in one body, however many the other server would take: their times go in a header,
which may not grow too long either."""

LONGEST_PAUSE_S: Final = 300.0
"""A server that asks for more patience is asked again after this."""

FIELD: Final = b"telegram="

_ESCAPED: Final = re.compile(rb"\r\n|[^A-Za-z0-9/:()*!.,_-]")


class Verdict(Enum):
    """What becomes of telegrams that were sent."""

    STORED = "stored"
    """They are the other server's; ours may be forgotten."""

    REFUSED = "refused"
    """The other server will never take them as they are."""

    LATER = "later"
    """They are kept, and sent again."""


@frozen
class Answer:
    """What another server said."""

    status: int

    text: str = ""
    """The beginning of the body of a refusal, on one line, without what could steer a terminal."""

    together: int = 1
    """How many telegrams it takes in one body, as far as it says."""

    pause_s: float | None = None
    """How long it wants to be left alone; ``None`` when it does not say."""

    @property
    def verdict(self) -> Verdict:
        """What it means for the telegrams."""
        if self.status in (200, 201):
            return Verdict.STORED
        return Verdict.REFUSED if self.status in (400, 413, 415, 422) else Verdict.LATER

    @property
    def words(self) -> str:
        """What it means for a person."""
        said = f" and says: {self.text}" if self.text else ""
        match self.status:
            case 401 | 403:
                return f"it answers with status {self.status}; is the key right, and is its API switched on?"
            case 404 | 405 | 410:
                return f"it answers with status {self.status}; is the address right, and is its API switched on?"
            case status if 300 <= status < 400:
                return f"it sends us elsewhere (status {status}), which is not followed; give the right address"
            case 429 | 503:
                return f"it asks for patience (status {self.status})"
        return f"it answers with status {self.status}{said}"


def form_body(records: Iterable[Record]) -> bytes:
    """The body that holds these telegrams."""
    return FIELD + b"".join(_form_text(record.telegram) for record in records)


def received_header(records: Sequence[Record]) -> str | None:
    """When they arrived, comma-separated; ``None`` when our clock was not set yet."""
    if not all(map(_has_time, records)):
        return None
    return ",".join(to_utc_text(record.received_at) for record in records)


def fitting(records: Sequence[Record], most: int) -> int:
    """How many of the first of these go in one body: one, or as many as it may hold.

    Those that arrived before our clock was set do not go together with others, which would lose their times, too.
    """
    room = BODY_BYTES - len(FIELD)
    for number, record in enumerate(records[:most]):
        room -= len(_form_text(record.telegram))
        if number and (room < 0 or _has_time(record) is not _has_time(records[0])):
            return number
    return min(most, len(records))


def taken_together(said: str | None) -> int:
    """How many telegrams a server takes in one body, as it said or not."""
    if said is None or not (said.isascii() and said.isdigit() and len(said) < 10):
        return 1
    return min(max(1, int(said)), MOST_TOGETHER)


def bounded_pause(seconds: float) -> float:
    """How long a server is left alone that asks for so much."""
    return min(max(0.0, seconds), LONGEST_PAUSE_S)


def _has_time(record: Record) -> bool:
    return record.received_at >= YEAR_2020


@lru_cache(maxsize=2 * MOST_TOGETHER)
def _form_text(telegram: str) -> bytes:
    """A telegram with its line end, the bytes that the meter printed, as a form holds them.

    Asked for twice: for its length, and to be sent.
    """
    return _ESCAPED.sub(_escape, f"{telegram}\r\n".encode("latin-1"))


def _escape(found: re.Match[bytes]) -> bytes:
    return b"%0D%0A" if found[0] == b"\r\n" else b"".join(b"%%%02X" % byte for byte in found[0])
