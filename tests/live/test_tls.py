"""HTTP with TLS: what is served, what is refused, and handshakes that never end."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPSConnection
from pathlib import Path
from time import monotonic

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from dsmr_tw.connections import GOODBYES, Connections
from dsmr_tw.errors import SettingsError
from dsmr_tw.httpserver import BoundedSite
from dsmr_tw.limits import REQUEST_SECONDS, Limits
from dsmr_tw.listening import Listening, listening

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20

WITHOUT_OPENSSL = """
import sys
sys.modules["OpenSSL"] = None
from twisted.scripts.twistd import run
sys.argv = ["twistd", "-n", "--pidfile=", "dsmr", *sys.argv[1:]]
run()
"""


class Hello(Resource):
    """Says so; who asks for ``/wait`` is never answered."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        """Answer, or not."""
        if request.path == b"/wait":
            self.waiting.append(request)
            return NOT_DONE_YET
        return b"hello"


def write_certificate(directory: Path) -> tuple[Path, Path]:
    """The files of a new key and its certificate."""
    directory.mkdir(parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = directory / "key.pem", directory / "certificate.pem"
    none = serialization.NoEncryption()
    files[0].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))
    files[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return files


class TlsTests(TestCase):
    """A site that is served with TLS, whose time the tests make."""

    def setUp(self) -> None:
        """Serve it, with room for four connections."""
        self.key, self.certificate = write_certificate(Path(self.mktemp()).resolve())
        self.clock, self.limits = Clock(), Limits()
        self.hello = Hello()
        site = BoundedSite(self.hello, self.clock, Connections(self.limits, total=4, per_address=3))
        self.service: Listening = listening(reactor, self.description(), site)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        assert self.service.port is not None
        address = self.service.port.getHost()
        assert isinstance(address, IPv4Address)
        self.port = address.port

    def description(self) -> str:
        """As an operator writes it."""
        return f"ssl:0:interface=127.0.0.1:privateKey={self.key}:certKey={self.certificate}"

    def connect(self) -> socket.socket:
        """A connection on which nothing is said."""
        connected = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        self.addCleanup(connected.close)
        return connected

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Let the reactor work until it is so."""
        end = monotonic() + PATIENCE_S
        while not is_so():
            self.assertLess(monotonic(), end, "it did not become so")
            await deferLater(reactor, 0.001)

    async def ask(self) -> bytes:
        """What a client reads that knows the certificate."""

        def asked() -> bytes:
            context = ssl.create_default_context(cafile=str(self.certificate))
            client = HTTPSConnection("localhost", self.port, timeout=PATIENCE_S, context=context)
            client.request("GET", "/")
            return client.getresponse().read()

        done: Deferred[bytes] = deferToThread(asked)
        return await done

    async def test_an_answer(self) -> None:
        """A client that trusts the certificate is answered."""
        self.assertEqual(await self.ask(), b"hello")

    async def test_a_handshake_that_never_ends(self) -> None:
        """Who does not finish the handshake within ten seconds is cut off, whatever of it was sent."""
        silent, begun = self.connect(), self.connect()
        begun.sendall(bytes.fromhex("16030100ff010000fb"))
        # Each connection has two timers: for its request, and for being idle.
        await self.until(lambda: len(self.clock.getDelayedCalls()) == 4)
        self.clock.advance(REQUEST_SECONDS)
        for each in (silent, begun):
            each.settimeout(PATIENCE_S)
            self.assertEqual(await deferToThread(_read, each), b"")
        self.assertEqual(await self.ask(), b"hello")

    async def test_no_room(self) -> None:
        """A connection for which there is no room is closed, and nothing fails by it."""
        for _ in range(3):
            encrypted = await deferToThread(self.encrypted)
            encrypted.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        await self.until(lambda: len(self.hello.waiting) == 3)
        refused = self.connect()
        self.assertEqual(await deferToThread(_read, refused), b"")
        self.assertEqual(self.limits.hits["connections_per_address"], 1)

    def encrypted(self) -> ssl.SSLSocket:
        """A connection behind its handshake."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        encrypted = context.wrap_socket(self.connect(), server_hostname="localhost")
        self.addCleanup(encrypted.close)
        return encrypted

    async def test_handshakes_make_room(self) -> None:
        """Who is in the middle of its handshake has to go when its address wants another connection."""
        waiting = [self.connect() for _ in range(3 + GOODBYES)]
        await self.until(lambda: self.limits.hits["connections_per_address"] == GOODBYES)
        self.assertEqual(await self.ask(), b"hello")
        self.assertEqual(await deferToThread(_read, waiting[0]), b"")

    def test_what_is_no_certificate(self) -> None:
        """Files that are not there, or hold something else, are told in a sentence that says how it should look."""
        empty = self.certificate.with_name("empty.pem")
        empty.touch()
        for wrong in (
            "ssl:0",
            f"ssl:0:privateKey={self.key}:certKey=/nowhere.pem",
            f"ssl:0:privateKey={empty}:certKey={empty}",
            f"ssl:0:privateKey={self.key}:certKey={self.key}",
            f"ssl:0:privateKey={self.certificate}:certKey={self.certificate}",
        ):
            with self.assertRaisesRegex(SettingsError, "--http ssl:0.* can't be served .*privateKey=KEY.pem"):
                listening(reactor, wrong, BoundedSite(Hello(), self.clock, Connections(self.limits)))

    def test_what_is_not_installed(self) -> None:
        """Without what TLS needs the server does not start, and says what to install."""
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_OPENSSL, "--state-dir", str(self.key.parent), "--http", self.description()],
            cwd=ROOT,
            capture_output=True,
            timeout=60,
            encoding="utf-8",
        )
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("pip install '.[tls]'", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


def _read(connected: socket.socket) -> bytes:
    """What comes before the end, which may be a rude one."""
    try:
        return connected.recv(100)
    except ConnectionError:
        return b""
