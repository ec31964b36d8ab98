"""The front door."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from dsmr_tw.api.settings import Proxies
from dsmr_tw.httpserver import BoundedChannel
from dsmr_tw.limits import CONNECTIONS_PER_ADDRESS
from tests.serving import EXAMPLE, KEY, READINGS, V1, Served, ServedCase, answer_of, request_bytes


class HealthTests(ServedCase):
    """``/health``, for machines."""

    def test_well(self) -> None:
        """When all is well the status is 200, without a key and without the API."""
        for served in (self.served, self.serve(enabled=False)):
            answer = served.get("/health", key=None)
            self.assertEqual((answer.status, answer.json["status"]), (200, "ok"))

    def test_not_well(self) -> None:
        """When a person should look at something the status is 503, and the body says what."""
        self.served.health.problems.append("the cable is out")
        answer = self.served.get("/health", key=None)
        self.assertEqual((answer.status, answer.json["problems"]), (503, ["the cable is out"]))

    def test_methods(self) -> None:
        """It can be read only."""
        self.assertEqual(self.served.ask("HEAD", "/health").status, 200)
        for path in ("/health", "/"):
            answer = self.served.post(path)
            self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD"))


class FrontPageTests(ServedCase):
    """``/``, for people."""

    def test_page(self) -> None:
        """The page is HTML that the browser is told to keep to itself."""
        answer = self.served.get("/", key=None)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn("version 1.2.3", answer.text)
        self.assertNotIn("Server", answer.headers)

    def test_is_the_api_on(self) -> None:
        """The page says how to use the API, or how to switch it on."""
        self.assertIn(READINGS, self.served.get("/").text)
        self.assertIn("--enable-api", self.serve(enabled=False).get("/").text)


class DoorTests(ServedCase):
    """Who is let in at all."""

    def test_other_paths(self) -> None:
        """There is nothing else."""
        for path in ("/x", "/health/", "/static/x", "/%2e%2e/etc/passwd"):
            self.assertEqual(self.served.get(path).status, 404, path)

    def test_impossible_requests(self) -> None:
        """A path that is no text and a host that is no host are refused, and nothing is logged."""
        for path, host in (
            ("/%FF", "a"),
            ("/api/v2/%C3", "a"),
            (READINGS, "a b"),
            (READINGS, "a..b"),
            (READINGS, "\xff"),
        ):
            answer = self.served.get(path, Host=host)
            self.assertEqual((answer.status, answer.json), (400, {"detail": "Impossible path or host."}), (path, host))

    def test_what_is_no_path(self) -> None:
        """What is asked for has a path: the server as a whole, or another one, is nothing that can be asked for."""
        for target in ("meter.example:443", "x"):
            request = f"OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n"
            self.assertEqual(self.served.send(request.encode(), "OPTIONS").status, 400, target)

    def test_a_body_where_none_belongs(self) -> None:
        """A body that nobody asked for is read and dropped, and the next request is answered as ever."""
        channel, transport = self.served.channel()
        for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
            channel.dataReceived(
                request_bytes(method, READINGS, {"Host": "a", "X-AUTHKEY": KEY}, b"GET / HTTP/1.1\r\n\r\n")
            )
            self.served.clock.advance(0)
        self.assertEqual(transport.value().count(b"HTTP/1.1 "), 4)

    def test_many_from_one_client_of_a_proxy(self) -> None:
        """Behind a proxy an address has as many requests at a time as it would have connections."""
        served = self.serve(proxies=Proxies.parse("192.0.2.7"))
        served.reading.held = True
        channels = [self.behind_proxy(served, "198.51.100.1") for _ in range(CONNECTIONS_PER_ADDRESS)]
        self.assertEqual([transport.value() for _, transport in channels], [b""] * CONNECTIONS_PER_ADDRESS)
        answer = answer_of(self.behind_proxy(served, "198.51.100.1")[1].value())
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "5"))
        self.assertEqual(self.behind_proxy(served, "198.51.100.2")[1].value(), b"")
        self.assertEqual(served.limits.hits["connections_per_address"], 1)
        channels[0][0].connectionLost(Failure(ConnectionError()))
        self.assertEqual(self.behind_proxy(served, "198.51.100.1")[1].value(), b"")
        served.reading.forget(False)

    def behind_proxy(self, served: Served, client: str) -> tuple[BoundedChannel, StringTransport]:
        """A request for readings, as a proxy passes it on."""
        channel, transport = served.channel()
        channel.dataReceived(request_bytes("GET", READINGS, {"X-AUTHKEY": KEY, "X-Forwarded-For": client, "Host": "a"}))
        return channel, transport

    def test_no_host(self) -> None:
        """An old client need not name the host."""
        request = f"GET {READINGS} HTTP/1.0\r\nX-AUTHKEY: {KEY}\r\n\r\n"
        self.assertEqual(self.served.send(request.encode()).status, 200)


class CorsTests(ServedCase):
    """Web pages of another origin."""

    asked: Any = {"Origin": "https://dash.example", "Access_Control_Request_Method": "POST"}

    def test_off(self) -> None:
        """Without ``--cors-origin`` no page may use the API."""
        answer = self.served.ask("OPTIONS", READINGS, key=None, **self.asked)
        self.assertEqual(answer.status, 403)
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)

    def test_preflight(self) -> None:
        """A browser that asks first is answered without a key, on every route."""
        served = self.serve(cors_origin=("https://dash.example",))
        for path in (READINGS, V1):
            answer = served.ask("OPTIONS", path, key=None, **self.asked)
            self.assertEqual((answer.status, answer.body), (204, b""))
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://dash.example")
            self.assertIn("X-AUTHKEY", answer.headers["Access-Control-Allow-Headers"])
            self.assertIn("PATCH", answer.headers["Access-Control-Allow-Methods"])

    def test_the_preflight_of_another(self) -> None:
        """Whoever is not named is told nothing, also where nothing but a star would let it in."""
        served = self.serve(cors_origin=("https://dash.example",))
        for origin in ("https://evil.example", "null", "*", ""):
            answer = served.ask("OPTIONS", READINGS, key=None, **{**self.asked, "Origin": origin})
            self.assertEqual(answer.status, 403, origin)
            self.assertEqual([name for name in answer.headers if name.startswith("Access-Control-")], [], origin)

    def test_answers(self) -> None:
        """Answers may be read by pages of that origin, errors, too; by pages of others they may not."""
        served = self.serve(cors_origin=("https://dash.example", "https://other.example"))
        for answer in (
            served.get(READINGS, Origin="https://dash.example"),
            served.get(READINGS, Origin="https://dash.example", key="wrong"),
            served.post(READINGS, EXAMPLE, Origin="https://dash.example"),
        ):
            self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://dash.example")
            self.assertEqual(answer.headers["Vary"], "Origin")
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "https://dash.example.evil.example"},
            {"Origin": "http://dash.example"},
            {"Origin": "https://dash.example:8443"},
            {"Origin": "https://dash.example, https://evil.example"},
            {},
        ):
            answer = served.get(READINGS, **headers)
            self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
        self.assertEqual(served.ask("OPTIONS", READINGS, Origin="https://evil.example").status, 200)

    def test_anybody(self) -> None:
        """With ``*`` pages of any origin may."""
        served = self.serve(cors_origin=("*",))
        answer = served.get(READINGS, Origin="https://any.example")
        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "https://any.example")

    def test_nothing_but_the_api(self) -> None:
        """Pages of another origin get nothing else."""
        served = self.serve(cors_origin=("*",))
        self.assertNotIn("Access-Control-Allow-Origin", served.get("/", Origin="https://any.example").headers)
