"""Responsible for the answers to requests that can't be answered as wished: an error's class decides the status.

==============================  =====================================================================
``Problem``                     its own status, body and headers
``IntakeFull``,                 503 with ``Retry-After``: nothing is wrong with the request
``StoreUnavailable``
``ContractRefused``             400 with its sentence, where a route has no better answer
``NotFound``, by werkzeug       404: a path without a route
``CancelledError``              nothing: the client hung up while it waited
anything else                   500, and the failure in the log: a fault of ours
==============================  =====================================================================

Klein asks only the handlers of the very app whose route failed, so ``register`` is called for each app.

Tests: ``tests/api/test_problems.py``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import NotFound

from dsmr_tw.api.answers import json_answer, text_answer
from dsmr_tw.errors import ContractRefused, IntakeFull, RequestError, StoreUnavailable
from dsmr_tw.limits import BODY_BYTES

RETRY_AFTER_SECONDS: Final = 5
"""What 503 tells the client to wait."""

_log = Logger()


class Problem(RequestError):
    """An answer that is not what the client wished for."""

    def __init__(self, status: HTTPStatus, body: object, headers: Mapping[str, str] | None = None) -> None:
        """``body``: a sentence, or an object with what is wrong with each field."""
        super().__init__(body)
        self.status = status
        self.body = body
        self.headers = headers or {}


def bad_fields(errors: Mapping[str, list[str]]) -> Problem:
    """400: fields or parameters are not as they should be."""
    return Problem(HTTPStatus.BAD_REQUEST, dict(errors))


def forbidden(detail: str) -> Problem:
    """403."""
    return Problem(HTTPStatus.FORBIDDEN, detail)


def not_found() -> Problem:
    """404."""
    return Problem(HTTPStatus.NOT_FOUND, "Not found.")


def not_allowed(method: str, allowed: str) -> Problem:
    """405."""
    return Problem(HTTPStatus.METHOD_NOT_ALLOWED, f'Method "{method}" not allowed.', {"Allow": allowed})


def too_large() -> Problem:
    """413."""
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_BYTES // 1024} KiB.")


def try_again(detail: str) -> Problem:
    """503: the same request may succeed later."""
    return Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": str(RETRY_AFTER_SECONDS)})


def problem_of(failure: Failure) -> Problem:
    """The problem that a failure is to the client; logs what is our own fault."""
    error = failure.value
    match error:
        case Problem():
            return error
        case IntakeFull():
            return try_again(f"Too many readings: {error}.")
        case StoreUnavailable():
            # The text may name a file or a host: that is for the log, where the intake has put it.
            return try_again("The store is not available now.")
        case ContractRefused():
            return Problem(HTTPStatus.BAD_REQUEST, str(error))
        case NotFound():
            return not_found()
        case CancelledError():
            # Nobody reads this.
            return Problem(HTTPStatus.BAD_REQUEST, "The client hung up.")
    _log.failure("a route failed", failure=failure)
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error.")


def as_json(request: Request, failure: Failure) -> bytes:
    """Answer with an object: the fields' errors, or ``detail``."""
    problem = problem_of(failure)
    body = problem.body if isinstance(problem.body, dict) else {"detail": problem.body}
    _set_headers(request, problem)
    return json_answer(request, body, problem.status)


def as_text(request: Request, failure: Failure) -> bytes:
    """Answer with the bare sentence."""
    problem = problem_of(failure)
    _set_headers(request, problem)
    return text_answer(request, str(problem.body), problem.status)


def register(app: Klein, answer: Callable[[Request, Failure], bytes]) -> None:
    """Let ``answer`` turn every failure of the app's routes, and every path without a route, into an answer."""

    def on_error(instance: Any, request: Any, failure: Failure) -> bytes:
        return answer(request, failure)

    app.handle_errors(Exception)(on_error)  # type: ignore[arg-type]  # Klein knows no instance of unknown class


def _set_headers(request: Request, problem: Problem) -> None:
    for name, value in problem.headers.items():
        request.setHeader(name, value)
