"""Responsible for finding spools that nobody drains: those of servers that ran with another state directory.

Tests: ``tests/test_leftspools.py``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from dsmr_tw.segment import HEADER
from dsmr_tw.spool import SPOOL
from dsmr_tw.spoolfiles import is_in_use

LOOK_SECONDS: Final = 60


@define(eq=False)
class LeftSpools:
    """Looks at the directories beside a state directory."""

    state: Path
    runner: Callable[..., Deferred[Any]]
    """See ``dsmr_tw.spool``."""
    _found: Sequence[str] = field(default=(), init=False)
    _log = Logger()

    def found(self) -> Sequence[str]:
        """The directories of the spools that were found the last time."""
        return self._found

    def look(self) -> Deferred[None]:
        """Look again; never fails."""
        looking: Deferred[Any] = self.runner(self._look)
        return looking.addCallbacks(
            self._keep, lambda failure: self._log.failure("no spools can be looked for", failure)
        )

    def _keep(self, found: Sequence[str]) -> None:
        self._found = found

    def _look(self) -> list[str]:
        own = self.state.resolve()
        found = []
        # What belongs to others, and may not be looked at, is no concern of ours.
        with suppress(OSError):
            for state in sorted(own.parent.iterdir()):
                with suppress(OSError):
                    if state != own and any(_holding(state / SPOOL)) and not is_in_use(state / SPOOL):
                        found.append(str(state / SPOOL))
        return found


def _holding(path: Path) -> Iterator[Path]:
    """The files of a spool that hold something."""
    for file in path.glob("[0-9]*.spool"):
        with file.open("rb") as opened:
            if opened.read(len(HEADER) + 1)[: len(HEADER)] == HEADER and file.stat().st_size > len(HEADER):
                yield file
