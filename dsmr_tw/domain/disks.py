"""Responsible for what a person is told to do about a disk that takes nothing.

Tests: ``tests/domain/test_disks.py``
"""

from __future__ import annotations

from errno import EACCES, EDQUOT, EIO, ENOSPC, EPERM, EROFS
from typing import Final

ROOM: Final = "make room on that disk, and it goes on by itself"
FAILING: Final = "the disk or its cable fails, the kernel's log (dmesg) says more; save what is on it, and replace it"
READ_ONLY: Final = "the disk can only be read, the kernel's log (dmesg) says why; mount it for writing, or replace it"
FORBIDDEN: Final = "let the user that runs the server write there"

ADVICE: Final = {ENOSPC: ROOM, EDQUOT: ROOM, EIO: FAILING, EROFS: READ_ONLY, EACCES: FORBIDDEN, EPERM: FORBIDDEN}


def with_advice(words: str, number: int | None) -> str:
    """What is wrong, as the system says it, and what to do about it; ``number`` is that of the error, see ``errno``."""
    advice = None if number is None else ADVICE.get(number)
    return words if advice is None else f"{words} ({advice})"
