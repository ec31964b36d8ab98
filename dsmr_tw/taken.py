"""Responsible for the telegrams in memory: those that were taken, and are neither in the store nor in the spool yet.

They are kept in the order in which they came; some are before the store, others shall go to the spool.

Tests: ``tests/test_spooling.py``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from attrs import define, field
from twisted.internet.defer import Deferred

from dsmr_tw.domain.reading import Arrival


@define(eq=False)
class Taken:
    """Telegrams that came together."""

    arrivals: Sequence[Arrival]
    answer: Deferred[None] | None
    """Who waits; ``None`` for a line, which does not."""
    is_behind: bool = False
    """Whether they shall go to the spool; else they are before the store."""


@define(eq=False)
class InMemory:
    """All of them."""

    telegrams: int = 0
    behind: int = 0
    """How many of ``_taken`` shall go to the spool."""
    _taken: deque[Taken] = field(factory=deque, init=False)

    def put(self, taken: Taken) -> None:
        """These came last."""
        self._taken.append(taken)
        self.telegrams += len(taken.arrivals)

    def forget(self, taken: Taken) -> None:
        """These are safe, or came to nothing."""
        self._taken.remove(taken)
        self.behind -= taken.is_behind
        self.telegrams -= len(taken.arrivals)

    def turn(self, taken: Taken, is_behind: bool) -> None:
        """From now on these shall go to the spool, or to the store."""
        self.behind += is_behind - taken.is_behind
        taken.is_behind = is_behind

    @property
    def begins_behind(self) -> bool:
        """Whether the oldest shall go to the spool."""
        return bool(self._taken) and self._taken[0].is_behind

    @property
    def has_some_before_the_store(self) -> bool:
        """Whether the store has not told yet what became of some."""
        return self.behind < len(self._taken)

    def all_behind(self) -> list[Taken]:
        """Those that shall go to the spool."""
        return [taken for taken in self._taken if taken.is_behind]

    def next_behind(self, at_once: int) -> list[Taken]:
        """The oldest, as far as they shall go to the spool: so many telegrams, or those of one post."""
        found: list[Taken] = []
        telegrams = 0
        for taken in self._taken:
            telegrams += len(taken.arrivals)
            if not taken.is_behind or (found and telegrams > at_once):
                break
            found.append(taken)
        return found
