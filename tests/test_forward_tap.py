"""Tests of dsmr_tw.forward_tap: the options of ``twistd dsmr-forward``, and the service that they compose."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import dsmr_tw
from dsmr_tw.clock import SteadyClock
from dsmr_tw.domain.reading import SECOND, Arrival, Origin
from dsmr_tw.domain.spooled import Record
from dsmr_tw.errors import StoreRefused
from dsmr_tw.forward_tap import Options, Parts, Waiting, build, makeService
from dsmr_tw.forwardconfig import OPTIONS, ForwardSettings, settings_from
from dsmr_tw.healthpage import HealthPage, health_site
from dsmr_tw.interfaces import IHealth
from dsmr_tw.limits import Limits
from dsmr_tw.listening import Listening
from dsmr_tw.source import Source
from dsmr_tw.sourcehealth import SourceHealth
from dsmr_tw.systemd import Told
from tests.arrivals import NOON
from tests.telegramtext import telegram
from tests.test_forwards import raw

ROOT = Path(dsmr_tw.__file__).parents[1]


class OptionsCase(SynchronousTestCase):
    """A test with a key in a file."""

    def setUp(self) -> None:
        """Only its owner reads it."""
        self.folder = Path(self.mktemp()).resolve()
        self.folder.mkdir()
        self.file = self.folder / "key"
        self.file.touch(0o600)
        self.file.write_text("a-key-of-the-server")

    def parsed(self, *arguments: str) -> Options:
        """The options of a command line that is complete."""
        options = Options()
        state = ("--state-dir", str(self.folder / "state"))
        pair = ("--to", "http://server.example", "--key-file", str(self.file))
        options.parseOptions(["--device", "/dev/ttyUSB0", *pair, *state, *arguments])
        return options

    def close(self, parts: Parts) -> None:
        """Let others use what a service that was not started holds: its state directory, and the spools in it."""
        holding = [part for part in parts.service.services if not isinstance(part, Listening | Source | Told)]
        for part in reversed(holding):
            self.successResultOf(maybeDeferred(part.stopService))


class OptionsTests(OptionsCase):
    """The command line."""

    def refusal(self, *arguments: str) -> str:
        """What is said of a command line."""
        return str(self.assertRaises(SystemExit, Options().parseOptions, arguments))

    def test_repeated(self) -> None:
        """Several devices, several servers, in their order."""
        settings = self.parsed("--device", "tcp:p1.example:2001", "--to", "https://b.example", "--key-file=b").settings
        self.assertEqual(settings.device, ("/dev/ttyUSB0", "tcp:p1.example:2001"))
        self.assertEqual(settings.to, ("http://server.example", "https://b.example"))
        self.assertEqual(settings.key_file, (str(self.file), "b"))

    def test_what_is_missing(self) -> None:
        """Nothing to read, or nobody to send to, is one sentence."""
        self.assertIn("dsmr-forward: --device is missing", self.refusal())
        self.assertIn("dsmr-forward: --to is missing", self.refusal("--device", "/dev/ttyUSB0"))
        self.assertIn(
            "--baud 115200",
            self.refusal("--device", "x", "--to", "http://a", "--decryption-key-file", "k", "--baud", "9600"),
        )
        self.assertIn("takes strict, optional or off", self.refusal("--crc", "lax"))

    def test_environment_and_file(self) -> None:
        """Each option can also stand there."""
        file = self.folder / "forward.toml"
        file.write_text('to = ["http://a.example", "http://b.example"]\nkey-file = ["a", "b"]\nbaud = "9600"\n')
        environment = {"DSMR_DEVICE": "/dev/ttyUSB0 /dev/ttyUSB1", "STATE_DIRECTORY": "/var/lib/dsmr-forward"}
        settings = settings_from({"config": str(file)}, environment)
        self.assertEqual(settings.device, ("/dev/ttyUSB0", "/dev/ttyUSB1"))
        self.assertEqual((settings.to, settings.key_file), (("http://a.example", "http://b.example"), ("a", "b")))
        self.assertEqual((settings.baud, settings.state_dir), ("9600", Path("/var/lib/dsmr-forward")))

    def test_it_keeps_to_itself(self) -> None:
        """Without another word it does not use the directory of a server that runs beside it."""
        self.assertEqual(ForwardSettings().state_dir.name, "dsmr-forward")

    def test_every_option_is_explained(self) -> None:
        """The page on forwarding has a row for each, and no other."""
        page = (ROOT / "docs" / "forwarding.md").read_text("utf-8")
        rows = [line.split("`")[1][2:] for line in page.splitlines() if line.startswith("| `--")]
        self.assertEqual(sorted(rows), sorted(option.name for option in OPTIONS))


class ComposedTests(OptionsCase):
    """The composed service."""

    def built(self, *arguments: str, clock: IReactorTime | None = None) -> Parts:
        """The parts, not started."""
        parts = build(self.parsed(*arguments).settings, reactor, clock or SteadyClock(reactor))
        self.addCleanup(self.close, parts)
        return parts

    def test_what_it_is_made_of(self) -> None:
        """What a meter prints is offered to the server."""
        clock = Clock()
        clock.advance(NOON / SECOND)
        parts = self.built("--crc", "optional", clock=clock)
        [server] = parts.forwards.servers
        taken: list[Record] = []
        server.take = taken.append  # type: ignore[assignment, method-assign]
        self.assertEqual(server.target.name, "http://server.example")
        [source] = parts.health.sources
        source.on_telegram(raw(telegram()), NOON, Origin("device /dev/ttyUSB0"))  # type: ignore[attr-defined]
        self.assertEqual([(record.received_at, record.telegram) for record in taken], [(NOON, telegram().strip())])
        source.on_error(Origin("device /dev/ttyUSB0"), ValueError())  # type: ignore[attr-defined]
        self.assertFalse([part for part in parts.service.services if isinstance(part, Listening)])

    def test_a_clock_that_is_not_set(self) -> None:
        """A telegram without a clock waits for its date, one with a clock does not; the health says why."""
        parts = self.built(clock=Clock())
        taken: list[Record] = []
        parts.forwards.servers[0].take = taken.append  # type: ignore[assignment, method-assign]
        [waiting] = [part for part in parts.service.services if isinstance(part, Waiting)]
        held: list[Arrival] = []
        waiting.undated.hear = held.append  # type: ignore[assignment, method-assign]
        [source] = parts.health.sources
        for text in (telegram(without="0-0:1.0.0"), telegram()):
            source.on_telegram(raw(text), 0, Origin("device /dev/ttyUSB0"))  # type: ignore[attr-defined]
        self.assertEqual([record.telegram for record in taken], [telegram().strip()])
        self.assertEqual([arrival.telegram for arrival in held], [telegram(without="0-0:1.0.0").strip()])
        report = parts.health.report()
        self.assertEqual(report["problems"], ["the clock of this computer is not set: it says 1970-01-01T00:00:00Z"])
        self.assertEqual(report["undated"], {"waiting": 0, "bytes": 0})

    def test_what_else_it_may_serve(self) -> None:
        """Its health, and the telegrams, on ports that are named."""
        parts = self.built("--http", "tcp:0:interface=127.0.0.1", "--p1-server", "tcp:0:interface=127.0.0.1")
        options = [part.option for part in parts.service.services if isinstance(part, Listening)]
        self.assertEqual(options, ["--p1-server", "--http"])
        self.assertEqual(list(parts.health.report())[-3:], ["forwards", "p1_server", "limits"])
        [source] = parts.health.sources
        self.assertIsNotNone(source.on_wire)  # type: ignore[attr-defined]

    def test_one_at_a_time(self) -> None:
        """A second one with the same state directory does not start."""
        self.built()
        self.assertRaises(StoreRefused, build, self.parsed().settings, reactor)

    def test_what_can_not_be_is_one_sentence(self) -> None:
        """An impossible setting, or a port that is taken, ends it in words."""
        options = self.parsed("--ca-file", "ca.pem", "--state-dir", str(self.folder / "other"))
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertIn("dsmr-forward: --ca-file", str(error))
        first = self.built("--http", "tcp:0:interface=127.0.0.1").service
        first.privilegedStartService()
        self.addCleanup(lambda: [part.stopService() for part in first.services if isinstance(part, Listening)])
        [port] = [part.port for part in first.services if isinstance(part, Listening)]
        taken: Any = port
        where = f"tcp:{taken.getHost().port}:interface=127.0.0.1"
        # Not makeService(), which would make the reactor of all tests tell another time.
        second = self.built("--http", where, "--state-dir", str(self.folder / "second")).service
        self.assertIn("can't be served", str(self.assertRaises(SystemExit, second.privilegedStartService)))

    def test_it_is_small(self) -> None:
        """Neither a store nor an API nor TLS is imported, nor what serves HTTP as long as nothing does."""
        script = (
            "import sys, dsmr_tw.forward_tap; from twisted.internet import reactor;"
            "sys.exit(' '.join({'klein', 'treq', 'dsmr_tw.store.sqlite', 'dsmr_tw.sinks.authority',"
            " 'dsmr_tw.healthpage', 'dsmr_tw.web'} & set(sys.modules)) or 0)"
        )
        subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


class HealthTests(OptionsCase):
    """``/health``."""

    def setUp(self) -> None:
        """A service that was just made."""
        super().setUp()
        self.parts = build(self.parsed().settings, reactor, SteadyClock(reactor))
        self.addCleanup(self.close, self.parts)

    def test_report(self) -> None:
        """It tells of sources and servers, and what is wrong with them in words."""
        health = self.parts.health
        self.assertTrue(verifyObject(IHealth, health))
        report = health.report()
        self.assertEqual((report["status"], report["problems"], report["version"]), ("ok", [], dsmr_tw.__version__))
        [source] = health.sources
        told: SourceHealth = source._health  # type: ignore[attr-defined]
        told.quiet_s, told.trouble, told.last_telegram_at = 61, "it is dark", NOON
        report = health.report()
        self.assertEqual(report["status"], "degraded")
        self.assertEqual(report["problems"], ["device /dev/ttyUSB0: no telegram for 61 s; it is dark"])
        sources: Any = report["sources"]
        self.assertEqual(sources[0]["last_telegram_at"], "2024-04-02T10:00:00Z")

    def test_page(self) -> None:
        """Anybody may ask; when a person should look at it the status is 503; there is nothing else."""
        stub: Any = StubTreq(HealthPage(self.parts.health))
        for method, path, status in (
            ("GET", "/health", 200),
            ("HEAD", "/health", 200),
            ("POST", "/health", 405),
            ("GET", "/", 404),
            ("GET", "/api/v2/meters", 404),
        ):
            response = self.successResultOf(stub.request(method, f"http://here{path}"))
            self.assertEqual((response.code, response.headers.hasHeader("Server")), (status, False), path)
        self.parts.forwards.servers[0].unsent.lost = 1
        self.assertEqual(self.successResultOf(stub.get("http://here/health")).code, 503)
        self.assertTrue(health_site(self.parts.health, Clock(), Limits()).resource.isLeaf)
