"""Tests of forwarding on real sockets, and of ``twistd dsmr-forward`` and ``--forward`` as processes of their own."""

from __future__ import annotations

import json
import os
import random
import socket
import time
import tty
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, ClassVar

from attrs import define
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet import reactor as installed_reactor
from twisted.internet.ssl import PrivateCertificate
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from dsmr_tw.errors import SinkError
from dsmr_tw.sinks.authority import policy
from dsmr_tw.sinks.forward import HttpTarget, forward_agent
from tests.brief import tried_once
from tests.forwardcase import numbered
from tests.live.running import PATIENCE_S, RunningServer
from tests.live.traffic import READINGS, Line

reactor: Any = installed_reactor


class Server(Resource):
    """Takes everything."""

    isLeaf = True

    def render_POST(self, request: Request) -> bytes:
        """It is stored."""
        request.setResponseCode(201)
        return b""


class Counting(Site):
    """A site that counts its connections."""

    noisy = False
    connections = 0

    def buildProtocol(self, addr: Any) -> Any:
        """One more."""
        self.connections += 1
        return super().buildProtocol(addr)


def certificate(name: str) -> bytes:
    """A certificate that a host made for itself, with its private key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM) + private


class SocketTests(TestCase):
    """Requests over real sockets."""

    timeout = 30

    def target(self, scheme: str, port: Any, trust: Path | None = None) -> HttpTarget:
        """What posts to a port of this machine."""
        agent = forward_agent(reactor, policy(trust) if scheme == "https" else None)
        self.addCleanup(lambda: agent._pool.closeCachedConnections())  # type: ignore[attr-defined]  # Twisted's own
        return HttpTarget("it", f"{scheme}://localhost:{port.getHost().port}/", "key", agent, reactor)

    def listen(self, name: str | None = None) -> tuple[Any, Counting, Path]:
        """A server; with a certificate for this name, which is in the file then."""
        site, path = Counting(Server()), Path(self.mktemp())
        if name is None:
            port = reactor.listenTCP(0, site, interface="127.0.0.1")
        else:
            pem = certificate(name)
            path.write_bytes(pem[: pem.index(b"-----BEGIN PRIVATE")])
            port = reactor.listenSSL(0, site, PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return port, site, path

    async def test_one_connection(self) -> None:
        """It is kept open for the next telegrams, and made again when the server has closed it."""
        port, site, _ = self.listen()
        target = self.target("http", port)
        for number in range(5):
            self.assertEqual((await target.post([numbered(number)])).status, 201)
        self.assertEqual(site.connections, 1)

    async def test_a_certificate_of_its_own(self) -> None:
        """It is not believed, and that is said with what to do; named in a file it is, beside those of the system."""
        port, _, path = self.listen("localhost")
        error = await self.assertFailure(self.target("https", port).post([numbered(1)]), SinkError)
        self.assertIn("can't prove who it is", str(error))
        self.assertIn("--ca-file", str(error))
        self.assertEqual((await self.target("https", port, path).post([numbered(1)])).status, 201)

    async def test_a_certificate_for_another(self) -> None:
        """One that is believed must be for the name in the address, too."""
        port, _, path = self.listen("elsewhere.example")
        error = await self.assertFailure(self.target("https", port, path).post([numbered(1)]), SinkError)
        self.assertIn("for another name", str(error))

    async def test_no_http_there(self) -> None:
        """HTTPS that is spoken to a port of plain HTTP is no answer."""
        port, _, _ = self.listen()
        error = await self.assertFailure(self.target("https", port).post([numbered(1)]), SinkError)
        self.assertTrue(str(error))


@define
class RunningForwarder(RunningServer):
    """``twistd -n dsmr-forward`` as a process of its own."""

    program: ClassVar[str] = "dsmr-forward"

    def _options(self) -> tuple[str, ...]:
        return ("--state-dir", str(self.state), "--http", "tcp:0:interface=127.0.0.1", *self.arguments)

    def wait_until(self, **wanted: int) -> None:
        """Wait until so many telegrams were read since the start, and so much is told of the first server."""
        end = time.monotonic() + PATIENCE_S
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
            connection.request("GET", "/health")
            health = json.loads(connection.getresponse().read())
            connection.close()
            told = {**health["forwards"]["servers"][0], "telegrams": health["sources"][0]["telegrams"]}
            if all(told[name] == value for name, value in wanted.items()):
                return
            assert time.monotonic() < end, told
            time.sleep(0.05)


def free_port() -> int:
    """A port below those that the system gives: who tries one of them again and again once meets himself."""
    while True:
        number = random.randrange(20_000, 30_000)
        try:
            with socket.create_server(("127.0.0.1", number)):
                return number
        except OSError:
            # Somebody has it.
            continue


@tried_once
class ProcessTests(SynchronousTestCase):
    """The whole way from a meter to a server elsewhere."""

    def setUp(self) -> None:
        """A cable, and a server that will be at this port."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.port = free_port()
        self.meter, computer = os.openpty()
        tty.setraw(computer)
        self.device = os.ttyname(computer)
        self.addCleanup(os.close, self.meter)
        self.addCleanup(os.close, computer)
        (self.folder / "key").touch(0o600)
        (self.folder / "key").write_text("a-key-for-the-test\n")
        self.printed = 0

    def server(self) -> RunningServer:
        """The server elsewhere."""
        state = self.folder / "server"
        state.mkdir()
        (state / "api.key").write_text("a-key-for-the-test")
        return RunningServer(state, ("--http", f"tcp:{self.port}:interface=127.0.0.1"))

    def started(self, running: RunningServer, ready: bool = True) -> RunningServer:
        """The same, started."""
        running.start(ready)
        self.addCleanup(running.process.kill)
        return running

    def print(self, seconds: float) -> None:
        """Let the meter print, twenty telegrams a second."""
        line = Line(self.meter, "LINE-1", 0.05, self.printed)
        line.start()
        time.sleep(seconds)
        line.stop()
        self.printed = line.printed

    def assert_all_there(self, server: RunningServer) -> None:
        """What was printed is stored, each telegram once, in the order in which it was printed."""
        client = server.client()
        readings = sorted(client.pages(READINGS), key=lambda reading: reading["id"])
        client.connection.close()
        found = [round(float(reading["electricity_delivered_1"]) * 1000) - 1_000_000 for reading in readings]
        self.assertEqual(found, list(range(self.printed)))

    def test_either_end_is_killed(self) -> None:
        """All telegrams come to the server, once and in order, though it is killed, and the forwarder after it."""
        server = self.started(self.server())
        to = ("--to", f"http://127.0.0.1:{self.port}", "--key-file", str(self.folder / "key"))
        forwarder = RunningForwarder(self.folder / "forwarder", ("--device", self.device, *to))
        self.started(forwarder, ready=False)
        self.print(0.5)
        forwarder.wait_until(telegrams=self.printed, records=0)
        server.kill()
        self.print(0.5)
        self.started(server)
        self.print(0.5)
        forwarder.wait_until(telegrams=self.printed, records=0)
        server.kill()
        before = self.printed
        self.print(0.5)
        forwarder.wait_until(telegrams=self.printed, records=self.printed - before, in_memory=0)
        forwarder.kill()
        self.started(forwarder, ready=False)
        restarted = self.printed
        self.print(0.5)
        self.started(server)
        forwarder.wait_until(telegrams=self.printed - restarted, records=0)
        self.assert_all_there(server)
        self.assertTrue(forwarder.stop(), bytes(forwarder.log))
        self.assertNotIn(b"a-key-for-the-test", forwarder.log)
        self.assertTrue(server.stop(), bytes(server.log))

    def test_a_server_that_forwards(self) -> None:
        """A server sends on what its meter prints and what is posted to it, and nothing goes round in circles."""
        other = free_port()
        key = str(self.folder / "key")
        first = self.started(
            RunningServer(
                self.folder / "first",
                ("--device", self.device, "--http", f"tcp:{other}:interface=127.0.0.1")
                + ("--forward", f"http://127.0.0.1:{self.port}", "--forward-key-file", key),
            )
        )
        back = self.folder / "back"
        back.touch(0o600)
        back.write_text(first.key)
        server = self.server()
        server.arguments += ("--forward", f"http://127.0.0.1:{other}", "--forward-key-file", str(back))
        self.started(server)
        self.print(1)
        end = time.monotonic() + PATIENCE_S
        client = server.client()
        while client.get(READINGS)["count"] < self.printed:
            assert time.monotonic() < end
            time.sleep(0.05)
        self.assert_all_there(server)
        self.assert_all_there(first)
        for running in (first, server):
            asking = running.client()
            [told] = asking.get("/health")["forwards"]["servers"]
            asking.connection.close()
            self.assertEqual((told["records"], told["last_error"], told["refused"]), (0, None, 0))
        client.connection.close()
        self.assertTrue(first.stop(), bytes(first.log))
        self.assertTrue(server.stop(), bytes(server.log))
