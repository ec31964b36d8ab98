"""Responsible for turns: however much some address asks for, the others are served in between.

Whatever a client sends is worked on at once, until its lane (an address, mostly) has used ``LANE_SECONDS`` of our time.
From then on its connections wait in a line, and are not read from; in each turn of the reactor every lane gets as much
time again, one lane after the other, until ``TURN_SECONDS`` are over.
So one client alone is as fast as without turns, and a hundred connections that send nothing but work hold up another
client for a few milliseconds.

Tests: ``tests/test_turns.py``
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, Protocol

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

LANE_SECONDS: Final = 0.002
"""How long a lane is worked for before it must wait."""

TURN_SECONDS: Final = 0.004
"""How long all who wait are worked for in one turn of the reactor."""

LANES: Final = 1024
"""Of how many lanes it is known what they used since their last turn."""


class Waiting(Protocol):
    """A connection that has something to do."""

    def go_on(self) -> None:
        """Do a small piece of it, and wait again if there is more."""


@define(eq=False)
class Turns:
    """Who has worked how long, and who waits."""

    clock: IReactorTime
    _used: dict[Hashable, float] = field(factory=dict, init=False, repr=False)
    _lines: dict[Hashable, dict[Waiting, None]] = field(factory=dict, init=False, repr=False)
    """The lanes that wait for a turn, each with its connections, both in their order."""
    _next: IDelayedCall | None = field(default=None, init=False, repr=False)

    def is_free(self, lane: Hashable) -> bool:
        """Whether somebody of this lane need not wait."""
        return lane not in self._lines

    def wait(self, lane: Hashable, waiting: Waiting) -> None:
        """Let ``waiting`` go on when it is its turn; it may wait in one place only."""
        self._line(lane)[waiting] = None

    def leave(self, lane: Hashable, waiting: Waiting) -> None:
        """It has nothing to do any more."""
        line = self._lines.get(lane)
        if line is not None:
            line.pop(waiting, None)

    def work(self, lane: Hashable, function: Callable[[bytes], object], data: bytes) -> None:
        """Call a function in the time of this lane."""
        begun = self.clock.seconds()
        function(data)
        used = self._used.get(lane, 0.0) + self.clock.seconds() - begun
        if used >= LANE_SECONDS:
            self._line(lane)
        elif lane not in self._used and len(self._used) >= LANES:
            self._used.clear()
        self._used[lane] = used

    def _line(self, lane: Hashable) -> dict[Waiting, None]:
        if self._next is None:
            self._next = self.clock.callLater(0, self._turn)
        return self._lines.setdefault(lane, {})

    def _turn(self) -> None:
        """Let those who wait go on, as far as this turn's time goes."""
        end = self.clock.seconds() + TURN_SECONDS
        self._used.clear()
        for lane, line in list(self._lines.items()):
            while line and self._used.get(lane, 0.0) < LANE_SECONDS:
                waiting = next(iter(line))
                del line[waiting]
                waiting.go_on()
            # To the end of the lines, if it is not done.
            del self._lines[lane]
            if line or self._used.get(lane, 0.0) >= LANE_SECONDS:
                self._lines[lane] = line
            if self.clock.seconds() >= end:
                break
        self._next = self.clock.callLater(0, self._turn) if self._lines else None
