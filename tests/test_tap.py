"""Tests of dsmr_tw.tap: the options of ``twistd dsmr``, and the service that they compose."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import evolve
from click.testing import CliRunner
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import capturedLogs, formatEvent
from twisted.python.failure import Failure
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

import dsmr_tw
from dsmr_tw.backup import BackupService
from dsmr_tw.cli.__main__ import main
from dsmr_tw.config import Settings
from dsmr_tw.domain.reading import DAY, SECOND, Arrival, Origin, Receipt
from dsmr_tw.domain.telegram import CrcPolicy, outcomes_in
from dsmr_tw.errors import SettingsError, StoreRefused
from dsmr_tw.health import Health
from dsmr_tw.listening import Listening
from dsmr_tw.polled import PolledSource
from dsmr_tw.source import Source
from dsmr_tw.stored import ReadingFilter
from dsmr_tw.tap import Options, Parts, build, makeService
from dsmr_tw.weather import WeatherService
from dsmr_tw.weatherfeeds import OpenMeteo
from tests.encrypting import LUXEMBOURG
from tests.telegramtext import telegram


def parsed(*arguments: str) -> Settings:
    """The settings that a command line makes."""
    options = Options()
    options.parseOptions(list(arguments))
    return options.settings


class Talker(Protocol):
    """A meter on the network, which says one thing to whoever connects."""

    def connectionMade(self) -> None:
        """Say it."""
        assert self.transport is not None
        self.transport.write(telegram().encode("ascii"))


class Hearer(Protocol):
    """Waits for a telegram, and then for the end."""

    def __init__(self) -> None:
        self.data = b""
        self.enough: Deferred[None] = Deferred()
        self.end: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        """Gather it."""
        self.data += data
        if not self.enough.called and outcomes_in(self.data) and self.data.endswith(b"\r\n"):
            self.enough.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It ended."""
        self.end.callback(None)


class Talkers(ServerFactory):
    """Makes one for each connection."""

    protocol = Talker
    noisy = False


class OptionsTests(SynchronousTestCase):
    """The command line of ``twistd dsmr``."""

    def test_options_may_be_repeated(self) -> None:
        """Two cables, two ports."""
        settings = parsed(
            "--device", "/dev/ttyUSB0", "--device", "tcp:p1.example:2001", "--http", "tcp:1", "--http=tcp:2"
        )
        self.assertEqual(settings.device, ("/dev/ttyUSB0", "tcp:p1.example:2001"))
        self.assertEqual(settings.http, ("tcp:1", "tcp:2"))

    def test_switches(self) -> None:
        """A switch that is not given is off."""
        self.assertEqual((parsed("--demo").demo, parsed().demo, parsed("--enable-api").enable_api), (True, False, True))

    def test_what_can_not_be_is_one_sentence(self) -> None:
        """An impossible setting ends the program before anything starts, in words."""
        error = self.assertRaises(SystemExit, parsed, "--baud", "300")
        self.assertEqual(str(error), "dsmr: --baud takes auto, 9600 or 115200, not 300.")

    def test_what_is_no_option_is_said(self) -> None:
        """A typing error is not passed over."""
        self.assertRaises(UsageError, parsed, "--bauds", "300")


class ComposedTests(TestCase):
    """The composed service."""

    def setUp(self) -> None:
        """Settings with a state directory of their own."""
        self.settings = Settings(
            state_dir=Path(self.mktemp()).resolve(), http=("tcp:0:interface=127.0.0.1",), enable_api=True
        )

    def started(self, **changes: Any) -> Parts:
        """A running service."""
        parts = build(evolve(self.settings, **changes), reactor)
        parts.service.privilegedStartService()
        parts.service.startService()
        self.addCleanup(lambda: parts.service.running and parts.service.stopService())
        return parts

    def stored(self, parts: Parts, enough: int) -> Deferred[None]:
        """Fires when so many readings are stored."""
        done: Deferred[None] = Deferred()

        def follow(arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
            if parts.datalogger.readings >= enough and not done.called:
                done.callback(None)

        parts.datalogger.followers += (follow,)
        return done

    async def test_a_demo_has_a_past_and_a_present(self) -> None:
        """The day before is filled at the start, one telegram in ten seconds, and then the present goes on."""
        parts = self.started(demo=True, demo_days=1, commit_interval=0.0)
        await self.stored(parts, 8641)
        page = await parts.store.readings.page(ReadingFilter(1), False, 0, 1)
        newest = await parts.store.readings.page(ReadingFilter(1), True, 0, 1)
        self.assertGreaterEqual(newest.readings[0].reading.at - page.readings[0].reading.at, DAY)
        live = await parts.live.latest(1)
        assert live is not None
        self.assertEqual(live.reading.reading, newest.readings[0].reading)

    async def test_a_past_is_filled_once(self) -> None:
        """A demo that is started again goes on where it was."""
        first = self.started(demo=True, demo_days=1, commit_interval=0.0)
        await self.stored(first, 8640)
        await first.service.stopService()
        again = self.started(demo=True, demo_days=1, commit_interval=0.0)
        await self.stored(again, again.datalogger.readings + 1)
        self.assertLess(again.datalogger.commits.waiting, 10)
        total = await again.store.readings.page(ReadingFilter(1), False, 0, 0)
        self.assertLess(total.count, 8640 + 200)

    async def test_a_second_server_is_kept_out(self) -> None:
        """Two servers never share a state directory."""
        parts = self.started()
        self.assertRaisesRegex(StoreRefused, "Another server is using", build, self.settings, reactor)
        await parts.service.stopService()
        again = self.started()
        self.assertEqual(again.store.kind, "sqlite")

    def test_an_endpoint_that_is_none(self) -> None:
        """Refused before anything starts."""
        settings = evolve(self.settings, http=("bogus:1",))
        self.assertRaisesRegex(SettingsError, "--http bogus:1 is no endpoint", build, settings, reactor)

    def test_a_meter_that_is_not_there(self) -> None:
        """What a cable says is read into no other account: a sentence says how the meter is made, and that works."""
        options = Options()
        directory = str(self.settings.state_dir)
        options.parseOptions(["--state-dir", directory, "--device", "/dev/none,meter=The cellar"])
        error = str(self.assertRaises(SystemExit, makeService, options))
        sentence = "dsmr: --device: there is no meter \"The cellar\"; make it with: dsmr meters add 'The cellar'"
        self.assertEqual(error, sentence)
        command = shlex.split(error.rpartition("dsmr ")[2])
        said = CliRunner().invoke(main, [*command, "--state-dir", directory]).output
        self.assertTrue(said.startswith("The cellar (id 2, "), said)

    async def test_a_device_fills_the_meter_that_it_is_tied_to(self) -> None:
        """Whatever id its telegrams bear; a device that is tied to none goes where its ids lead."""
        first = self.started()
        await first.store.meters.add("Cellar", "Europe/Amsterdam")
        await first.service.stopService()
        port = reactor.listenTCP(0, Talkers(), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        address = port.getHost()
        assert isinstance(address, IPv4Address)
        device = f"tcp:127.0.0.1:{address.port}"
        for setting, readings in ((device, [1, 0]), (f"{device},meter=Cellar", [1, 1])):
            parts = self.started(device=(setting,), commit_interval=0.0)
            await self.stored(parts, 1)
            self.assertEqual([meter.readings for meter in await parts.store.meters.all()], readings)
            await parts.service.stopService()

    def test_a_dongle_is_asked(self) -> None:
        """A device with a URL is asked for telegrams, and trusted as far as is said behind it."""
        devices = ("http://192.0.2.7/api/v1/telegram,crc=optional,meter=1", "tcp:192.0.2.7:2001,crc=off", "/dev/none")
        parts = build(evolve(self.settings, device=devices), reactor)
        health = parts.web.health
        assert isinstance(health, Health)
        dongle, *others = health.sources
        assert isinstance(dongle, PolledSource)
        self.assertEqual(dongle.origin, Origin("device http://192.0.2.7/api/v1/telegram", 1))
        self.assertEqual((dongle.url, dongle.crc), ("http://192.0.2.7/api/v1/telegram", CrcPolicy.OPTIONAL))
        self.assertEqual([one.crc for one in others if isinstance(one, Source)], [CrcPolicy.OFF, CrcPolicy.STRICT])

    async def test_what_is_read_is_served(self) -> None:
        """With --p1-server whoever connects gets the telegrams; a server that is stopped hangs up."""
        parts = self.started(demo=True, p1_server="tcp:0:interface=127.0.0.1")
        [port] = (one for one in parts.service.services if isinstance(one, Listening) and one.option == "--p1-server")
        assert port.port is not None
        address = port.port.getHost()
        assert isinstance(address, IPv4Address)
        heard = Hearer()
        await connectProtocol(TCP4ClientEndpoint(reactor, "127.0.0.1", address.port), heard)
        await heard.enough
        await parts.service.stopService()
        await heard.end

    def test_a_long_interval_is_warned_of(self) -> None:
        """Whoever lets the line's readings wait for longer than is promised is told what that means."""
        with capturedLogs() as events:
            self.started(commit_interval=30.0)
        self.assertTrue(any("--commit-interval 30: a power cut may cost" in (formatEvent(e) or "") for e in events))

    def test_a_database_that_can_not_be_made(self) -> None:
        """A directory in the way of the database is said in a sentence."""
        in_the_way = Path(self.mktemp()).resolve()
        in_the_way.write_text("a file")
        settings = evolve(self.settings, database=f"sqlite:{in_the_way / 'far' / 'dsmr.sqlite3'}")
        self.assertRaisesRegex(SettingsError, "--database: .* can't be made", build, settings, reactor)

    def test_temperatures_are_fetched_where_that_is_asked_for(self) -> None:
        """Nobody is asked anything unless the operator says whom, and what asks is shown in ``/health``."""
        parts = build(self.settings, reactor)
        self.assertNotIn("weather", parts.web.health.report())
        settings = evolve(self.settings, state_dir=Path(self.mktemp()).resolve(), weather="open-meteo:52.10,5.18")
        parts = build(settings, reactor)
        self.assertEqual(parts.web.health.report()["weather"], {"last_success_at": None, "last_error": None})
        [weather] = (one for one in parts.service.services if isinstance(one, WeatherService))
        self.assertEqual(weather.feed, OpenMeteo("52.10", "5.18"))

    async def test_backups_are_made_where_that_is_asked_for(self) -> None:
        """With --backup-daily one is made of the server's own database, in a thread, and shown in ``/health``."""
        self.assertNotIn("backup", build(self.settings, reactor).web.health.report())
        directory = Path(self.mktemp()).resolve()
        directory.mkdir()
        settings = evolve(self.settings, state_dir=Path(self.mktemp()).resolve(), backup_daily=directory)
        parts = build(settings, reactor)
        [backup] = (one for one in parts.service.services if isinstance(one, BackupService))
        backup.startService()
        await backup.work(1_712_052_000 * SECOND)
        await backup.stopService()
        [path] = directory.iterdir()
        told = parts.web.health.report()["backup"]
        self.assertEqual(
            told, {"last_success_at": "2024-04-02T10:00:00Z", "bytes": path.stat().st_size, "last_error": None}
        )

    def test_a_house_that_asks_nobody_has_no_client(self) -> None:
        """What makes requests to other hosts is not even imported then."""
        script = "import sys, dsmr_tw.tap; sys.exit('treq' in sys.modules)"
        environment = {**os.environ, "PYTHONPATH": str(Path(dsmr_tw.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)

    def test_other_servers(self) -> None:
        """They are told of in ``/health``, and where there are none nothing that sends is imported."""
        settings = evolve(self.settings, forward=("http://192.0.2.7",), forward_key_file=(str(self.key_file()),))
        forwards: Any = build(settings, reactor).web.health.report()["forwards"]
        self.assertEqual([server["name"] for server in forwards["servers"]], ["http://192.0.2.7"])
        alone = evolve(self.settings, state_dir=Path(self.mktemp()).resolve())
        self.assertNotIn("forwards", build(alone, reactor).web.health.report())
        script = "import sys, dsmr_tw.tap; sys.exit('dsmr_tw.sinks.forward' in sys.modules)"
        environment = {**os.environ, "PYTHONPATH": str(Path(dsmr_tw.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)

    def test_a_client_that_is_not_installed(self) -> None:
        """Where the extra is missing that temperatures need, a sentence says how to install it."""
        loaded = sys.modules["dsmr_tw.weather"]
        self.addCleanup(sys.modules.__setitem__, "dsmr_tw.weather", loaded)
        sys.modules["dsmr_tw.weather"] = None  # type: ignore[assignment]  # as if it could not be imported
        settings = evolve(self.settings, weather="buienradar:6260")
        self.assertRaisesRegex(SettingsError, r"pip install '\.\[weather\]'", build, settings, reactor)

    def key_file(self) -> Path:
        """A file with a key."""
        path = Path(self.mktemp())
        path.write_text(LUXEMBOURG.key.hex())
        path.chmod(0o600)
        return path

    def test_telegrams_are_decrypted_where_there_is_a_key(self) -> None:
        """Each device has its own counts of frames refused in ``/health``; without a key there are none."""
        settings = evolve(self.settings, demo=False, device=("/dev/ttyUSB0", "/dev/ttyUSB1"))
        self.assertEqual(self.frames_refused(settings), [None, None])
        settings = evolve(
            settings, state_dir=Path(self.mktemp()).resolve(), decryption_key_file=self.key_file(), demo=False
        )
        self.assertEqual(self.frames_refused(settings), [{"tag": 0, "counter": 0, "length": 0}] * 2)

    def frames_refused(self, settings: Settings) -> list[object]:
        """What ``/health`` shows for each source."""
        report: Any = build(settings, reactor).web.health.report()
        return [source["frames_refused"] for source in report["sources"]]

    def test_a_house_that_decrypts_nothing(self) -> None:
        """What decrypts is not even imported then."""
        script = "import sys, dsmr_tw.tap; sys.exit('dsmr_tw.decrypt' in sys.modules)"
        environment = {**os.environ, "PYTHONPATH": str(Path(dsmr_tw.__file__).parents[1])}
        subprocess.run([sys.executable, "-c", script], check=True, env=environment)

    def test_decryption_that_is_not_installed(self) -> None:
        """Where the extra is missing that decryption needs, a sentence says how to install it."""
        loaded = sys.modules["dsmr_tw.decrypt"]
        self.addCleanup(sys.modules.__setitem__, "dsmr_tw.decrypt", loaded)
        sys.modules["dsmr_tw.decrypt"] = None  # type: ignore[assignment]  # as if it could not be imported
        settings = evolve(self.settings, demo=False, device=("/dev/ttyUSB0",), decryption_key_file=self.key_file())
        self.assertRaisesRegex(SettingsError, r"pip install '\.\[decrypt\]'", build, settings, reactor)

    def test_a_port_that_is_taken(self) -> None:
        """Said in one sentence, with the port."""
        taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(taken.close)
        where = f"tcp:{taken.getsockname()[1]}:interface=127.0.0.1"
        parts = build(evolve(self.settings, http=(where,)), reactor)
        error = self.assertRaises(SystemExit, parts.service.privilegedStartService)
        self.assertIn(f"--http {where} can't be served", str(error))

    async def test_values_of_the_last_run_are_there_at_once(self) -> None:
        """After a restart the newest values are in memory before any telegram comes."""
        first = self.started(demo=True, commit_interval=0.0)
        await self.stored(first, 1)
        known = await first.live.latest(1)
        await first.service.stopService()
        again = self.started()
        opening = next(iter(again.service.services))
        await opening.opened
        live = await again.live.latest(1)
        assert live is not None
        assert known is not None
        self.assertGreaterEqual(live.reading.reading.at, known.reading.reading.at)
        self.assertLess(live.reading.reading.at - known.reading.reading.at, 60 * SECOND)
