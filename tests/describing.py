"""Whether answers are as the API describes them: everything that the tests are answered is held against it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from attrs import frozen
from jsonschema_rs import Draft202012Validator

from dsmr_tw.api.openapi import description

DOCUMENT: dict[str, Any] = json.loads(json.dumps(description()))
"""The description as its readers see it."""

FAULT = 500
"""Is not described: nobody should meet it, but for the tests that make it happen."""

PARAMETER = re.compile(r"\{\w+\}")


@frozen
class Described:
    """What the description says of one way into the API."""

    method: str
    path: str
    says: Mapping[str, Any]

    def complaint(self, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
        """What is not as described about an answer; ``body`` is empty where the method was HEAD."""
        response = self.says["responses"].get(str(status))
        if response is None:
            return f"{status} is not described"
        response = resolved(response)
        names = {name.lower() for name in headers}
        for name, header in response.get("headers", {}).items():
            if header["required"] and name.lower() not in names:
                return f"{status} lacks {name}"
        content = response.get("content")
        if content is None:
            return f"{status} has a body" if body else None
        media = {name.lower(): value for name, value in headers.items()}.get("content-type", "").partition(";")[0]
        if media not in content:
            return f"{status} is {media or 'nothing'}, not {' or '.join(content)}"
        if not body:
            return None
        value = json.loads(body) if media == "application/json" else body.decode("utf-8")
        errors = [str(error) for error in validator(self.method, self.path, status, media).iter_errors(value)]
        return errors[0] if errors else None


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to."""
    while "$ref" in value:
        found: Any = DOCUMENT
        for name in value["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        value = found
    return value


@cache
def validator(method: str, path: str, status: int, media: str) -> Draft202012Validator:
    """Judges the bodies of such answers."""
    response = resolved(DOCUMENT["paths"][path][method.lower()]["responses"][str(status)])
    schema = {**response["content"][media]["schema"], "components": DOCUMENT["components"]}
    return Draft202012Validator(schema, validate_formats=True)


@cache
def all_described() -> dict[tuple[str, str], Described]:
    """Everything that is described, by method and path."""
    return {
        (method.upper(), path): Described(method.upper(), path, says)
        for path, methods in DOCUMENT["paths"].items()
        for method, says in methods.items()
    }


@cache
def patterns() -> list[tuple[re.Pattern[str], str]]:
    """What the described paths look like in requests."""
    return [(re.compile("[^/]+".join(map(re.escape, PARAMETER.split(path)))), path) for path in DOCUMENT["paths"]]


def described(method: str, path: str) -> Described | None:
    """What is described of a request; ``None`` when there is nothing to be held to."""
    asked = path.partition("?")[0]
    template = next((template for pattern, template in patterns() if pattern.fullmatch(asked)), None)
    return None if template is None else all_described().get(("GET" if method == "HEAD" else method, template))


def complaint(method: str, path: str, status: int, headers: Mapping[str, str], body: bytes) -> str | None:
    """What is not as described about the answer to a request."""
    way = described(method, path)
    return None if way is None or status == FAULT else way.complaint(status, headers, body)
