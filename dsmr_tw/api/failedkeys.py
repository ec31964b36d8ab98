"""Responsible for wrong keys: who shows one after the other is answered later and later.

The first few wrong keys of an address are answered at once, like any other request, since people mistype.
Each one after them waits twice as long as the one before, at most ``LONGEST_SECONDS``; an address that is quiet for
``FORGET_SECONDS`` begins anew.
A right key never waits, whatever else comes from its address, for many houses may be behind one.

What is remembered is bounded: ``ADDRESSES``, of which the one that was quiet longest is forgotten first, and of IPv6 a
network of 64 bits is one address. While ``HELD`` answers wait, others do not.

Tests: ``tests/api/test_failedkeys.py``
"""

from __future__ import annotations

from io import BytesIO
from ipaddress import ip_address, ip_network
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.server import Request

from dsmr_tw.api.settings import Proxies
from dsmr_tw.limits import Limits

FREE: Final = 4
"""So many wrong keys of an address are answered at once."""

FIRST_SECONDS: Final = 0.25
LONGEST_SECONDS: Final = 5.0
FORGET_SECONDS: Final = 300

ADDRESSES: Final = 1024
HELD: Final = 128


@define
class Failing:
    """What is remembered of an address."""

    failures: int
    last_at: float
    """By the clock."""

    @property
    def is_late(self) -> bool:
        """Whether its wrong keys are answered late."""
        return self.failures > FREE


@define
class FailedKeys:
    """The addresses that wrong keys came from."""

    clock: IReactorTime
    limits: Limits
    proxies: Proxies = field(factory=Proxies)
    _failing: dict[str, Failing] = field(factory=dict, init=False, repr=False)
    """In the order of their last failures."""
    _held: int = field(default=0, init=False)
    """How many answers wait."""
    _log = Logger()

    async def hold(self, request: Request) -> None:
        """Count a wrong key, and wait as long as its answer should. The body, which nobody will read, is let go."""
        self.limits.hit("failed_keys")
        seconds = self.failed(self.proxies.client_of(request))
        if not seconds or self._held >= HELD:
            return
        self.limits.hit("failed_keys_held")
        request.content = BytesIO()
        waiting: Deferred[None] = deferLater(self.clock, seconds)
        request.notifyFinish().addErrback(lambda _: waiting.cancel())
        self._held += 1
        try:
            await waiting
        finally:
            self._held -= 1

    def failed(self, address: str | None) -> float:
        """Count a wrong key from this address; how many seconds its answer should wait."""
        now = self.clock.seconds()
        self._forget(now)
        name = _network(address)
        failing = self._failing.pop(name, None) or Failing(0, now)
        if len(self._failing) >= ADDRESSES:
            self._drop(next(iter(self._failing)))
        self._failing[name] = failing
        failing.failures += 1
        failing.last_at = now
        late = failing.failures - FREE
        if late == 1:
            self._log.warn("wrong API keys come from {address}: they are answered late now", address=name)
        # Beyond that the power of two would grow for as long as the guessing goes on.
        return 0.0 if late < 1 else min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(late - 1, 10))

    def _forget(self, now: float) -> None:
        """Forget those that have been quiet for long enough."""
        while self._failing:
            name, failing = next(iter(self._failing.items()))
            if now - failing.last_at < FORGET_SECONDS:
                return
            self._drop(name)

    def _drop(self, name: str) -> None:
        if self._failing.pop(name).is_late:
            self._log.info("no wrong API keys come from {address} any more", address=name)


def _network(address: str | None) -> str:
    """What one sender is known by: an IPv4 address, or an IPv6 network, of which it may use all addresses."""
    try:
        here = ip_address((address or "").partition("%")[0])
    except ValueError:
        return "a UNIX socket"
    mapped = getattr(here, "ipv4_mapped", None) or here
    return str(mapped if mapped.version == 4 else ip_network((mapped, 64), strict=False))
