"""Responsible for names on the disk that outlive a power cut: of directories that are made, of files put into place.

What a file holds is synced by who writes it; its name is another thing, and belongs to the directory.

Tests: ``tests/powercut/test_lasting.py``
"""

from __future__ import annotations

import os
from pathlib import Path


def sync_directory(path: Path) -> None:
    """Let the names in a directory outlive a power cut."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def make_directory(path: Path, mode: int = 0o777) -> None:
    """Make a directory, and those above it that are missing, unless it is there."""
    missing = [one for one in (path, *path.parents) if not one.exists()]
    path.mkdir(mode, parents=True, exist_ok=True)
    for one in missing:
        sync_directory(one.parent)


def put_into_place(unfinished: Path, path: Path) -> None:
    """Give a file, which is whole and synced, its name; it replaces the one that had it."""
    unfinished.replace(path)
    sync_directory(path.parent)
