"""Responsible for API version 1: one route, which takes telegrams as a remote datalogger posts them.

    method -> enabled -> key -> size -> body

The route is the busiest of all, so it is a plain function as long as nothing has to be waited for but the store.

Tests: ``tests/api/test_v1.py``
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, cast

from attrs import define, field
from klein import Klein
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request

from dsmr_tw.api import problems
from dsmr_tw.api.answers import shielded, text_answer
from dsmr_tw.api.auth import KeyRing, check_scope, origin_of
from dsmr_tw.api.bodies import check_size, form
from dsmr_tw.api.fields import instant
from dsmr_tw.api.metering import MeterBook
from dsmr_tw.api.problems import Problem, try_again
from dsmr_tw.api.settings import ApiSettings
from dsmr_tw.domain.arrival import arrival
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import TelegramParser
from dsmr_tw.domain.reading import DAY, SECOND, YEAR_2020, Arrival, Origin
from dsmr_tw.domain.telegram import RawTelegram, telegrams_in
from dsmr_tw.errors import TelegramError
from dsmr_tw.interfaces import IIntake
from dsmr_tw.limits import TELEGRAMS_PER_BODY
from dsmr_tw.stored import ApiKey

ALLOWED: Final = "POST, OPTIONS"


PATH: Final = b"/api/v1/datalogger/dsmrreading"


@define
class ApiV1:
    """The routes of version 1."""

    intake: IIntake
    keys: KeyRing
    meters: MeterBook
    clock: IReactorTime
    settings: ApiSettings
    _parser: TelegramParser = field(factory=TelegramParser, init=False)
    _zones: dict[int | None, MeterZone] = field(init=False)
    """Of the meters that keys are for, as far as they were asked about: a meter's zone is never another."""

    @_zones.default
    def _zone_of_keys_for_any(self) -> dict[int | None, MeterZone]:
        return {None: self.settings.zone}

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_text)

    def render_post(self, request: Request) -> int:
        """Answer a POST of telegrams as Klein would by the route below.

        For the one request that comes thousands of times a day, looking up its route would be a quarter of the cost.
        """
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)
        route = cast("Callable[[Request], bytes]", self.dsmrreading)
        answer = maybeDeferred(route, request)
        answer.addErrback(lambda failure: problems.as_text(request, failure))
        answer.addCallback(_finish, request, gone)
        return NOT_DONE_YET

    @app.route(PATH.decode())
    def dsmrreading(self, request: Request) -> bytes | Deferred[bytes]:
        """Store telegrams."""
        if request.method != b"POST":
            request.setHeader("Allow", ALLOWED)
            return text_answer(
                request, "", HTTPStatus.OK if request.method == b"OPTIONS" else HTTPStatus.METHOD_NOT_ALLOWED
            )
        if not self.settings.enabled:
            raise Problem(HTTPStatus.METHOD_NOT_ALLOWED, "API is disabled", {"Allow": "POST"})
        key = self.keys.known(request)
        zone = None if key is None else self._zones.get(key.meter_id)
        if key is None or zone is None:
            return Deferred.fromCoroutine(self._take_slowly(request))
        return self._take(request, key, zone)

    async def _take_slowly(self, request: Request) -> bytes:
        """Ask the store about a key that nobody knows, or about the zone of the key's own meter."""
        key = await self.keys.admit(request)
        if key.meter_id not in self._zones:
            self._zones[key.meter_id] = await self.meters.zone_of(key)
        return await self._take(request, key, self._zones[key.meter_id])

    def _take(self, request: Request, key: ApiKey, zone: MeterZone) -> Deferred[bytes]:
        """Store the telegrams of a request's body, all or none; fires with the answer's body."""
        request.setHeader(b"X-Dsmr-Batch", b"%d" % TELEGRAMS_PER_BODY)
        check_scope(key, "write")
        check_size(request)
        text = _text(form(request).get(b"telegram", b""))
        if not text.strip():
            raise _bad("Invalid data")
        origin = origin_of(key)
        try:
            arrivals = self._arrivals(text, origin, request, zone)
        except TelegramError as error:
            return Deferred.fromCoroutine(self._refuse(origin, error))
        return shielded(self.intake.take(arrivals)).addCallback(_stored, request)

    async def _refuse(self, origin: Origin, error: TelegramError) -> bytes:
        await shielded(self.intake.reject(origin, error))
        raise _bad(f"Failed to parse telegram: {error}")

    def _arrivals(self, text: str, origin: Origin, request: Request, zone: MeterZone) -> list[Arrival]:
        telegrams = telegrams_in(text, self.settings.crc)
        if len(telegrams) > TELEGRAMS_PER_BODY:
            raise _bad(f"{len(telegrams)} telegrams in one body; at most {TELEGRAMS_PER_BODY} are taken.")
        now = int(self.clock.seconds() * SECOND)
        heard = self._heard_at(request, len(telegrams), now, zone)
        arrivals = []
        for number, (telegram, heard_at) in enumerate(zip(telegrams, heard, strict=True), 1):
            try:
                arrivals.append(self._arrival(telegram, origin, heard_at, now, zone))
            except TelegramError as error:
                if len(telegrams) > 1:
                    raise TelegramError(f"Telegram {number} of {len(telegrams)}: {error}") from error
                raise
        return arrivals

    def _arrival(self, raw: RawTelegram, origin: Origin, heard_at: int | None, now: int, zone: MeterZone) -> Arrival:
        received_at = now if heard_at is None else heard_at
        # Without its sender's word nobody knows how long a telegram was under way.
        by_arrival = self.settings.by_arrival and heard_at is not None
        arrived = arrival(self._parser.parse(raw), origin, received_at, zone, by_arrival)
        instants = [device.at for device in arrived.devices]
        if arrived.reading is not None:
            instants.append(arrived.reading.at)
        if _is_ahead(max(instants), now):
            raise TelegramError(f"Its time is more than a day ahead: {zone.local_text(max(instants))}")
        if heard_at is None and now < YEAR_2020 and now in instants:
            # It has no clock either.
            raise _not_set()
        return arrived

    def _heard_at(self, request: Request, telegrams: int, now: int, zone: MeterZone) -> Sequence[int | None]:
        """When each telegram was heard, if the sender says so: it may have kept it for a while."""
        header = request.getHeader("X-Received-At")
        if header is None:
            return [None] * telegrams
        try:
            received = [instant(text.strip(), zone) for text in header.split(",")]
        except ValueError as error:
            raise _bad(f"Invalid X-Received-At: {error}") from error
        if len(received) != telegrams:
            raise _bad(f"Invalid X-Received-At: {len(received)} times for {telegrams} telegrams.")
        if _is_ahead(max(received), now):
            raise _bad("Invalid X-Received-At: more than a day ahead.")
        return received


def _finish(body: bytes, request: Request, gone: list[Failure]) -> None:
    """Send the answer; to a client that hung up there is nothing to say, and what it sent is stored all the same."""
    if not gone:
        request.write(body)
        request.finish()


def _is_ahead(instant: int, now: int) -> bool:
    """Whether the instant is more than a day ahead of us.

    Raises: ``Problem`` 503 when it must be us who are wrong.
    """
    if instant <= now + DAY:
        return False
    if now < YEAR_2020:
        raise _not_set()
    return True


def _not_set() -> Problem:
    return try_again("The clock of this server is not set yet.")


def _stored(taken: None, request: Request) -> bytes:
    return text_answer(request, "", HTTPStatus.CREATED)


def _bad(sentence: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, sentence)


def _text(data: bytes) -> str:
    """The telegrams' text: UTF-8, else every byte one character."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")
