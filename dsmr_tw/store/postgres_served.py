"""Responsible for the PostgreSQL store of a server: commits on the reactor, and an ear for what other programs do.

Tests: ``tests/store/test_postgres_served.py``
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from attrs import define, field
from twisted.internet.defer import Deferred
from zope.interface import implementer

from dsmr_tw.interfaces import IStore
from dsmr_tw.store.connection import KEYS_CHANGED
from dsmr_tw.store.postgres_ear import Ear
from dsmr_tw.store.postgres_statements import CHANNEL
from dsmr_tw.store.postgres_store import PostgresStore
from dsmr_tw.store.postgres_wire import Wire


def _nobody(*told: object) -> None:
    """Nobody wants to know."""


@implementer(IStore)
@define
class ServedPostgresStore(PostgresStore):
    """See ``PostgresStore``."""

    wire: Wire
    """What readings are committed through."""
    make_ear: Callable[[Callable[[str, str], object], Callable[[], object]], Ear]
    """Makes what listens: ``make_ear(heard, on_gap)``."""
    _stored: Callable[[Collection[int] | None], object] = field(default=_nobody, init=False)
    _keys: Callable[[], object] = field(default=_nobody, init=False)
    _ear: Ear | None = field(default=None, init=False)

    def watch(self, stored: Callable[[Collection[int] | None], object], keys: Callable[[], object]) -> None:
        """See ``IStore``."""
        self._stored, self._keys = stored, keys

    def __attrs_post_init__(self) -> None:
        PostgresStore.__attrs_post_init__(self)
        self.readings.is_open = False

    def open(self) -> Deferred[None]:
        """See ``IStore``."""
        return PostgresStore.open(self).addCallback(lambda _: self._listen())

    def close(self) -> Deferred[None]:
        """See ``IStore``."""
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        if self._ear is not None:
            await self._ear.stop()
            self._ear = None
        await self.wire.close()
        await PostgresStore.close(self)

    def _listen(self) -> None:
        self.readings.is_open = True
        if self._ear is None:
            self._ear = self.make_ear(self._heard, self._gap)
            self._ear.start()

    def _heard(self, channel: str, payload: str) -> None:
        if channel == KEYS_CHANGED:
            self._keys()
        else:
            teller, *meter_ids = payload.split()
            if teller != self.readings.teller:
                self._stored([int(meter_id) for meter_id in meter_ids])

    def _gap(self) -> None:
        """Anything may have happened before."""
        self._stored(None)
        self._keys()


CHANNELS = (CHANNEL, KEYS_CHANGED)
"""What an ear listens to."""
