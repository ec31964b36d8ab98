"""Responsible for knowing who asks: API keys, in ``X-AUTHKEY`` or ``Authorization: Token``.

A key is looked up by its SHA-256, so the time that takes tells nothing about any key; the comparison that follows takes
the same time for every digest.
A wrong key is answered late when others came before it, see ``dsmr_tw.api.failedkeys``.
Keys made beside the running server are noticed within a second of their first use, and removed ones at the next
``refresh``, which the composition asks for every ``REFRESH_SECONDS``.

Tests: ``tests/api/test_auth.py``
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.server import Request

from dsmr_tw.api.failedkeys import FailedKeys
from dsmr_tw.api.problems import forbidden
from dsmr_tw.domain.reading import Origin
from dsmr_tw.errors import StoreUnavailable
from dsmr_tw.interfaces import IKeys
from dsmr_tw.stored import SCOPES, ApiKey, key_digest

REFRESH_SECONDS: Final = 2
"""How often the keys should be read again."""

ASK_AGAIN_SECONDS: Final = 1
"""An unknown key makes the ring read the store's keys, but not more often than this."""


@define
class KeyRing:
    """The valid keys, in memory."""

    keys: IKeys
    clock: IReactorTime
    failed: FailedKeys
    on_read: Callable[[list[ApiKey]], object] = field(default=len, repr=False)
    """Called with the keys whenever they were read; must not fail."""
    _by_digest: dict[bytes, ApiKey] | None = field(default=None, init=False, repr=False)
    """``None`` until they were read once."""
    _reading: Deferred[None] | None = field(default=None, init=False, repr=False)
    """Fires, with ``None`` in any case, when the reading under way is over."""
    _asked_at: float | None = field(default=None, init=False)
    """By the clock: when the store was last asked about an unknown key."""
    _failing: bool = field(default=False, init=False)
    _log = Logger()

    def begin_with(self, keys: Sequence[ApiKey]) -> None:
        """Take what was known of the keys before the start, until they are read."""
        self._by_digest = {key.digest: key for key in keys}

    def refresh(self) -> Deferred[None]:
        """Read the keys anew, unless that is under way already.

        Fires with: ``None`` afterwards, always: while the store gives no keys, those known stay valid.
        """
        reading = self._reading
        if reading is None:
            # Kept before the reading begins, since it may be over before it returns.
            reading = self._reading = Deferred()
            Deferred.fromCoroutine(self._read(reading))
        seen: Deferred[None] = Deferred()
        reading.addCallback(lambda _: seen.callback(None))
        return seen

    def known(self, request: Request) -> ApiKey | None:
        """The valid key that a request shows, without asking the store."""
        if self._by_digest is not None:
            for shown in _shown_keys(request):
                digest = key_digest(shown)
                key = self._by_digest.get(digest)
                if key is not None and hmac.compare_digest(key.digest, digest):
                    return key
        return None

    async def admit(self, request: Request) -> ApiKey:
        """The valid key that a request shows; asks the store about one that nobody knows.

        Raises: ``Problem`` 403 when there is none, after a while if wrong ones were shown before; ``StoreUnavailable``
        while the store can't be asked about it.
        """
        key = self.known(request)
        if key is None and _shown_keys(request):
            await self._ask()
            key = self.known(request)
            if key is None and (self._failing or self._by_digest is None):
                # It may be one that was made since they were last read.
                raise StoreUnavailable("the API keys can't be read")
            if key is None:
                await self.failed.hold(request)
        if key is None:
            raise forbidden("Invalid auth key")
        return key

    async def _ask(self) -> None:
        """Read the keys anew for the sake of one, unless that was done for another a moment ago."""
        if self._reading is None:
            now = self.clock.seconds()
            if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_SECONDS:
                return
            self._asked_at = now
        await self.refresh()

    async def _read(self, reading: Deferred[None]) -> None:
        try:
            keys = await self.keys.all()
            self._by_digest = {key.digest: key for key in keys}
            if self._failing:
                self._log.info("the API keys can be read again")
            self._failing = False
            self.on_read(keys)
        except StoreUnavailable as error:
            if not self._failing:
                self._log.error("the API keys can't be read, those known stay valid: {error}", error=str(error))
            self._failing = True
        except Exception:
            # Every two seconds the same pages would fill the log.
            if not self._failing:
                self._log.failure("the API keys can't be read, those known stay valid")
            self._failing = True
        self._reading = None
        reading.callback(None)


def check_scope(key: ApiKey, needed: str) -> None:
    """Make sure that the key may do what needs this scope.

    Raises: ``Problem`` 403 naming the scope.
    """
    if SCOPES.index(key.scope) < SCOPES.index(needed):
        raise forbidden(f"This needs a key of scope {needed}; the scope of this key is {key.scope}.")


def _shown_keys(request: Request) -> list[bytes]:
    """All that the request offers as a key: clients may send either header, or both."""
    headers = request.requestHeaders
    shown = list(headers.getRawHeaders(b"X-Authkey", ()))
    for value in headers.getRawHeaders(b"Authorization", ()):
        scheme, _, token = value.partition(b" ")
        if scheme.lower() == b"token":
            shown.append(token.strip())
    return [key for key in shown if key]


def origin_of(key: ApiKey) -> Origin:
    """What is sent with this key comes from here."""
    return Origin(f"key {key.id}", key.meter_id)
