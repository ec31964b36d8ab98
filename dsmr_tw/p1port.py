"""Responsible for composing the port where telegrams are served as they come: ``--p1-server``.

Tests: ``tests/test_tap.py``, ``tests/test_forward_tap.py``
"""

from __future__ import annotations

from functools import partial
from typing import Any

from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.listening import Listening, listening
from dsmr_tw.sinks.p1server import P1Server
from dsmr_tw.source import ShowTelegram


def wire(p1_server: P1Server | None, crc: CrcPolicy) -> ShowTelegram | None:
    """What serves the telegrams of a source; one whose CRC may be absent is taken for one that strips it."""
    return None if p1_server is None else partial(p1_server.offer, sign=crc is CrcPolicy.OPTIONAL)


def p1_ports(reactor: Any, endpoint: str | None, p1_server: P1Server | None) -> list[Listening]:
    """The port, if there shall be one."""
    if endpoint is None or p1_server is None:
        return []
    return [listening(reactor, endpoint, p1_server, "--p1-server", "tcp:2001")]
