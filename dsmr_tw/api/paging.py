"""Responsible for lists: the parameters that choose a page, the links to its neighbours, and its bytes.

Tests: ``tests/api/test_paging.py``
"""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any, Final, Generic, TypeAlias, TypeVar
from urllib.parse import parse_qsl, urlencode

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from dsmr_tw.api import shapes
from dsmr_tw.api.answers import announce, to_json
from dsmr_tw.api.fields import day, instant
from dsmr_tw.api.problems import bad_fields
from dsmr_tw.api.settings import Proxies
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.limits import PAGE_ROWS, Limits

DEFAULT_LIMIT: Final = 25

SLICE: Final = 100
"""Rows that are made JSON in one turn of the reactor: one or two milliseconds on a desktop, twenty on a small Pi."""

BIG_PAGES: Final = 1
"""Pages of more than a slice that may be in the making at a time, for the memory that they take."""

FEW_PARTS: Final = 4
"""So many parts of a page are made one and sent together; a page of one slice has no more."""

FARTHEST: Final = 1 << 62
"""An offset behind the end of every list, and the greatest that a store is asked about."""

BAD_INSTANT: Final = "Enter a valid date/time."
BAD_DAY: Final = "Enter a valid date."

T = TypeVar("T")
Work: TypeAlias = Coroutine[Deferred[Any], Any, T]


@frozen
class Query:
    """The parameters of a request's URL."""

    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, request: Request) -> Query:
        """The parameters of this request."""
        _, _, text = request.uri.partition(b"?")
        return cls(tuple(parse_qsl(text.decode("latin-1"), keep_blank_values=True)))

    def get(self, name: str) -> str:
        """The last value of a parameter; blank when it is absent."""
        return next((value for other, value in reversed(self.pairs) if other == name), "")

    def descends(self, name: str) -> bool:
        """Whether the list is to begin with the greatest ``name``; any ordering but this is as good as none."""
        return self.get("ordering") == f"-{name}"

    def changed(self, **changes: int | None) -> str:
        """All parameters sorted by name, with some of them set or (``None``) left out, form-encoded."""
        kept = [(name, value) for name, value in self.pairs if name not in changes]
        added = [(name, str(value)) for name, value in changes.items() if value is not None]
        return urlencode(sorted(kept + added, key=lambda pair: pair[0]))


@frozen
class Span:
    """The instants that a list is limited to, both included; ``None``: open."""

    start: int | None
    end: int | None


def span(query: Query, name: str, zone: MeterZone) -> Span:
    """The span that ``name__gte``, ``name__lte`` and ``name`` leave.

    Raises: ``Problem`` 400 naming each that is no date or time.
    """
    return _span(query, name, lambda text: instant(text, zone), BAD_INSTANT)


def day_span(query: Query, name: str, zone: MeterZone) -> Span:
    """The same of parameters that are days: each stands for its first instant.

    Raises: ``Problem`` 400 naming each that is no date.
    """
    return _span(query, name, lambda text: zone.day_start(day(text)), BAD_DAY)


def _span(query: Query, name: str, read: Callable[[str], int], complaint: str) -> Span:
    starts: list[int] = []
    ends: list[int] = []
    errors: dict[str, list[str]] = {}
    for parameter, bounds in ((f"{name}__gte", [starts]), (f"{name}__lte", [ends]), (name, [starts, ends])):
        text = query.get(parameter)
        if not text.strip():
            continue
        try:
            at = read(text)
        except ValueError:
            errors[parameter] = [complaint]
        else:
            for bound in bounds:
                bound.append(at)
    if errors:
        raise bad_fields(errors)
    return Span(max(starts, default=None), min(ends, default=None))


@frozen
class Window:
    """Which rows of a list were asked for."""

    limit: int
    offset: int

    @classmethod
    def of(cls, query: Query, limits: Limits) -> Window:
        """What cannot be is as good as not said; too much is what there may be at most."""
        limit = _whole(query.get("limit"))
        if limit > PAGE_ROWS:
            limits.hit("page_rows")
        return cls(min(limit, PAGE_ROWS) or DEFAULT_LIMIT, _whole(query.get("offset")))

    def links(self, url: str, query: Query, count: int) -> tuple[str | None, str | None]:
        """The URLs of the next and the previous page; ``None`` where there is none."""
        following, previous = None, None
        if self.offset + self.limit < count:
            following = f"{url}?{query.changed(limit=self.limit, offset=self.offset + self.limit)}"
        if self.offset > 0:
            before = self.offset - self.limit
            previous = f"{url}?{query.changed(limit=self.limit, offset=before if before > 0 else None)}"
        return following, previous


@frozen
class Page(Generic[T]):
    """What is in a window of a list."""

    count: int
    """How many rows the whole list has."""
    rows: list[T]
    shape: Callable[[T], shapes.Json]
    """How a row is shown."""


@define
class PageMaker:
    """Makes pages without keeping the reactor from its other work for long, nor many big ones at a time."""

    clock: IReactorTime
    limits: Limits
    proxies: Proxies
    _big: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(BIG_PAGES), init=False)

    async def answer(self, request: Request, query: Query, read: Callable[[Window], Work[Page[T]]]) -> bytes:
        """Answer with the page that the query asks for, of the list whose windows ``read`` reads."""
        window = Window.of(query, self.limits)
        url = url_of(request, self.proxies)

        async def answer() -> bytes:
            page = await read(evolve(window, offset=min(window.offset, FARTHEST)))
            return await self.sent(request, await self.json(page, window.links(url, query, page.count)))

        return await self.in_turn(window, answer)

    async def in_turn(self, window: Window, answer: Callable[[], Work[bytes]]) -> bytes:
        """Read, make and send a page; a big one perhaps only when another is done."""
        if window.limit <= SLICE:
            return await answer()
        body: bytes = await self._big.run(lambda: Deferred.fromCoroutine(answer()))
        return body

    async def json(self, page: Page[T], links: tuple[str | None, str | None]) -> list[bytes]:
        """The page as JSON, in parts that were never one: a big one would be in memory several times.

        Its rows are gone afterwards, so that they are not kept beside what is made of them.
        """
        rows = page.rows
        head = to_json(shapes.page(page.count, *links)).removesuffix(b"}")
        parts = [b'%s,"%s":[' % (head, shapes.RESULTS.encode())]
        while rows:
            if len(parts) > 1:
                parts.append(b",")
                await _next_turn(self.clock)
            # One list, not row by row: an encoder is made anew for every value that it is called with.
            parts.append(to_json([page.shape(row) for row in rows[:SLICE]])[1:-1])
            del rows[:SLICE]
        return [*parts, b"]}"]

    async def sent(self, request: Request, parts: list[bytes]) -> bytes:
        """Answer with a page; returns what the route has still to send of it."""
        announce(request, sum(map(len, parts)), b"application/json")
        parts.reverse()
        while len(parts) > FEW_PARTS:
            request.write(parts.pop())
            await _next_turn(self.clock)
        return b"".join(reversed(parts))


def url_of(request: Request, proxies: Proxies) -> str:
    """The URL that the client asked for, without its parameters.

    How the client reached a reverse proxy is taken from the proxy's word, if the proxy is a trusted one.
    """
    scheme = "https" if request.isSecure() else "http"
    host = request.getHeader("Host") or ""
    if (getattr(request.getClientAddress(), "host", None) or "") in proxies:
        forwarded = _first(request, "X-Forwarded-Proto").lower()
        scheme = forwarded if forwarded in ("http", "https") else scheme
        forwarded = _first(request, "X-Forwarded-Host")
        host = forwarded if is_host(forwarded) else host
    if not host:
        here = request.getHost()
        host = f"{getattr(here, 'host', 'localhost')}:{getattr(here, 'port', 80)}"
    return f"{scheme}://{host}{request.path.decode('latin-1')}"


def is_host(text: str) -> bool:
    """Whether a ``Host`` header is a name or an address, perhaps with a port."""
    return _HOST.fullmatch(text) is not None


_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{1,5}})?")


def _first(request: Request, name: str) -> str:
    """The first of a header's values: that of the proxy nearest to the client."""
    return (request.getHeader(name) or "").partition(",")[0].strip()


def _whole(text: str) -> int:
    """A number of rows; 0 for anything else."""
    return int(text) if _WHOLE.fullmatch(text) else 0


_WHOLE: Final = re.compile(r"\s*\+?[0-9]{1,1000}\s*")


def _next_turn(clock: IReactorTime) -> Deferred[None]:
    """Let the reactor look after its other work first."""
    turn: Deferred[None] = Deferred()
    clock.callLater(0, turn.callback, None)
    return turn
