"""Responsible for opening the store when the service starts, and for closing it when all else has stopped.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from dsmr_tw.api.auth import KeyRing
from dsmr_tw.datalogger import Datalogger
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IStore
from dsmr_tw.keys import owner_key
from dsmr_tw.spool import Spool
from dsmr_tw.statedir import StateDir
from dsmr_tw.store.threads import Threads

RETRY_S = 5


@define(eq=False)
class Opening(Service):
    """Opens the store, sees to the owner's key, and loads what others keep in memory."""

    store: IStore
    state: StateDir
    clock: IReactorTime
    datalogger: Datalogger
    keys: KeyRing
    max_power_w: int
    writer: Threads
    readers: Threads
    spools: Sequence[Spool]
    spooler: Threads
    opened: Deferred[None] | None = field(default=None, init=False)
    """Fires when the store was opened."""
    on_known: Callable[[], object] = field(default=lambda: None, init=False)
    """Called, once or more, when the store was opened, or could not be for now: telegrams are taken either way."""
    _log = Logger()

    def startService(self) -> None:
        """Begin; a store that is away is tried again."""
        super().startService()
        self.opened = Deferred.fromCoroutine(self._open())
        self.opened.addCallbacks(lambda _: self.on_known(), self._failed)

    def stopService(self) -> Deferred[None]:
        """Close the store and let its threads end."""
        super().stopService()
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        if self.opened is not None:
            self.opened.cancel()
        # Whoever still reads a long page finishes it before the connections are closed.
        self.readers.stop()
        await self.store.close()
        self.writer.stop()
        for spool in self.spools:
            spool.close()
        self.spooler.stop()
        self.state.release()

    async def _open(self) -> None:
        told = False
        while True:
            try:
                await self._load()
            except StoreUnavailable as error:
                if not told:
                    self._log.error("the store can't be opened, trying again: {error}", error=str(error))
                    self.on_known()
                told = True
                await deferLater(self.clock, RETRY_S)
            else:
                return

    async def _load(self) -> None:
        now = int(self.clock.seconds() * SECOND)
        await self.store.open()
        await self.store.ledger.configure(self.max_power_w)
        await owner_key(self.store.keys, self.state, now)
        await self.keys.refresh()
        await self.datalogger.begin()
        self._log.info(
            "{readings} readings in the {kind} store of {directory}",
            readings=self.datalogger.readings,
            kind=self.store.kind,
            directory=str(self.state.path),
        )

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("the store can't be opened", failure)
            self.on_known()
