"""Responsible for ``GET /api/openapi.json``: the API, described for programs by OpenAPI 3.1.

The description is the same in every house and tells of none, so it needs no key; while the API is off it is off, too.

Tests: ``tests/api/test_openapi.py``
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Final

from attrs import define
from klein import Klein
from twisted.web.server import Request

from dsmr_tw import __version__
from dsmr_tw.api import problems
from dsmr_tw.api.answers import bytes_answer, to_json
from dsmr_tw.api.gate import JSON
from dsmr_tw.api.operations import OPERATIONS, PLAIN, Operation
from dsmr_tw.api.parameters import PARAMETERS, TIME
from dsmr_tw.api.problems import forbidden, not_allowed
from dsmr_tw.api.schemas import COUNT, TEXT, ref
from dsmr_tw.api.settings import ApiSettings
from dsmr_tw.api.shapes import Json
from dsmr_tw.api.shapes_schemas import ANSWERED, COMPLAINTS, DETAIL, SUBMITTED

PATH: Final = "/api/openapi.json"

INTRODUCTION: Final = """\
What a smart meter measured, as `docs/api-v2.md` tells it to people.

HEAD is answered wherever GET is, and OPTIONS everywhere.
What is not described is ignored, be it a parameter or a submitted field.
A request that is no HTTP, or takes too long, is refused with 400, 408 or 431 before any route is looked for."""

SCHEMES: Final[Json] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-AUTHKEY", "description": "The key."},
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "The word `Token`, a blank, and the key.",
    },
}

BAD_REQUEST: Final = HTTPStatus.BAD_REQUEST
REFUSALS: Final[dict[HTTPStatus, str]] = {
    BAD_REQUEST: "Something is wrong with the request: with all of it, or with each of the fields that are named.",
    HTTPStatus.FORBIDDEN: "The key is wrong, missing, of too small a scope or for another meter; or the API is off.",
    HTTPStatus.NOT_FOUND: "There is no such thing.",
    HTTPStatus.METHOD_NOT_ALLOWED: "The route has no such method.",
    HTTPStatus.NOT_ACCEPTABLE: "The client does not take what there is.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is neither JSON nor a form.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now: the same request may succeed later.",
}
"""What a request may be refused with, and why."""

HEADERS: Final[dict[HTTPStatus, Json]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: {
        "Allow": {"required": True, "description": "The methods that there are.", "schema": TEXT}
    },
    HTTPStatus.SERVICE_UNAVAILABLE: {
        "Retry-After": {"required": True, "description": "In how many seconds to try again.", "schema": COUNT}
    },
}

BATCH: Final[Json] = {
    "X-Dsmr-Batch": {"required": True, "description": "How many telegrams a body may hold.", "schema": COUNT}
}


@define
class OpenApi:
    """What programs can read about the API."""

    settings: ApiSettings

    app = Klein()
    app.url_map.merge_slashes = False
    problems.register(app, problems.as_json)

    @app.route(PATH)
    def show_description(self, request: Request) -> bytes:
        """The description."""
        if not self.settings.enabled:
            raise forbidden("API is disabled")
        if request.method not in (b"GET", b"HEAD"):
            raise not_allowed(request.method.decode("ascii"), "GET, HEAD")
        return bytes_answer(request, _encoded(), JSON.encode())


def description() -> Json:
    """The API as an OpenAPI document."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    paths[PATH] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "dsmr_tw", "version": __version__, "description": INTRODUCTION},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {**ANSWERED, **SUBMITTED, "Time": TIME, "Detail": DETAIL, "Complaints": COMPLAINTS},
            "parameters": PARAMETERS,
            "responses": {_name(status): _refusal(status, JSON) for status in REFUSALS},
            "securitySchemes": SCHEMES,
        },
    }


@cache
def _encoded() -> bytes:
    return to_json(description())


def _itself() -> Json:
    """How the document is read, which is the one thing that needs no key."""
    refused = (BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED)
    answer = {"description": HTTPStatus.OK.phrase, "content": {JSON: {"schema": {"type": "object"}}}}
    return {
        "operationId": "showDescription",
        "summary": "This description.",
        "security": [],
        "responses": {"200": answer, **_by_number({status: _named(status) for status in refused})},
    }


def _described(operation: Operation) -> Json:
    """An operation, but for its path and method."""
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs a key of scope `{operation.scope}`.",
        "security": [{scheme: [operation.scope]} for scheme in SCHEMES],
        "parameters": list(operation.parameters),
    }
    if operation.takes is not None:
        content = {media: {"schema": operation.takes} for media in operation.taken_as}
        described["requestBody"] = {"required": True, "content": content}
    return {**described, "responses": _responses(operation)}


def _responses(operation: Operation) -> Json:
    """All that an operation may be answered with, by status."""
    answer: Json = {"description": operation.status.phrase}
    if operation.answer is not None:
        answer["content"] = {operation.media: {"schema": operation.answer}}
    if operation.media == PLAIN:
        refused: dict[HTTPStatus, Json] = {
            status: _refusal(status, PLAIN) for status in REFUSALS if status in _REFUSED_BY_VERSION_1
        }
        return {str(operation.status.value): {**answer, "headers": BATCH}, **_by_number(refused)}
    missing = {HTTPStatus.NOT_FOUND} if "{" not in operation.path else set()
    missing |= {HTTPStatus.UNSUPPORTED_MEDIA_TYPE} if operation.takes is None else set()
    named = {status: _named(status) for status in REFUSALS if status not in missing}
    return {str(operation.status.value): answer, **_by_number(named)}


_REFUSED_BY_VERSION_1: Final = (
    BAD_REQUEST,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def _by_number(responses: dict[HTTPStatus, Json]) -> Json:
    return {str(status.value): response for status, response in responses.items()}


def _refusal(status: HTTPStatus, media: str) -> Json:
    """A refusal: version 1 says it in a sentence, version 2 in JSON."""
    schema = ref("Detail")
    if media == PLAIN:
        schema = TEXT
    elif status is BAD_REQUEST:
        schema = {"anyOf": [schema, ref("Complaints")]}
    content = {media: {"schema": schema}}
    if status is BAD_REQUEST:
        # An impossible path or host is refused in JSON, whichever route it would have been.
        content.setdefault(JSON, {"schema": ref("Detail")})
    answer: Json = {"description": REFUSALS[status], "content": content}
    return {**answer, "headers": HEADERS[status]} if status in HEADERS else answer


def _named(status: HTTPStatus) -> Json:
    return {"$ref": f"#/components/responses/{_name(status)}"}


def _name(status: HTTPStatus) -> str:
    return status.phrase.title().replace(" ", "")
