"""Responsible for the bounds that hold whatever anybody sends, and for counting how often each was met.

Tests: ``tests/test_limits.py``
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from attrs import define, field

TELEGRAM_BYTES: Final = 16 * 1024
FRAME_BYTES: Final = TELEGRAM_BYTES + 32
"""An encrypted frame: a telegram, and what stands around it. Longer ones are counted for each source, not here."""
BODY_BYTES: Final = 256 * 1024
BODIES_BYTES: Final = 32 * 1024 * 1024
"""Of all bodies together, as far as they are kept."""
HEADER_BYTES: Final = 8 * 1024
REQUEST_SECONDS: Final = 10
CONNECTIONS: Final = 512
CONNECTIONS_PER_ADDRESS: Final = 64
READINGS_WAITING: Final = 10_000
READINGS_PER_COMMIT: Final = 200
TELEGRAMS_PER_BODY: Final = 100
SPOOL_BYTES: Final = 256 * 1024 * 1024
UNKNOWN_LINES: Final = 64
PAGE_ROWS: Final = 10_000
EXPORTS: Final = 4
P1_CLIENTS: Final = 64

NAMES: Final = (
    "telegram_bytes",
    "body_bytes",
    "bodies_bytes",
    "header_bytes",
    "request_seconds",
    "connections",
    "connections_per_address",
    "failed_keys",
    "failed_keys_held",
    "readings_waiting",
    "spool_bytes",
    "unknown_lines",
    "page_rows",
    "exports",
    "p1_clients",
    "p1_unread_bytes",
)
"""The limits that ``/health`` shows."""


@define
class Limits:
    """How often each limit was hit since the start."""

    hits: Counter[str] = field(factory=lambda: Counter(dict.fromkeys(NAMES, 0)))

    def hit(self, name: str, times: int = 1) -> None:
        """Count that the limit called ``name`` was met."""
        self.hits[name] += times
