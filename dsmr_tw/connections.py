"""Responsible for the open connections: how many there are, from where, and who has to go when there are too many.

An address gets no more than its share; one of its own that is idle, or has said nothing yet, makes room for its next.
When all places are taken, the connection that has been idle longest makes room, or else the one whose request has been
arriving longest: clients that send a byte now and then cannot keep anybody out, from however many addresses they come.
One that is being answered never has to go.

Tests: ``tests/test_httpserver.py``
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred

from dsmr_tw.limits import BODIES_BYTES, CONNECTIONS, CONNECTIONS_PER_ADDRESS, Limits

GOODBYES: Final = 64
"""So many connections that had to go may be saying goodbye at a time; of more, no goodbye is waited for."""


class Open(Protocol):
    """An open connection."""

    def leave(self) -> None:
        """Take no more requests: close at once, or as soon as the one that has begun is answered."""

    def make_room(self, at_once: bool) -> None:
        """Close it: at once, or within a second, so that what was answered arrives."""


@define
class Connections:
    """The open connections, and whether there is room for one more."""

    limits: Limits
    total: int = CONNECTIONS
    per_address: int = CONNECTIONS_PER_ADDRESS
    is_proxy: Callable[[str], bool] = lambda address: False
    """Whether an address speaks for many, so that only the total bounds it."""
    bodies_bytes: int = BODIES_BYTES
    """How much of bodies is kept, of all requests together."""
    _left: Deferred[None] | None = field(default=None, init=False, repr=False)
    """Fires when nobody is connected any more, once they have been asked to leave."""
    _open: dict[Open, str | None] = field(factory=dict, init=False, repr=False)
    _per_address: Counter[str | None] = field(factory=Counter, init=False, repr=False)
    _idle: dict[Open, None] = field(factory=dict, init=False, repr=False)
    """In the order in which they became idle."""
    _receiving: dict[Open, None] = field(factory=dict, init=False, repr=False)
    """In the order in which their requests began, or, of the first one, their connections."""
    _silent: dict[Open, None] = field(factory=dict, init=False, repr=False)
    """Those of them that have said nothing yet."""
    _going: set[Open] = field(factory=set, init=False, repr=False)
    """Those that had to go and are not gone yet."""
    _kept: Counter[Open] = field(factory=Counter, init=False, repr=False)
    """How much is kept of their bodies."""
    _kept_bytes: int = field(default=0, init=False)

    def room_for(self, address: str | None) -> bool:
        """Whether a connection from this address may be opened; closes another one if that makes it so."""
        if address is not None and self._per_address[address] >= self.per_address and not self.is_proxy(address):
            self.limits.hit("connections_per_address")
            own = (channel for channel in (*self._idle, *self._silent) if self._open[channel] == address)
            return self._close_first(own)
        if len(self._open) >= self.total:
            self.limits.hit("connections")
            return self._close_first(self._idle) or self._close_first(self._receiving)
        return True

    @property
    def are_leaving(self) -> bool:
        """Whether they were asked to."""
        return self._left is not None

    def leave(self) -> Deferred[None]:
        """Fires when all are closed: those that wait for an answer get it first."""
        left: Deferred[None] = Deferred()
        self._left = left
        for channel in list(self._open):
            channel.leave()
        self._see_whether_all_left()
        return left

    def opened(self, channel: Open, address: str | None) -> None:
        """A connection begins, and its first request is waited for."""
        self._open[channel] = address
        self._per_address[address] += 1
        self._receiving[channel] = None
        self._silent[channel] = None

    def woke(self, channel: Open) -> None:
        """A request begins to arrive."""
        self._idle.pop(channel, None)
        self._silent.pop(channel, None)
        if channel in self._open:
            self._receiving[channel] = None

    def keeps(self, channel: Open, more: int) -> None:
        """So many bytes more of a body are kept: too many of all bodies, and that which came longest has to go."""
        self._kept[channel] += more
        self._kept_bytes += more
        while self._kept_bytes > self.bodies_bytes and self._receiving:
            self.limits.hit("bodies_bytes")
            self._close_first(self._receiving)

    def received(self, channel: Open) -> None:
        """A request is whole."""
        self._receiving.pop(channel, None)

    def rests(self, channel: Open) -> None:
        """A request is answered."""
        self._forget_body(channel)
        if channel in self._open:
            self._idle[channel] = None

    def closed(self, channel: Open) -> None:
        """A connection is over."""
        self._forget(channel)
        self._going.discard(channel)

    def _forget(self, channel: Open) -> None:
        self._idle.pop(channel, None)
        self._silent.pop(channel, None)
        self._receiving.pop(channel, None)
        self._forget_body(channel)
        if channel in self._open:
            address = self._open.pop(channel)
            self._per_address[address] -= 1
            if not self._per_address[address]:
                del self._per_address[address]
            self._see_whether_all_left()

    def _see_whether_all_left(self) -> None:
        if self._left is not None and not self._left.called and not self._open:
            self._left.callback(None)

    def _forget_body(self, channel: Open) -> None:
        self._kept_bytes -= self._kept.pop(channel, 0)

    def _close_first(self, channels: Iterable[Open]) -> bool:
        """Close the first of these; whether there was any."""
        channel = next(iter(channels), None)
        if channel is None:
            return False
        self._forget(channel)
        at_once = len(self._going) >= GOODBYES
        self._going.add(channel)
        channel.make_room(at_once)
        return True


@define
class Asking:
    """Who asks through a proxy, which has one connection for many: an address has as many requests as connections."""

    limits: Limits
    per_address: int = CONNECTIONS_PER_ADDRESS
    _asking: Counter[str] = field(factory=Counter, init=False, repr=False)

    def begins(self, address: str) -> bool:
        """A request comes; whether its address may have one more."""
        if self._asking[address] >= self.per_address:
            self.limits.hit("connections_per_address")
            return False
        self._asking[address] += 1
        return True

    def ends(self, address: str) -> None:
        """A request is answered, or nobody waits for the answer any more."""
        self._asking[address] -= 1
        if not self._asking[address]:
            del self._asking[address]
