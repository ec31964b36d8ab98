"""Responsible for listening to devices for a while, for ``dsmr doctor``, and for who else has their ports open.

Tests: ``tests/live/test_doctor.py``
"""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from attrs import define, field
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from dsmr_tw.domain.diagnosis import Diagnosis
from dsmr_tw.progress import Progress
from dsmr_tw.source import Source, TelegramSource

ENOUGH: Final = 10
"""After so many telegrams it is known how a line is."""

LATE_S: Final = 30
"""So long after the last telegram something is wrong: the slowest meters print every ten seconds."""


@define
class Examination:
    """Sources that are listened to until enough is known of all of them."""

    sources: Sequence[TelegramSource]
    seconds: int
    progress: Progress = field(factory=lambda: Progress("Listening"))
    found: list[Diagnosis] = field(factory=list, init=False)
    """How each was, at the end."""
    _passed: int = field(default=0, init=False)
    _log = Logger()

    def run(self, reactor: Any) -> list[Diagnosis]:
        """Listen, for so many seconds at most; Ctrl-C ends it earlier."""
        watch = LoopingCall(self._tick, reactor)
        watch.clock = reactor
        reactor.callWhenRunning(self._begin, reactor, watch)
        reactor.addSystemEventTrigger("before", "shutdown", self._end)
        reactor.run()
        return self.found

    def _begin(self, reactor: Any, watch: LoopingCall) -> None:
        for source in self.sources:
            source.startService()
        watch.start(1, now=False).addErrback(lambda failure: self._log.failure("Listening ended:", failure))

    def _tick(self, reactor: Any) -> None:
        self._passed += 1
        self.progress.reach(self._passed, self.seconds)
        if self._passed >= self.seconds or all(self._is_known(source) for source in self.sources):
            reactor.stop()

    @staticmethod
    def _is_known(source: TelegramSource) -> bool:
        health = source.health
        if not health.connected:
            # What can't be opened now is not waited for.
            return health.trouble is not None
        return health.line.telegrams >= ENOUGH

    def _end(self) -> Any:
        self.progress.end()
        # As they are now: closed, they would all look alike.
        self.found = [diagnosed(source) for source in self.sources]
        return DeferredList([maybeDeferred(source.stopService) for source in self.sources], consumeErrors=True)


def diagnosed(source: TelegramSource) -> Diagnosis:
    """How a source is now."""
    health = source.health
    trouble = health.trouble
    if health.connected and health.telegrams and health.quiet_s < LATE_S:
        # A dongle that gives the same telegram until the meter prints another, or one that was refused among many.
        trouble = None
    elif isinstance(source, Source) and health.connected and not health.crc_errors:
        trouble = trouble or source.advice()
    return Diagnosis(health.name.removeprefix("device "), health.figures(), trouble)


def of_a_port(path: str) -> Iterator[tuple[str, str]]:
    """What can be seen of a port without opening it: whose it is, and who has it open."""
    try:
        status = os.stat(path)
    except OSError:
        return
    yield "port", f"{stat.filemode(status.st_mode)}, of {_user(status.st_uid)} and the group {_group(status.st_gid)}"
    group_may = status.st_gid != 0 and status.st_mode & stat.S_IRGRP and status.st_mode & stat.S_IWGRP
    if group_may and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        user, group = _user(os.geteuid()), _group(status.st_gid)
        yield "remedy", f"sudo usermod --append --groups {group} {user}, then log in again"
    if readers := list(_with_it_open(os.path.realpath(path))):
        yield "open in", ", ".join(readers)


def _user(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return str(number)


def _group(number: int) -> str:
    with suppress(KeyError):
        return grp.getgrgid(number).gr_name
    return str(number)


def _with_it_open(path: str) -> Iterator[str]:
    """Which other programs have a file open, as far as this user may see."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            if any(os.readlink(each) == path for each in (process / "fd").iterdir()):
                yield f"{(process / 'comm').read_text().strip()} (process {process.name})"
