"""Responsible for the backups in a directory: making one, finding the newest, and removing old ones.

A backup gets its name, which is its date in UTC, when it is whole, checked and on the disk; until then it and the copy
it is made of are hidden files.  What does not have such a name is left alone.

Tests: ``tests/test_backupfiles.py``
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw import __version__
from dsmr_tw.archive import Note, Told, create, is_copy_of, pack
from dsmr_tw.domain.localtime import instant_of, to_utc_text, utc
from dsmr_tw.domain.reading import DAY, SECOND
from dsmr_tw.domain.tally import Sums, Tally
from dsmr_tw.errors import BackupError, BackupStopped
from dsmr_tw.interfaces import IBackups
from dsmr_tw.lasting import put_into_place
from dsmr_tw.stored import Backup

NAME: Final = re.compile(r"dsmr-([0-9]{8}T[0-9]{6}Z)\.tar\.gz", re.ASCII)
LEFT: Final = re.compile(r"\.dsmr-[0-9]{8}T[0-9]{6}Z\.(copy|unfinished)", re.ASCII)
DATE: Final = "%Y%m%dT%H%M%SZ"

SHARES: Final = (2, 3, 3, 1)
"""How long copying, examining, packing and reading again take, compared with each other."""


class Original(Protocol):
    """A database that backups are made of; what is asked of it is done when the call returns, in any thread."""

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""

    @property
    def member(self) -> str:
        """The name of the copy inside a backup."""

    def size(self) -> int:
        """About how large a copy is, in bytes."""

    def may_examine(self) -> None:
        """Raise ``BackupError`` when a copy can't be examined, whatever it is like."""

    def copy(self, to: Path, told: Told, /) -> Tally:
        """Copy the database, as it is at one instant, to a file that is there and empty; what was in it."""

    def examine(self, copy: Path, told: Told, /) -> Tally:
        """What is in a copy, if it is whole. Raises ``BackupError``."""

    def since(self, then: Tally, told: Told, /) -> Mapping[int, Sums] | None:
        """What the database has now of what it had then; ``None`` when it is older than that."""


def instant_in(name: str) -> int | None:
    """When a backup of this name was made; ``None`` when it is none."""
    match = NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return instant_of(datetime.strptime(match[1], DATE).replace(tzinfo=UTC))
    except ValueError:
        return None


def backups_in(directory: Path, now: int) -> list[Backup]:
    """The backups, the oldest first; those that are dated ahead, by a clock that was wrong, do not count."""
    found = []
    for path in directory.iterdir():
        made_at = instant_in(path.name)
        if made_at is not None and made_at <= now:
            found.append(Backup(path.name, made_at, path.stat().st_size))
    return sorted(found, key=lambda backup: backup.made_at)


def make(original: Original, directory: Path, now: int, told: Told, examined: bool = True) -> Backup:
    """Make a backup and check it: that the copy holds what the database held, and the file what the copy holds.

    Raises: ``BackupError``
    """
    made_at = now // SECOND * SECOND
    date = utc(made_at).strftime(DATE)
    path, copy, unfinished = (
        directory / name.format(date) for name in ("dsmr-{}.tar.gz", ".dsmr-{}.copy", ".dsmr-{}.unfinished")
    )
    copying, examining, packing, reading = shares(told, SHARES)
    with _told(directory):
        _prepare(directory, now, original.size())
        if examined:
            original.may_examine()
        if path.exists():
            raise BackupError(f"{path} is there already; a backup is made once a second at most")
        try:
            create(copy).close()
            tally = original.copy(copy, copying)
            if examined:
                check(tally, original.examine(copy, examining))
            note = Note(original.kind, to_utc_text(made_at), __version__, tally)
            pack(note, original.member, copy, unfinished, packing)
            if not is_copy_of(unfinished, copy, reading):
                raise BackupError(f"What was written to {directory} is read differently: its disk is not to be trusted")
            put_into_place(unfinished, path)
        finally:
            copy.unlink(missing_ok=True)
            unfinished.unlink(missing_ok=True)
        return Backup(path.name, made_at, path.stat().st_size)


def check(wanted: Tally, found: Tally) -> None:
    """Raise ``BackupError`` when a copy does not hold what it shall."""
    differences = wanted.differences(found)
    if differences:
        more = f", and {len(differences) - 1} more" if len(differences) > 1 else ""
        raise BackupError(f"The copy does not hold what the database held: {differences[0]}{more}")


def prune(directory: Path, keep: int, now: int) -> list[str]:
    """Remove all backups but the newest ones; which were removed."""
    with _told(directory):
        old = [backup.name for backup in backups_in(directory, now)[:-keep]]
        for name in old:
            (directory / name).unlink(missing_ok=True)
        return old


def shares(told: Told, lengths: tuple[int, ...]) -> list[Told]:
    """Divide a work into parts, each of which tells of itself alone."""

    def part(before: int, share: int) -> Told:
        return lambda done, length: told(1000 * before + 1000 * share * done // max(length, 1), 1000 * sum(lengths))

    return [part(sum(lengths[:number]), share) for number, share in enumerate(lengths)]


def _look_for(directory: Path) -> None:
    if not directory.is_dir():
        raise BackupError(f"{directory} is not there: make the directory, or mount the disk that it is on")


def _prepare(directory: Path, now: int, size: int) -> None:
    """See whether there is room, and remove what a work left that was killed more than a day ago."""
    _look_for(directory)
    for path in directory.iterdir():
        if LEFT.fullmatch(path.name) and path.stat().st_mtime < (now - DAY) / SECOND:
            path.unlink(missing_ok=True)
    free = shutil.disk_usage(directory).free
    if free < size:
        raise BackupError(
            f"{directory} has room for {free / 1e6:,.0f} MB, and the copy alone takes {size / 1e6:,.0f} MB: "
            f"make room there, or name another disk"
        )


@contextmanager
def _told(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(f"{directory} can't be used: {error.strerror or error}") from error


@implementer(IBackups)
@define(eq=False)
class BackupDirectory:
    """The backups of one server."""

    original: Original
    directory: Path
    keep: int
    runner: Callable[..., Deferred[Any]]
    """Runs one work at a time."""
    release: Callable[[], object]
    """Ends what runs it."""
    _stopped: bool = field(default=False, init=False)

    def newest(self, now: int) -> Deferred[Backup | None]:
        """See ``IBackups``."""
        return self.runner(self._newest, now)

    def make(self, now: int) -> Deferred[Backup]:
        """See ``IBackups``."""
        return self.runner(self._make, now)

    def stop(self) -> None:
        """See ``IBackups``."""
        self._stopped = True

    def close(self) -> None:
        """See ``IBackups``."""
        self.release()

    def _newest(self, now: int) -> Backup | None:
        with _told(self.directory):
            _look_for(self.directory)
            return next(reversed(backups_in(self.directory, now)), None)

    def _make(self, now: int) -> Backup:
        made = make(self.original, self.directory, now, self._go_on)
        prune(self.directory, self.keep, now)
        return made

    def _go_on(self, done: int, length: int) -> None:
        if self._stopped:
            raise BackupStopped("The server is being stopped")
