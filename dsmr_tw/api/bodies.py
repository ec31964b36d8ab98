"""Responsible for reading the body of a request: urlencoded, multipart or JSON in, named values out.

Of a name that comes more than once the last value counts.
JSON numbers stay the text that they came as, so that nothing is rounded before somebody has judged it.

Tests: ``tests/api/test_bodies.py``
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from io import SEEK_END
from typing import IO, Any, Final, cast
from urllib.parse import unquote_to_bytes

from twisted.web.server import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from dsmr_tw.api.problems import Problem, too_large
from dsmr_tw.limits import BODY_BYTES

URLENCODED: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
JSON: Final = "application/json"

TYPES: Final = (JSON, URLENCODED, MULTIPART)
"""What v2 takes."""

FIELDS: Final = 1000
"""How many fields a form may have."""

_FREQUENT: Final = (
    (b"%0D%0A", b"\r\n"),
    (b"%28", b"("),
    (b"%29", b")"),
    (b"%3A", b":"),
    (b"%2A", b"*"),
    (b"%2F", b"/"),
)
"""What a telegram is full of: a seventh of the time of undoing each alone.

No other escape can begin or end in one of these characters, so it does not matter that they are undone first.
"""


class Number(str):
    """A number of a JSON body, as it was written but for the zeros that end its fraction."""

    __slots__ = ()


def check_size(request: Request) -> None:
    """Refuse a body that is larger than it may be: the server has kept no more of it than tells so."""
    if _content(request).seek(0, SEEK_END) > BODY_BYTES:
        raise too_large()


def form(request: Request) -> dict[bytes, bytes]:
    """The fields of a form; none when the body is something else, or no well-formed one."""
    kind, options = _media_type(request)
    try:
        if kind == URLENCODED:
            return _urlencoded(_body(request))
        if kind == MULTIPART:
            return _multipart(_body(request), options)
    except ValueError:
        pass
    return {}


def parse(request: Request) -> Mapping[str, object]:
    """The named values of a body.

    Raises: ``Problem`` 415 for a type that is none of ``TYPES``, 400 for what is not well-formed or no object.
    """
    kind, options = _media_type(request)
    body = _body(request)
    if kind not in TYPES:
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f'Unsupported media type "{kind}" in request.')
    if not body:
        return {}
    if kind == JSON:
        return _json(body)
    try:
        fields = _urlencoded(body) if kind == URLENCODED else _multipart(body, options)
        return {name.decode("utf-8"): value.decode("utf-8") for name, value in fields.items()}
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"Form parse error - {error}") from error


def _content(request: Request) -> IO[bytes]:
    content: IO[bytes] | None = request.content
    assert content is not None, "no route runs before the body is here"
    if content.closed:
        # The client went while the store was asked about its key; nobody reads this answer.
        raise Problem(HTTPStatus.BAD_REQUEST, "The client hung up.")
    return content


def _body(request: Request) -> bytes:
    content = _content(request)
    content.seek(0)
    return content.read()


def _media_type(request: Request) -> tuple[str, dict[str, str]]:
    header = request.getHeader("Content-Type")
    kind, options = parse_options_header(header) if header else (URLENCODED, {})
    return kind.lower(), options


def _urlencoded(body: bytes) -> dict[bytes, bytes]:
    pairs = body.split(b"&", FIELDS)
    if len(pairs) > FIELDS:
        raise ValueError(f"more than {FIELDS} fields")
    fields = {}
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        fields[_unquoted(name)] = _unquoted(value)
    return fields


def _unquoted(text: bytes) -> bytes:
    text = text.replace(b"+", b" ")
    if b"%" in text:
        for escape, character in _FREQUENT:
            text = text.replace(escape, character)
        if b"%" in text:
            text = unquote_to_bytes(text)
    return text


def _multipart(body: bytes, options: Mapping[str, str]) -> dict[bytes, bytes]:
    """The fields of a multipart form, as bytes: what a browser would call a file is no field."""
    boundary = options.get("boundary", "").encode("ascii", "replace")
    if not boundary:
        raise ValueError("no boundary")
    decoder = MultipartDecoder(boundary, max_parts=FIELDS)
    fields: dict[bytes, bytes] = {}
    name: bytes | None = None
    try:
        for chunk in (body, None):
            decoder.receive_data(chunk)
            while not isinstance(event := decoder.next_event(), (Epilogue, NeedData)):
                if isinstance(event, Field):
                    # Whatever its annotation says: a part may have none.
                    named = cast("str | None", event.name)
                    if named is None:
                        raise ValueError("a part without a name")
                    name = named.encode("utf-8")
                    fields[name] = b""
                elif isinstance(event, File):
                    name = None
                elif isinstance(event, Data) and name is not None:
                    fields[name] += event.data
    except RequestEntityTooLarge:
        raise ValueError(f"more than {FIELDS} fields") from None
    return fields


def _json(body: bytes) -> dict[str, object]:
    try:
        value: Any = json.loads(body.decode("utf-8"), parse_float=_number, parse_int=Number, parse_constant=Number)
    except RecursionError:
        raise Problem(HTTPStatus.BAD_REQUEST, "JSON parse error - nested too deeply") from None
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, f"JSON parse error - {error}") from error
    if value is None:
        raise _no_object("No data provided")
    if not isinstance(value, dict):
        raise _no_object(f"Invalid data. Expected a dictionary, but got {type(value).__name__.lower()}.")
    return value


def _number(text: str) -> Number:
    """Trailing zeros of a fraction say nothing in JSON, where libraries print 1.5 as they like."""
    if "e" in text or "E" in text:
        return Number(text)
    return Number(text.rstrip("0").removesuffix("."))


def _no_object(sentence: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, {"non_field_errors": [sentence]})
