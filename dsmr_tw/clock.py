"""Responsible for the one clock: the time of day, and delays that nobody lengthens or shortens by setting it.

Twisted counts delays by the time of day.
A clock that is set back by an hour would have every one of them wait an hour longer: no commit, no tick, no time-out.
So the reactor is given a clock that only ever advances, and whoever needs the time of day asks a ``SteadyClock``.

Tests: ``tests/test_clock.py``, ``tests/live/test_time.py``
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from attrs import field, frozen
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@implementer(IReactorTime)
@frozen
class SteadyClock:
    """The time of day, with the delays of a reactor."""

    reactor: Any
    """Counts delays by a clock that nobody sets."""

    wall: Callable[[], float] = time.time

    def seconds(self) -> float:
        """The time of day, in seconds since 1970: it may be set, to whatever, at any time."""
        return self.wall()

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:
        """See ``IReactorTime``."""
        later: IDelayedCall = self.reactor.callLater(delay, callable, *args, **kw)
        return later

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """See ``IReactorTime``."""
        calls: Sequence[IDelayedCall] = self.reactor.getDelayedCalls()
        return calls


def make_steady(reactor: Any) -> None:
    """Have a reactor count delays by a clock that nobody sets; to be called before anything is delayed."""
    reactor.seconds = time.monotonic


@frozen
class Boot:
    """One run of the machine, from power on to power off: within it, time since its beginning can be compared."""

    id: str = field()
    """Another one for each; where the system has none, for each process."""

    seconds: Callable[[], float] = time.monotonic
    """Since some moment of it, the same one for all processes. Nobody sets it."""

    @id.default
    def _of_the_system(self) -> str:
        try:
            return BOOT_ID.read_text("ascii").strip()
        except OSError:
            return str(uuid4())
