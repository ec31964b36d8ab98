"""Responsible for the state directory: who may use it, and the file with the owner's first API key.

One server at a time holds it, by a lock that the kernel drops with the process, however it ends.

Tests: ``tests/test_statedir.py``
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from attrs import define, field

from dsmr_tw.domain.disks import with_advice
from dsmr_tw.errors import SettingsError, StoreRefused, StoreUnavailable
from dsmr_tw.lasting import make_directory, put_into_place, sync_directory


@define
class StateDir:
    """A directory that belongs to one server."""

    path: Path
    _locks: list[int] = field(factory=list, init=False)

    @property
    def key_file(self) -> Path:
        """Where the owner finds the first API key."""
        return self.path / "api.key"

    def prepare(self) -> None:
        """Make the directory, for its owner only.

        Raises: ``SettingsError``
        """
        try:
            make_directory(self.path, 0o700)
        except OSError as error:
            raise SettingsError(
                f"--state-dir {self.path} can't be made: {error.strerror}. Name a directory that you may write to."
            ) from error
        if not os.access(self.path, os.W_OK | os.X_OK, effective_ids=True):
            raise SettingsError(f"--state-dir {self.path} can't be written to. Name a directory that you may write to.")

    def lock(self, path: Path | None = None) -> None:
        """Hold the directory, or another file beside which nobody else may work, until the process ends.

        Raises: ``StoreRefused`` when another server holds it.
        """
        target = self.path / "dsmr.lock" if path is None else path
        try:
            lock = os.open(target, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SettingsError(f"{target} can't be written: {error.strerror}.") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise StoreRefused(
                f"Another server is using {target.parent}. Stop it first, or give this one a --state-dir "
                f"(and a --database) of its own."
            ) from error
        self._locks.append(lock)

    def is_held(self, path: Path | None = None) -> bool:
        """Whether a server holds the directory, or another file, now; not, where that can't be looked at."""
        try:
            lock = os.open(self.path / "dsmr.lock" if path is None else path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def release(self) -> None:
        """Let others in."""
        while self._locks:
            os.close(self._locks.pop())

    def write_key(self, key: str) -> None:
        """Keep the owner's key in a file that only the owner reads.

        Raises: ``StoreUnavailable`` when the disk does not take it now.
        """
        try:
            replace_file(self.key_file, key + "\n")
        except OSError as error:
            raise StoreUnavailable(with_advice(f"{self.key_file}: {error.strerror}", error.errno)) from error

    def read_key(self) -> str | None:
        """The owner's key, if its file is there."""
        try:
            return self.key_file.read_text(encoding="utf-8").strip() or None
        except FileNotFoundError:
            return None

    def forget_key(self, is_gone: Callable[[str], bool]) -> None:
        """Remove the owner's file if the key in it is valid no more, or it would come back at the next start."""
        key = self.read_key()
        if key is not None and is_gone(key):
            self.key_file.unlink()
            sync_directory(self.path)


def replace_file(path: Path, text: str) -> None:
    """Put a file that only its owner reads in the place of the one there may be: whole, or not at all."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    put_into_place(unfinished, path)
