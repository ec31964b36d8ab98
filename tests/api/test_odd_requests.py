"""Thousands of requests that schemathesis makes of the API's description, right ones and wrong ones.

``DSMR_TEST_REQUESTS=10000`` sends so many; CONTRIBUTING.md has the command.
"""

from __future__ import annotations

import json
import os
from io import BytesIO
from itertools import count
from typing import Any, Final

import schemathesis
from attrs import define, field
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy, builds, characters, integers, one_of, sampled_from
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from twisted.python.failure import Failure
from urllib3 import HTTPResponse

from dsmr_tw.api.openapi import PATH as OPENAPI
from dsmr_tw.api.openapi import description
from dsmr_tw.domain.telegram import CrcPolicy
from tests.brief import tried_once
from tests.golden_telegrams import FOLDER, telegram
from tests.past import compute, store_readings
from tests.prices import contract
from tests.serving import KEY, V1, Served, ServedCase, answer_of, request_bytes

REQUESTS: Final = int(os.environ.get("DSMR_TEST_REQUESTS", "2000"))
"""How many are sent, at least."""

HERE: Final = "http://meter.example:8080"

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def document() -> dict[str, Any]:
    """The description, which says besides what a telegram looks like: no text that is made up is one."""
    document: dict[str, Any] = json.loads(json.dumps(description()))
    for media in document["paths"][V1]["post"]["requestBody"]["content"].values():
        media["schema"]["properties"]["telegram"]["format"] = "telegram"
    return document


def telegrams() -> SearchStrategy[str]:
    """Telegrams from the field, some of them with a character changed."""
    names = sorted(path.stem for path in FOLDER.glob("*.txt"))
    whole = sampled_from([telegram(name).decode("latin-1") for name in names])
    return whole | builds(changed, whole, integers(0, 2000), characters(max_codepoint=0xFF))


def changed(text: str, place: int, character: str) -> str:
    """The text with another character at a place."""
    place %= len(text)
    return f"{text[:place]}{character}{text[place + 1 :]}"


schemathesis.openapi.format("telegram", telegrams())


@define
class Wire:
    """Carries requests to the HTTP face and answers back, through memory."""

    served: Served
    _numbers: count[int] = field(factory=count, init=False)

    def carry(self, request: PreparedRequest) -> Response:
        """One request from an address of its own: whoever shows many wrong keys is answered late."""
        number = next(self._numbers)
        body = request.body or b""
        assert isinstance(body, str | bytes), "schemathesis sends nothing else"
        data = request_bytes(
            str(request.method),
            request.path_url,
            {"Host": "meter.example:8080", **{str(name): _text(value) for name, value in request.headers.items()}},
            body.encode("utf-8") if isinstance(body, str) else body,
        )
        channel, transport = self.served.channel(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}")
        channel.dataReceived(data)
        while any(call.getTime() <= self.served.clock.seconds() for call in self.served.clock.getDelayedCalls()):
            # A big page is made in slices.
            self.served.clock.advance(0)
        answer = answer_of(transport.value(), str(request.method))
        channel.connectionLost(Failure(ConnectionError()))
        raw = HTTPResponse(BytesIO(answer.body), answer.headers, answer.status, preload_content=False)
        return HTTPAdapter().build_response(request, raw)


class WireAdapter(HTTPAdapter):
    """Lets ``requests`` use the wire."""

    def __init__(self, wire: Wire) -> None:
        """Send through this one."""
        super().__init__()
        self.wire = wire

    def send(self, request: PreparedRequest, *arguments: Any, **options: Any) -> Response:
        """Carry it."""
        return self.wire.carry(request)


@tried_once
class OddRequestTests(ServedCase):
    """Whatever is asked, the answer is one of those that are described, and never a fault of ours."""

    def setUp(self) -> None:
        """A house with a past, whose lists all have rows; a telegram with a wrong CRC is looked into all the same."""
        self.served = self.serve(crc=CrcPolicy.OFF)
        store_readings(self.served, "2024-03-29T00:00", "2024-04-02T12:00")
        self.successResultOf(self.served.store.contracts.add(contract()))
        temperature = {"read_at": "2024-04-01T12:00:00Z", "degrees_celcius": "12.3"}
        self.assertEqual(self.served.post("/api/v2/weather/temperature", temperature).status, 201)
        self.assertEqual(
            self.served.post(V1, {"telegram": telegram("be-emucs-50217-02").decode("latin-1")}).status, 201
        )
        compute(self.served)

    def test_odd_requests(self) -> None:
        """Of thousands of requests, none is answered with 5xx, nor otherwise than is described."""
        session = Session()
        session.mount("http://", WireAdapter(Wire(self.served)))
        found = schemathesis.openapi.from_dict(document()).get_all_operations()
        operations = [one.ok() for one in found if isinstance(one, Ok)]
        # A tenth more, since of some operations there are not so many different requests.
        examples = -(-REQUESTS * 11 // (len(operations) * 10))
        statuses = [status for operation in operations for status in answers(operation, examples, session)]
        self.assertGreaterEqual(len(statuses), REQUESTS)
        self.assertEqual([status for status in statuses if status >= 500], [])


def answers(operation: APIOperation[Any, Any, Any, Any], examples: int, session: Session) -> list[int]:
    """Send so many requests with the right key, and look at what they are answered."""
    statuses = []
    cases = (operation.as_strategy(generation_mode=mode) for mode in GenerationMode)

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(one_of(*cases))
    def send(case: Case[Any]) -> None:
        answer = case.call_and_validate(HERE, session, {"X-AUTHKEY": KEY}, CHECKS)
        statuses.append(answer.status_code)
        if answer.status_code < 300 and case.path != OPENAPI:
            # The same with a wrong key gets nowhere.
            assert case.call(HERE, session, {"X-AUTHKEY": "wrong"}).status_code == 403, case

    send()
    return statuses


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
