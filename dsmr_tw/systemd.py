"""Responsible for telling systemd how the service is: that it is ready, that it is alive, what it does, that it stops.

A message is a datagram of ``NAME=value`` lines to the socket that systemd names in ``NOTIFY_SOCKET``; where there is no
such name nothing is told.  What is sent, and when:

===============  ======================================================================================================
READY            the ports are open, and the store too, or it is known to be away: telegrams are taken then as well
STATUS           what ``/health`` says, in one line, when it changes
WATCHDOG         twice in ``WATCHDOG_USEC``, if the reactor turns, and store and spool do not both leave us without an
                 answer: a restart helps against either, and against nothing else
STOPPING         the service stops
EXTEND_TIMEOUT   before a start, which may bring a big database up to date; and while a stop still stores something
===============  ======================================================================================================

Source: sd_notify(3), systemd.service(5).

Tests: ``tests/test_systemd.py``, ``tests/live/test_systemd.py``
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Final

from attrs import define, field, frozen
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from dsmr_tw.interfaces import IHealth

START_S: Final = 3600
"""A start may take so long: ten million readings whose columns change."""

STOP_S: Final = 30
"""A stop may take so much longer each time that it says it goes on."""

LONGEST_STOP_S: Final = 300
"""A stop says so no longer than this."""

TOLD_EVERY_S: Final = 10.0
"""Between two looks at how the service is, unless the watchdog wants to hear of it more often."""

STUCK_S: Final = 60.0
"""So long store and spool may both leave us without an answer: a disk that sleeps wakes within seconds."""


@frozen
class Notifying:
    """What systemd can be told, if it listens."""

    address: str | None = None
    """Of its socket: a path, or a name that begins with ``@``; ``None``: it does not listen."""
    watchdog_s: float | None = None
    """It takes the service for dead after so long a silence; ``None``: never."""
    _log = Logger()

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> Notifying:
        """As systemd has told the process ``pid`` in its environment."""
        address, watchdog = environment.get("NOTIFY_SOCKET"), environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        return cls(address or None, int(watchdog) / 1e6 if watchdog.isdecimal() and int(watchdog) and is_ours else None)

    def tell(self, **words: object) -> None:
        """Send ``NAME=value`` lines; that nobody takes them is no reason to fail."""
        if self.address is None:
            return
        message = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in words.items())
        address = f"\0{self.address[1:]}" if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as wire:
                # systemd that is busy must not make us wait.
                wire.setblocking(False)
                wire.connect(address)
                wire.send(message.encode())
        except OSError as error:
            self._log.debug("systemd could not be told: {error}", error=str(error))

    def allow(self, seconds: float, status: str) -> None:
        """Ask for so much time from now on, to start or to stop."""
        self.tell(EXTEND_TIMEOUT_USEC=int(seconds * 1e6), STATUS=status)


UNHEARD: Final = Notifying()
"""Nobody listens."""


@define(eq=False)
class Told(Service):
    """Keeps systemd informed. Begins as the last of all services, and so is the first to be stopped."""

    notifying: Notifying
    clock: IReactorTime
    health: IHealth
    is_stuck: Callable[[], bool]
    """Whether neither store nor spool answers."""
    ready_at_start: bool = False
    """Whether there is no store that has to be opened first."""

    _loop: LoopingCall = field(init=False)
    _status: str | None = field(default=None, init=False)
    _every: float = field(init=False)
    _stuck_s: float = field(default=0.0, init=False)
    """For so long nothing has answered: counted, since the time of day may be set meanwhile."""
    _stopping_s: float | None = field(default=None, init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self._tick)
        self._loop.clock = self.clock
        watchdog_s = self.notifying.watchdog_s
        self._every = TOLD_EVERY_S if watchdog_s is None else min(TOLD_EVERY_S, watchdog_s / 2)

    def startService(self) -> None:
        """Say from now on that we are alive."""
        super().startService()
        self._stopping_s = None
        if self.notifying.address is not None and not self._loop.running:
            self._loop.start(self._every).addErrback(
                lambda failure: self._log.failure("systemd hears no more", failure)
            )
        if self.ready_at_start:
            self.ready()

    def ready(self, ignored: object = None) -> None:
        """The store is open, or known to be away."""
        if self.running:
            self.notifying.tell(READY=1, STATUS=self._health_in_words())

    def stopService(self) -> Deferred[None] | None:
        """Say that we stop, and go on to say that we are alive until the process ends."""
        super().stopService()
        self._stopping_s = 0.0
        self.notifying.tell(STOPPING=1)
        self._tick()
        return None

    def _tick(self) -> None:
        if not self._lives():
            return
        if self.notifying.watchdog_s is not None:
            self.notifying.tell(WATCHDOG=1)
        if self._stopping_s is None:
            with self._log.failuresHandled("systemd was not told how the service is:"):
                self._tell_news()
        elif self._stopping_s < LONGEST_STOP_S:
            self._stopping_s += self._every
            self.notifying.allow(STOP_S, "stops: what was taken is stored first")

    def _tell_news(self) -> None:
        status, self._status = self._status, self._health_in_words()
        if status != self._status:
            self.notifying.tell(STATUS=self._status)

    def _lives(self) -> bool:
        """Whether it is not for too long that nothing answers."""
        if not self.is_stuck():
            self._stuck_s = 0.0
            return True
        self._stuck_s += self._every
        return self._stuck_s <= STUCK_S

    def _health_in_words(self) -> str:
        report = self.health.report()
        problems = report["problems"]
        assert isinstance(problems, list)
        return "; ".join((str(report["status"]), *problems))
