"""Responsible for opening the store when the service starts, and for closing it when all else has stopped.

Tests: ``tests/test_opening.py``
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from dsmr_tw.api.auth import KeyRing
from dsmr_tw.domain.localtime import to_utc_text
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.health import plain
from dsmr_tw.interfaces import IReporting
from dsmr_tw.keeping import Keeping
from dsmr_tw.keys import owner_key

RETRY_S = 5


@implementer(IReporting)
@define(eq=False)
class Opening(Service):
    """Opens the store, sees to the owner's key, and loads what others keep in memory."""

    kept: Keeping
    clock: IReactorTime
    keys: KeyRing
    max_power_w: int
    opened: Deferred[None] | None = field(default=None, init=False)
    """Fires when the store was opened."""
    on_known: Callable[[], object] = field(default=lambda: None, init=False)
    """Called, once or more, when the store was opened, or could not be for now: telegrams are taken either way."""
    opened_at: int | None = field(default=None, init=False)
    trouble: str | None = field(default=None, init=False)
    """Why it could not be opened when that was last tried; ``None`` when it could, or before the first time."""
    _log = Logger()

    heading = "opening"

    def figures(self) -> dict[str, object]:
        """See ``IReporting``."""
        return {"opened_at": None if self.opened_at is None else to_utc_text(self.opened_at)}

    def problems(self) -> list[str]:
        """See ``IReporting``."""
        return [] if self.trouble is None else [f"the store can't be opened, it is tried again: {self.trouble}"]

    def startService(self) -> None:
        """Begin; what can't be opened is tried again, whatever the reason."""
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
        self.kept.readers.stop()
        await self.kept.store.close()
        self.kept.writer.stop()
        for spool in self.kept.spools:
            spool.close()
        self.kept.spooler.stop()
        self.kept.state.release()

    async def _open(self) -> None:
        while not await self._is_open():
            await deferLater(self.clock, RETRY_S)

    async def _is_open(self) -> bool:
        """Whether all could be loaded now; why not is told once."""
        before = self.trouble
        try:
            await self._load()
        except CancelledError:
            raise
        except StoreUnavailable as error:
            self.trouble = plain(str(error))
            if before is None:
                self._log.error("the store can't be opened, trying again: {error}", error=str(error))
                self.on_known()
            return False
        except Exception as error:
            self.trouble = f"{type(error).__name__}, see the log"
            if before is None:
                self._log.failure("the store can't be opened, trying again")
                self.on_known()
            return False
        self.trouble, self.opened_at = None, int(self.clock.seconds()) * SECOND
        return True

    async def _load(self) -> None:
        now = int(self.clock.seconds() * SECOND)
        await self.kept.store.open()
        await self.kept.store.ledger.configure(self.max_power_w)
        await owner_key(self.kept.store.keys, self.kept.state, now)
        await self.keys.refresh()
        await self.kept.datalogger.begin()
        self._log.info(
            "{readings} readings in the {kind} store of {directory}",
            readings=self.kept.datalogger.readings,
            kind=self.kept.store.kind,
            directory=str(self.kept.state.path),
        )

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.failure("the store can't be opened", failure)
            self.on_known()
