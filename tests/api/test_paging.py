"""Pages of lists, and the links between them."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel, DummyRequest

from dsmr_tw.api.paging import (
    BIG_PAGES,
    SLICE,
    Page,
    PageMaker,
    Query,
    Span,
    Window,
    day_span,
    is_host,
    span,
    url_of,
)
from dsmr_tw.api.problems import Problem
from dsmr_tw.api.settings import Proxies
from dsmr_tw.domain.localtime import FIRST_INSTANT, meter_zone
from dsmr_tw.domain.reading import HOUR
from dsmr_tw.limits import PAGE_ROWS, Limits
from tests.arrivals import NOON


def query(text: str) -> Query:
    """The parameters of a URL that ends so."""
    request: Any = DummyRequest([b""])
    request.uri = b"/list?" + text.encode()
    return Query.of(request)


class WindowTests(SynchronousTestCase):
    """Limit and offset."""

    def window(self, text: str) -> tuple[int, int]:
        """Limit and offset of a query."""
        window = Window.of(query(text), Limits())
        return window.limit, window.offset

    def test_defaults(self) -> None:
        """A page has 25 rows unless a sensible number is named; an offset that is none is 0."""
        for limit in ("", "0", "-1", "abc", "1.5", "٣", "9" * 1001):
            self.assertEqual(self.window(f"limit={limit}&offset={limit}"), (25, 0), limit)
        self.assertEqual(self.window("limit=%2010&offset=+5"), (10, 5))
        self.assertEqual(self.window("limit=3&limit=4"), (4, 0))

    def test_at_most(self) -> None:
        """More than 10 000 rows are 10 000, which is counted."""
        limits = Limits()
        for limit in ("10001", "99999999999999999999"):
            self.assertEqual(Window.of(query(f"limit={limit}"), limits).limit, PAGE_ROWS)
        self.assertEqual(Window.of(query("limit=10000"), limits).limit, PAGE_ROWS)
        self.assertEqual(limits.hits["page_rows"], 2)

    def links(self, text: str, count: int) -> tuple[str | None, str | None]:
        """The links of a page of a list with so many rows."""
        parameters = query(text)
        return Window.of(parameters, Limits()).links("U", parameters, count)

    def test_links(self) -> None:
        """Links name the limit and keep every parameter, sorted and encoded; the first page has no offset."""
        self.assertEqual(self.links("", 25), (None, None))
        self.assertEqual(self.links("", 26), ("U?limit=25&offset=25", None))
        self.assertEqual(self.links("offset=10", 60), ("U?limit=25&offset=35", "U?limit=25"))
        self.assertEqual(self.links("offset=50&limit=5", 60), ("U?limit=5&offset=55", "U?limit=5&offset=45"))
        self.assertEqual(self.links("offset=60&limit=5", 60), (None, "U?limit=5&offset=55"))
        self.assertEqual(self.links("offset=99999999999999999999", 60)[1], "U?limit=25&offset=99999999999999999974")
        following, _ = self.links("timestamp__gte=2017-02-01+00:00:00&flag&b=2&b=1&meter=M%26%C3%A9", 60)
        self.assertEqual(
            following,
            "U?b=2&b=1&flag=&limit=25&meter=M%26%C3%A9&offset=25&timestamp__gte=2017-02-01+00%3A00%3A00",
        )

    def test_ordering(self) -> None:
        """A list begins with the greatest only if its own field is named, with a minus."""
        self.assertTrue(query("ordering=day&ordering=-day").descends("day"))
        for text in ("", "ordering=day", "ordering=-hour", "ordering=--day", "ordering=-DAY", "ordering=-day,id"):
            self.assertFalse(query(text).descends("day"), text)


class SpanTests(SynchronousTestCase):
    """What limits a list."""

    zone = meter_zone("Europe/Amsterdam")

    def test_days(self) -> None:
        """A day stands for its first instant where the meter hangs; the narrowest of the limits hold."""
        midnight = NOON - 12 * HOUR
        self.assertEqual(
            day_span(query("day=2024-04-02&day__gte=&x__lte=x"), "day", self.zone), Span(midnight, midnight)
        )
        limited = day_span(query("x=2024-04-02&x__gte=2024-4-1&x__lte=9999-12-31"), "x", self.zone)
        self.assertEqual(limited, Span(midnight, midnight))
        self.assertEqual(day_span(query("day__gte=x"), "month", self.zone), Span(None, None))

    def test_the_first_of_all_days(self) -> None:
        """A day that begins before the first instant there is begins with it, wherever the meter hangs."""
        for name in ("Europe/Amsterdam", "America/New_York", "Pacific/Kiritimati"):
            limited = span(query("at__gte=0001-01-01"), "at", meter_zone(name))
            assert limited.start is not None
            self.assertGreaterEqual(limited.start, FIRST_INSTANT)
            self.assertIsNone(limited.end)

    def test_what_is_none(self) -> None:
        """Each parameter that is no day, or no time, is named, in the words of its kind."""
        for limits, complaint in ((day_span, "Enter a valid date."), (span, "Enter a valid date/time.")):
            problem = self.assertRaises(Problem, limits, query("a__gte=x&a=2024-04-02&a__lte=24:00"), "a", self.zone)
            self.assertEqual(problem.body, {"a__gte": [complaint], "a__lte": [complaint]})
        self.assertRaises(Problem, day_span, query("a=2024-04-02T00:00"), "a", self.zone)


class UrlTests(SynchronousTestCase):
    """The address that the client used."""

    def url(self, *, proxies: Proxies | None = None, peer: object = None, **headers: Any) -> str:
        """The URL of a request from this peer."""
        request = Request(DummyChannel(), False)
        request.path = b"/list"
        request.client = peer or IPv4Address("TCP", "192.0.2.1", 5)
        for name, value in headers.items():
            request.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])
        return url_of(request, proxies or Proxies())

    def test_host(self) -> None:
        """The host is the one that the client named, else the address that it reached."""
        self.assertEqual(self.url(Host="meter.example:8080"), "http://meter.example:8080/list")
        self.assertEqual(self.url(), "http://10.0.0.1:80/list")

    def test_proxies(self) -> None:
        """Only a trusted proxy's word is taken, and only if it makes sense."""
        trusted = Proxies.parse("192.0.2.1")
        forwarded: Any = {"Host": "inner", "X_Forwarded_Proto": "HTTPS, http", "X_Forwarded_Host": "outer.example, x"}
        self.assertEqual(self.url(proxies=trusted, **forwarded), "https://outer.example/list")
        self.assertEqual(self.url(**forwarded), "http://inner/list")
        self.assertEqual(self.url(proxies=trusted, peer=UNIXAddress(b"/x"), **forwarded), "http://inner/list")
        odd: Any = {"Host": "inner", "X_Forwarded_Proto": "gopher", "X_Forwarded_Host": "a/b?c"}
        self.assertEqual(self.url(proxies=trusted, **odd), "http://inner/list")

    def test_hosts(self) -> None:
        """Names and addresses are hosts, with a port or without."""
        for host in ("localhost", "a.example.", "my_meter:8080", "192.0.2.1", "[2001:db8::1]:80", "xn--nxasmq6b"):
            self.assertTrue(is_host(host), host)
        for host in ("", "a b", "a/b", "a..b", "-a", "x" * 64, "a:b", "[::1", "a@b", "é", 'a"b', "<a>"):
            self.assertFalse(is_host(host), host)


class PageMakerTests(SynchronousTestCase):
    """Pages on their way."""

    def setUp(self) -> None:
        """A clock that a test moves."""
        self.clock = Clock()
        self.pages = PageMaker(self.clock, Limits(), Proxies())

    def make(self, rows: int) -> Deferred[bytes]:
        """A page of so many rows, on its way."""
        parts = Deferred.fromCoroutine(self.pages.json(Page(rows, list(range(rows)), self.shape), (None, "U")))
        return parts.addCallback(b"".join)

    def shape(self, row: int) -> dict[str, object]:
        """A row; remembers how far the page is."""
        self.shaped = row + 1
        return {"n": row}

    def test_small(self) -> None:
        """A small page is there at once."""
        page = self.successResultOf(self.make(2))
        self.assertEqual(page, b'{"count":2,"next":null,"previous":"U","results":[{"n":0},{"n":1}]}')
        self.assertTrue(self.successResultOf(self.make(0)).endswith(b'"results":[]}'))

    def test_slices(self) -> None:
        """A big page lets the reactor do other work between its slices."""
        making = self.make(3 * SLICE)
        done_meanwhile = []
        self.clock.callLater(0, lambda: done_meanwhile.append(self.shaped))
        self.assertEqual(self.shaped, SLICE)
        self.clock.advance(0)
        self.assertEqual(done_meanwhile, [2 * SLICE])
        self.assertEqual(self.successResultOf(making).count(b'"n"'), 3 * SLICE)

    def test_few_big_ones_at_a_time(self) -> None:
        """Big pages wait for each other, small ones for nobody."""
        under_way: list[Deferred[bytes]] = []

        async def make() -> bytes:
            page: Deferred[bytes] = Deferred()
            under_way.append(page)
            return await page

        turns = [Deferred.fromCoroutine(self.pages.in_turn(Window(SLICE + 1, 0), make)) for _ in range(BIG_PAGES + 1)]
        self.assertEqual(len(under_way), BIG_PAGES)
        small = Deferred.fromCoroutine(self.pages.in_turn(Window(SLICE, 0), make))
        under_way.pop().callback(b"small")
        self.assertEqual(self.successResultOf(small), b"small")
        under_way[0].callback(b"big")
        self.assertEqual(self.successResultOf(turns[0]), b"big")
        self.assertEqual(len(under_way), BIG_PAGES + 1)
        for turn in turns[1:]:
            turn.cancel()
            self.failureResultOf(turn)
