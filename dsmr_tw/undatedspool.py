"""Responsible for where telegrams wait that nobody can date yet: a spool for each run of the machine.

What an earlier run left can't be dated any more; it is told of, and kept.
Imported by the remote datalogger, too, which has no store: so nothing of one is imported here.

Tests: ``tests/test_undatedspool.py``
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from dsmr_tw.clock import Boot
from dsmr_tw.spool import Spool
from dsmr_tw.store.threads import Threads
from dsmr_tw.undated import knows_the_time

UNDATED: Final = "undated"
"""The name of the directory in a state directory, with one in it for each run of the machine."""

_log = Logger()


def undated_spool(state: Path, clock: IReactorTime, boot: Boot, spooler: Threads) -> Spool | None:
    """Where telegrams wait that nobody can date yet; ``None`` when the clock is set and none wait.

    Raises: ``StoreRefused`` when it can't be used.
    """
    own = state / UNDATED / boot.id
    for path in sorted((state / UNDATED).iterdir()) if (state / UNDATED).is_dir() else ():
        if path != own and path.is_dir():
            _see_to_earlier(path, spooler)
    if knows_the_time(clock) and not own.is_dir():
        return None
    spool = Spool(own, spooler)
    spool.open()
    return spool


def _see_to_earlier(path: Path, spooler: Threads) -> None:
    """Remove what an earlier run of the machine left, if it is empty."""
    try:
        path.rmdir()
    except OSError:
        spool = Spool(path, spooler)
        spool.survey()
        _log.warn(
            "{records} telegrams have no date, and nobody knows it: they came in an earlier run of this machine, "
            "before its clock was set. They are kept in {path}",
            records=spool.records,
            path=str(path),
        )
