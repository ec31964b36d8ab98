"""Responsible for writing an answer: status, type, length and bytes.

Every answer says how long it is; Klein by itself would send it in chunks.

Tests: ``tests/api/test_answers.py``
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.web.server import Request

T = TypeVar("T")

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def to_json(value: object) -> bytes:
    """The value as compact JSON in UTF-8."""
    return _encode(value).encode("utf-8")


def json_answer(request: Request, value: object, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    """Answer with a value."""
    return bytes_answer(request, to_json(value), b"application/json", status)


def text_answer(request: Request, text: str, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    """Answer with a sentence."""
    return bytes_answer(request, text.encode("utf-8"), b"text/plain; charset=utf-8", status)


def bytes_answer(request: Request, body: bytes, content_type: bytes, status: HTTPStatus = HTTPStatus.OK) -> bytes:
    """Set status and headers for a body, which the route returns."""
    announce(request, len(body), content_type, status)
    return body


def no_answer(request: Request) -> bytes:
    """Answer that all is done, and that there is nothing to say about it: 204."""
    request.setResponseCode(HTTPStatus.NO_CONTENT)
    request.responseHeaders.setRawHeaders(b"Content-Length", [b"0"])
    return b""


def announce(request: Request, length: int, content_type: bytes, status: HTTPStatus = HTTPStatus.OK) -> None:
    """Set status and headers for a body of so many bytes."""
    request.setResponseCode(status)
    headers = request.responseHeaders
    headers.setRawHeaders(b"Content-Type", [content_type])
    headers.setRawHeaders(b"Content-Length", [b"%d" % length])


def shielded(work: Deferred[T]) -> Deferred[T]:
    """A Deferred with the result of ``work``; cancelling it leaves ``work`` alone.

    Klein cancels what a route returned when the client hangs up: what is being stored then goes on being stored.
    """
    seen: Deferred[T] = Deferred()
    work.chainDeferred(seen)
    return seen
