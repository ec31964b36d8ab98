"""Responsible for the front door: which part answers a request, and what stands at the door itself.

    /api/v1/…               dsmr_tw/api/v1.py            /health   how the service is, for machines; no key
    /api/v2/consumption/…   dsmr_tw/api/consumption.py   /metrics  the same and more for Prometheus; no key
    /api/v2/statistics/…    dsmr_tw/api/statistics.py    /         the same for people, and where to go
    /api/v2/export/…        dsmr_tw/api/export.py
    /api/v2/weather/…       dsmr_tw/api/weather.py
    /api/v2/devices…        dsmr_tw/api/devices.py
    /api/v2/peaks, …/events dsmr_tw/api/facts.py
    /api/v2/…               dsmr_tw/api/v2.py
    /api/openapi.json       dsmr_tw/api/openapi.py

What the supplier charges, ``/api/v2/consumption/energy-supplier-prices…``, is answered by ``dsmr_tw/api/prices.py``.
Before any of them a request that names an impossible host is refused, and a browser that asks whether another origin's
page may use the API gets its answer.

Tests: ``tests/test_web.py``
"""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from attrs import define, field
from klein import Klein
from klein.resource import KleinResource
from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from dsmr_tw.api import problems
from dsmr_tw.api.answers import bytes_answer, json_answer, text_answer
from dsmr_tw.api.auth import KeyRing
from dsmr_tw.api.consumption import ConsumptionApi
from dsmr_tw.api.devices import PATH as DEVICES_PATH
from dsmr_tw.api.devices import DevicesApi
from dsmr_tw.api.export import ExportApi
from dsmr_tw.api.facts import EVENTS as EVENTS_PATH
from dsmr_tw.api.facts import PEAKS as PEAKS_PATH
from dsmr_tw.api.facts import FactsApi
from dsmr_tw.api.gate import Gate
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.openapi import PATH as OPENAPI_PATH
from dsmr_tw.api.openapi import OpenApi
from dsmr_tw.api.paging import PageMaker, is_host
from dsmr_tw.api.prices import PATH as PRICES_PATH
from dsmr_tw.api.prices import PricesApi
from dsmr_tw.api.problems import RETRY_AFTER_SECONDS, not_allowed
from dsmr_tw.api.settings import ApiSettings
from dsmr_tw.api.statistics import StatisticsApi
from dsmr_tw.api.v1 import PATH as V1_PATH
from dsmr_tw.api.v1 import ApiV1
from dsmr_tw.api.v2 import ApiV2
from dsmr_tw.api.weather import WeatherApi
from dsmr_tw.connections import Asking, Connections
from dsmr_tw.counting import AnswerCounts
from dsmr_tw.dashboard.pages import POLICY, front_page
from dsmr_tw.domain.durations import Durations
from dsmr_tw.httpserver import BoundedSite
from dsmr_tw.interfaces import IHealth, IIntake, ILive, IStore
from dsmr_tw.limits import CONNECTIONS, Limits

PREFLIGHT_SECONDS: Final = 600
"""How long a browser may remember our answer about another origin."""


@define
class Web:
    """Everything that is served over HTTP."""

    settings: ApiSettings
    store: IStore
    intake: IIntake
    live: ILive
    health: IHealth
    keys: KeyRing
    limits: Limits
    clock: IReactorTime
    meters: MeterBook
    commits: Durations = field(factory=Durations)
    """How long commits took."""
    answers: AnswerCounts = field(factory=AnswerCounts, init=False)

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    def resource(self) -> Resource:
        """The root of the site."""
        meters = self.meters
        pages = PageMaker(self.clock, self.limits, self.settings.proxies)
        gate = Gate(self.keys, self.settings)
        v1 = ApiV1(self.intake, self.keys, meters, self.clock, self.settings)
        v2 = ApiV2(self.store, self.intake, self.health, gate, meters, pages, self.clock)
        consumption = ConsumptionApi(self.store, self.live, gate, meters, pages, self.clock)
        prices = PricesApi(self.store.contracts, gate, meters, pages)
        statistics = StatisticsApi(self.store, gate, meters, pages, self.clock)
        export = ExportApi(self.store, gate, meters, self.limits, self.clock)
        weather = WeatherApi(self.store, gate, meters, pages)
        devices = DevicesApi(self.store, gate, meters, pages)
        facts = FactsApi(self.store.facts, gate, meters, pages)
        parts = (
            (PRICES_PATH.encode(), prices.app),
            (b"/api/v2/consumption/", consumption.app),
            (b"/api/v2/statistics/", statistics.app),
            (b"/api/v2/export/", export.app),
            (b"/api/v2/weather/", weather.app),
            (DEVICES_PATH.encode(), devices.app),
            (PEAKS_PATH.encode(), facts.app),
            (EVENTS_PATH.encode(), facts.app),
            (b"/api/v2/", v2.app),
            (OPENAPI_PATH.encode(), OpenApi(self.settings).app),
            (b"/", self.app),
        )
        for app in (v1.app, *(app for _, app in parts)):
            self.answers.know(rule.rule for rule in app.url_map.iter_rules())
        return FrontDoor(self.settings, Asking(self.limits), v1, [(path, app.resource()) for path, app in parts])

    def site(self, reactor: IReactorTime, connections: int = CONNECTIONS) -> BoundedSite:
        """The site, which keeps its bounds by ``reactor``'s time."""
        site = BoundedSite(
            self.resource(),
            reactor,
            Connections(self.limits, total=connections, is_proxy=self.settings.proxies.__contains__),
        )
        site.on_answer = self.answers.count
        return site

    @app.route("/health")
    def show_health(self, request: Request) -> bytes:
        """How the service is: 503 when a person should look at it."""
        _only_get(request)
        report = self.health.report()
        well = report["status"] == "ok"
        return json_answer(request, report, HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE)

    @app.route("/metrics")
    def show_metrics(self, request: Request) -> bytes:
        """The same, how long commits take and what was answered, for Prometheus."""
        _only_get(request)
        # Imported here and not above: most houses have no Prometheus.
        from dsmr_tw.metrics import CONTENT_TYPE, exposition

        return bytes_answer(request, exposition(self.health, self.commits, self.answers), CONTENT_TYPE)

    @app.route("/")
    async def show_front_page(self, request: Request) -> bytes:
        """The same for people."""
        _only_get(request)
        page = await front_page(self.health.report(), self.settings.enabled)
        request.setHeader("Content-Security-Policy", POLICY)
        request.setHeader("Referrer-Policy", "no-referrer")
        return bytes_answer(request, page, b"text/html; charset=utf-8")


class FrontDoor(Resource):
    """Sends each request to the part that answers it."""

    isLeaf = True

    def __init__(
        self, settings: ApiSettings, asking: Asking, v1: ApiV1, parts: Sequence[tuple[bytes, KleinResource]]
    ) -> None:
        """The first of the parts whose path begins a request's path answers it; version 1 stands before them."""
        super().__init__()
        self._proxies = settings.proxies
        self._asking = asking
        self._origins = settings.cors_origin
        self._post_telegrams = v1.render_post
        self._parts = [(b"/api/v1/", v1.app.resource()), *parts]

    def render(self, request: Request) -> int | bytes:
        """Let the right part answer."""
        # Which version of what serves is nobody's business.
        request.responseHeaders.removeHeader(b"Server")
        request.responseHeaders.setRawHeaders(b"X-Content-Type-Options", [b"nosniff"])
        path = request.path
        if not _is_sound(request):
            return json_answer(request, {"detail": "Impossible path or host."}, HTTPStatus.BAD_REQUEST)
        if self._proxies.networks and not self._has_room(request):
            request.setHeader("Retry-After", str(RETRY_AFTER_SECONDS))
            return json_answer(request, {"detail": "Too many requests at a time."}, HTTPStatus.TOO_MANY_REQUESTS)
        if self._origins and path.startswith(b"/api/") and self._welcomes(request) and _is_preflight(request):
            return self._answer_preflight(request)
        if path == V1_PATH and request.method == b"POST":
            return self._post_telegrams(request)
        part = next(part for beginning, part in self._parts if path.startswith(beginning))
        return part.render(request)  # type: ignore[return-value]  # NOT_DONE_YET, as Klein does it

    def _has_room(self, request: Request) -> bool:
        """Whether a client behind a proxy may ask one thing more at a time."""
        client = self._proxies.client_of(request)
        if client is None or client == getattr(request.getClientAddress(), "host", None):
            return True
        if not self._asking.begins(client):
            return False
        request.notifyFinish().addBoth(lambda _: self._asking.ends(client))
        return True

    def _welcomes(self, request: Request) -> bool:
        """Whether pages of the origin that the browser names may use the API; if so, the browser is told."""
        origin = request.getHeader("Origin")
        request.responseHeaders.addRawHeader("Vary", "Origin")
        if origin is None or not {origin, "*"}.intersection(self._origins):
            return False
        request.setHeader("Access-Control-Allow-Origin", origin)
        request.setHeader("Access-Control-Expose-Headers", "Allow, Retry-After, X-Dsmr-Batch")
        return True

    def _answer_preflight(self, request: Request) -> bytes:
        """Tell the browser what such a page may do."""
        request.setHeader("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS")
        request.setHeader("Access-Control-Allow-Headers", "Authorization, Content-Type, X-AUTHKEY, X-Received-At")
        request.setHeader("Access-Control-Max-Age", str(PREFLIGHT_SECONDS))
        return text_answer(request, "", HTTPStatus.NO_CONTENT)


def _only_get(request: Request) -> None:
    if request.method not in (b"GET", b"HEAD"):
        raise not_allowed(request.method.decode("ascii"), "GET, HEAD")


def _is_preflight(request: Request) -> bool:
    """Whether the browser asks on behalf of a page, before the page's own request."""
    return request.method == b"OPTIONS" and request.getHeader("Access-Control-Request-Method") is not None


def _is_sound(request: Request) -> bool:
    """Whether Klein can look for the route: a path that is text, and a host that can be one."""
    host = request.getHeader(b"Host")
    try:
        b"".join(request.postpath or ()).decode("utf-8")
        return request.path.startswith(b"/") and (host is None or is_host(host.decode("ascii")))
    except UnicodeDecodeError:
        return False
