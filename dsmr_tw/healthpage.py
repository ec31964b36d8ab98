"""Responsible for answering ``/health``, and nothing else: the HTTP face of a program without an API.

Tests: ``tests/test_forward_tap.py``
"""

from __future__ import annotations

from http import HTTPStatus

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from dsmr_tw.api.answers import json_answer
from dsmr_tw.connections import Connections
from dsmr_tw.httpserver import BoundedSite
from dsmr_tw.interfaces import IHealth
from dsmr_tw.limits import Limits


class HealthPage(Resource):
    """Tells how the program is, whoever asks."""

    isLeaf = True

    def __init__(self, health: IHealth) -> None:
        super().__init__()
        self._health = health

    def render(self, request: Request) -> bytes:
        """See ``IResource``: 503 when a person should look at it."""
        request.responseHeaders.removeHeader(b"Server")
        request.responseHeaders.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
        if request.path != b"/health":
            return json_answer(request, {"detail": "Not found. There is only /health here."}, HTTPStatus.NOT_FOUND)
        if request.method not in (b"GET", b"HEAD"):
            request.responseHeaders.setRawHeaders(b"Allow", [b"GET, HEAD"])
            return json_answer(request, {"detail": "Only GET and HEAD."}, HTTPStatus.METHOD_NOT_ALLOWED)
        report = self._health.report()
        return json_answer(
            request, report, HTTPStatus.OK if report["status"] == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
        )


def health_site(health: IHealth, reactor: IReactorTime, limits: Limits) -> BoundedSite:
    """The site, which keeps its bounds by ``reactor``'s time."""
    return BoundedSite(HealthPage(health), reactor, Connections(limits))
