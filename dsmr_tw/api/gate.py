"""Responsible for the order in which v2 judges a request, which is the same on every route.

    route (404) -> enabled -> key -> method -> scope -> Accept -> size -> the route's own work

Tests: ``tests/api/test_gate.py``
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Final, TypeAlias

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.web.server import Request

from dsmr_tw.api import shapes
from dsmr_tw.api.answers import json_answer
from dsmr_tw.api.auth import KeyRing, check_scope
from dsmr_tw.api.bodies import TYPES, check_size
from dsmr_tw.api.problems import Problem, forbidden, not_allowed
from dsmr_tw.api.settings import ApiSettings
from dsmr_tw.stored import ApiKey

Work: TypeAlias = Callable[[Request, ApiKey], Awaitable[bytes]]

JSON: Final = "application/json"


@frozen
class Way:
    """What a route does for one method."""

    scope: str
    """The least that a key must have."""
    work: Work
    media: str = JSON
    """What it answers with, where that is not JSON; who takes JSON only may have it, too."""


@define
class Gate:
    """Lets in who may come in."""

    keys: KeyRing
    settings: ApiSettings

    def enter(self, request: Request, name: str, **ways: Way) -> Deferred[bytes]:
        """Do what the route does for the request's method, if all is as it should be.

        Fires with: the body of the answer. Fails with: ``Problem``.
        """
        allowed = ", ".join([*ways, *(["HEAD"] if "GET" in ways else ()), "OPTIONS"])
        request.setHeader("Allow", allowed)
        return Deferred.fromCoroutine(self._pass(request, name, ways, allowed))

    async def _pass(self, request: Request, name: str, ways: Mapping[str, Way], allowed: str) -> bytes:
        if not self.settings.enabled:
            raise forbidden("API is disabled")
        key = await self.keys.admit(request)
        method = request.method.decode("ascii")
        if method == "OPTIONS":
            return json_answer(request, shapes.description(name, TYPES))
        way = ways.get("GET" if method == "HEAD" else method)
        if way is None:
            raise not_allowed(method, allowed)
        check_scope(key, way.scope)
        accept = request.getHeader("Accept") or ""
        if not accepts_json(accept) and not accepts(accept, way.media):
            raise Problem(HTTPStatus.NOT_ACCEPTABLE, "Could not satisfy the request Accept header.")
        check_size(request)
        return await way.work(request, key)


def accepts_json(accept: str) -> bool:
    """Whether JSON is among what the client takes."""
    return accepts(accept, JSON)


def accepts(accept: str, media: str) -> bool:
    """Whether a media type is among what the client takes; a client that does not say takes anything."""
    kinds = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    return not accept.strip() or not kinds.isdisjoint(("*/*", f"{media.partition('/')[0]}/*", media))
