"""Responsible for listening to a serial port at the right speed: when the search goes on, and who is told of its end.

A port that is open hands its bytes over and can be tuned, which loses nothing that the meter says afterwards.
It is tuned at a pause of the line, or after 30 s in which nothing came at all, as long as no telegram ever came.
What was found outlives the connection: a cable that is plugged in again is listened to like before.

Tests: ``tests/test_hearing.py``, ``tests/live/test_speed.py``
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from dsmr_tw.domain.speed import LineSetting, SpeedSearch

PAUSE_S: Final = 0.25
"""A line that was silent for so long pauses: within a telegram no meter is."""

PATIENCE_S: Final = 30
"""So long nothing may come, before another speed is tried: three telegrams of the slowest meter."""


def _tell_nobody(setting: LineSetting) -> None:
    """What is done with a speed that was found, where nobody waits for it."""


@define(eq=False)
class Hearing:
    """How one device is listened to."""

    clock: IReactorTime

    search: SpeedSearch = field(factory=SpeedSearch)

    on_found: Callable[[LineSetting], object] = _tell_nobody
    """Told how to listen, once it is known, or known anew."""

    _tune: Callable[[LineSetting], None] | None = field(default=None, init=False, repr=False)
    """Tunes the port, while one is open."""

    _pause: IDelayedCall | None = field(default=None, init=False, repr=False)
    """Comes when the line pauses, while that matters."""

    _quiet_s: int = field(default=0, init=False)
    """Seconds in which nothing came, at this speed."""

    _settled: bool = field(default=False, init=False)
    """Whether a telegram ever came."""

    def opened(self, tune: Callable[[LineSetting], None]) -> None:
        """A port is open, with the setting of the search."""
        self._tune, self._quiet_s = tune, 0

    def closed(self) -> None:
        """The port is closed."""
        self._tune = None
        self._wait_no_more()

    def heard(self, data: bytes) -> bytes:
        """Take what the port heard: what the meter sent."""
        self._quiet_s = 0
        sent = self.search.take(data)
        if not self.search.found:
            if self.search.is_full:
                self._wait_no_more()
                self._conclude()
            else:
                self._wait()
        return sent

    def settle(self) -> bool:
        """A telegram came: whether that tells something new."""
        if self.search.found:
            return False
        self.search.settle()
        self._settled = True
        self._wait_no_more()
        self.on_found(self.search.setting)
        return True

    def doubt(self) -> None:
        """No telegram came for long: what comes from now on may be another meter's."""
        self.search.doubt()

    def tick(self) -> None:
        """A second went by."""
        self._quiet_s += 1
        if self._quiet_s >= PATIENCE_S and not self._settled:
            self.search.give_up()
            self._listen()

    def _wait(self) -> None:
        if self._pause is None:
            self._pause = self.clock.callLater(PAUSE_S, self._conclude)
        else:
            self._pause.reset(PAUSE_S)

    def _wait_no_more(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _conclude(self) -> None:
        self._pause = None
        if self.search.conclude():
            self._listen()

    def _listen(self) -> None:
        self._quiet_s = 0
        if self._tune is not None:
            self._tune(self.search.setting)
