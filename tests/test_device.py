"""Tests of dsmr_tw.device: what can be named, how it is opened, and what is said when it can't be."""

from __future__ import annotations

import errno
import os
from typing import Any

import serial
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, NoProtocol, TimeoutError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.device import (
    SETTINGS,
    DeviceSetting,
    HttpDevice,
    SerialDevice,
    SerialEndpoint,
    TcpDevice,
    device_endpoint,
    explain,
    parse_device,
    parse_setting,
    serial_ports,
)
from dsmr_tw.domain.speed import FAST, SLOW, LineSetting, SpeedSearch
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError
from dsmr_tw.hearing import Hearing
from dsmr_tw.stored import Meter
from tests.live.terminal import Terminal


class Listener(Protocol):
    """Keeps what it gets."""

    transport: StringTransport  # of which a port has what matters here

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.ends = 0

    def dataReceived(self, data: bytes) -> None:
        """Keep bytes."""
        self.got.append(data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        """Count ends."""
        self.ends += 1


class ParsingTests(SynchronousTestCase):
    """The values of ``--device``."""

    def test_paths(self) -> None:
        """Anything that looks like a path is one, names under by-id with their colons too."""
        for text in ("/dev/ttyUSB0", "/dev/serial/by-path/platform-usb-0:1.2:1.0-port0", "COM3", "./tty"):
            self.assertEqual(parse_device(text), SerialDevice(text))

    def test_hosts(self) -> None:
        """A TCP source is named by host and port, an IPv6 address in brackets."""
        for text, device in {
            "tcp:p1.example:2001": TcpDevice("p1.example", 2001),
            "tcp:192.0.2.7:23": TcpDevice("192.0.2.7", 23),
            "tcp:[2001:db8::7]:65535": TcpDevice("2001:db8::7", 65535),
            "tcp:[fe80::1%eth0]:1": TcpDevice("fe80::1%eth0", 1),
        }.items():
            self.assertEqual(parse_device(text), device)
            self.assertEqual(device.name, f"device {text}")

    def test_urls(self) -> None:
        """A dongle that is asked is named by its address, which is its name as well."""
        for text in (
            "http://192.0.2.7/api/v1/telegram", "http://p1.example:8000/", "http://[2001:db8::7]:80/t?raw=1,2",
        ):  # fmt: skip
            self.assertEqual(parse_device(text), HttpDevice(text))
            self.assertEqual(HttpDevice(text).name, f"device {text}")

    def test_a_password_is_not_repeated(self) -> None:
        """It would stand in the log; so the address that has one is refused, and not shown."""
        error = str(self.assertRaises(SettingsError, parse_device, "http://me:secret@192.0.2.7/api/v1/telegram"))
        self.assertNotIn("secret", error)
        self.assertIn("without https, a user name or a password", error)

    def test_names(self) -> None:
        """A serial source is called after its path."""
        self.assertEqual(SerialDevice("/dev/ttyUSB0").name, "device /dev/ttyUSB0")

    def test_nonsense(self) -> None:
        """What can be neither is refused in one sentence that names the setting and the value."""
        for text in (
            "tcp:", "tcp:host", "tcp:host:", "tcp:host:port", "tcp::2001", "tcp:2001:db8::7:2001", "tcp:host:123456",
            "tcp:host:" + "1" * 5000,
            "tcp:host:0", "tcp:host:65536", "tcp:[host]:2001", "tcp:[]:2001", "tcp:a b:2001", "tcp:host:2001\u0660",
            "socket://host:2001", "https://192.0.2.7/api/v1/telegram", "http://192.0.2.7", "http:///telegram",
            "http://host:0/", "http://host:65536/", "http://host:port/", "http://[host]/", "http://host/a b",
            "http://host/#a", "http://h\u00f6st/",
        ):  # fmt: skip
            error = self.assertRaises(SettingsError, parse_device, text)
            self.assertTrue(str(error).startswith(f"--device {text} ") and str(error).endswith("."), error)
        for text in ("", "/dev/tty\0", "/dev/tty\n"):
            self.assertIn("--device needs a path", str(self.assertRaises(SettingsError, parse_device, text)))


class SettingTests(SynchronousTestCase):
    """What an owner says about a device, behind it."""

    METERS = (Meter(1, "House", "Europe/Amsterdam"), Meter(2, "Cellar, left", "Europe/Amsterdam"))

    def refused(self, text: str) -> str:
        """The sentence that a value is refused with."""
        return str(self.assertRaises(SettingsError, parse_setting, text))

    def test_nothing(self) -> None:
        """A device alone is for whichever meter prints there; a comma may be part of a path."""
        for text in ("/dev/ttyUSB0", "/dev/serial/by-path/a,b", "/dev/a,meter", "tcp:p1.example:2001"):
            setting = parse_setting(text)
            self.assertEqual(setting, DeviceSetting(parse_device(text), None))
            self.assertIsNone(setting.meter_id(self.METERS))

    def test_a_meter(self) -> None:
        """It is named by its id or its name, whatever that is, and the device is called as without it."""
        for device in ("/dev/ttyUSB0", "/dev/a,b", "tcp:p1.example:2001", "tcp:[2001:db8::7]:23"):
            for wanted, meter_id in {"1": 1, "House": 1, "Cellar, left": 2}.items():
                setting = parse_setting(f"{device},meter={wanted}")
                self.assertEqual(setting, DeviceSetting(parse_device(device), wanted))
                self.assertEqual(setting.device.name, f"device {device}")
                self.assertEqual(setting.meter_id(self.METERS), meter_id)

    def test_a_crc_of_its_own(self) -> None:
        """A source that strips the CRC is trusted without one, and the others are not."""
        url = "http://192.0.2.7/api/v1/telegram"
        for text, meter, crc in (
            (f"{url},crc=optional", None, CrcPolicy.OPTIONAL),
            (f"{url},crc=off,meter=House", "House", CrcPolicy.OFF),
            (f"{url},meter=House,crc=strict", "House", CrcPolicy.STRICT),
        ):
            self.assertEqual(parse_setting(text), DeviceSetting(HttpDevice(url), meter, crc))
        for text in (",crc=", ",crc=maybe", ",crc=off,crc=off"):
            self.assertIn(f"--device {url} takes one of ,crc=strict ,crc=optional", self.refused(url + text))

    def test_a_meter_that_is_not_there(self) -> None:
        """One sentence says how it is made, so that it can be typed as it stands, if it can be made."""
        for wanted, words in {
            "Attic": 'there is no meter "Attic"; make it with: dsmr meters add Attic',
            "The attic": "make it with: dsmr meters add 'The attic'",
            "7": 'there is no meter "7"; `dsmr meters` lists those that there are',
            "x" * 65: "`dsmr meters` lists those that there are",
        }.items():
            error = self.assertRaises(
                SettingsError, DeviceSetting(SerialDevice("/dev/a"), wanted).meter_id, self.METERS
            )
            self.assertTrue(str(error).startswith("--device: there is no meter "), error)
            self.assertIn(words, str(error))

    def test_nonsense(self) -> None:
        """Anything else behind a device is refused, and a device that can't be stays one."""
        self.assertEqual(
            self.refused("/dev/a,b,colour=red"),
            "--device /dev/a,b takes ,meter=NAME or ,crc=POLICY after it, not ,colour=.",
        )
        for text in ("/dev/a,meter=", "/dev/a,meter=1,meter=2", "/dev/a,meter=1,meter=1", "/dev/a,meter=Cel\nlar"):
            self.assertIn("--device /dev/a takes one meter, by its name or id", self.refused(text))
        self.assertIn("--device tcp:host is neither", self.refused("tcp:host,meter=1"))
        self.assertIn("--device needs a path", self.refused(",meter=1"))


class EndpointTests(SynchronousTestCase):
    """Devices as endpoints."""

    def setUp(self) -> None:
        """A cable, and a reactor that reads when told to."""
        self.reactor = MemoryReactorClock()
        self.terminal = Terminal(self.mktemp())
        self.addCleanup(self.terminal.unplug)
        self.factory = Factory.forProtocol(Listener)
        self.opened: list[dict[str, Any]] = []

    def endpoint(self, setting: LineSetting = FAST, path: str | None = None) -> SerialEndpoint:
        """An endpoint of the terminal that notes how it was opened."""
        device = SerialDevice(path or self.terminal.path)
        return SerialEndpoint(self.reactor, device, setting, self.open)

    def open(self, path: str, **settings: Any) -> serial.Serial:
        """Open a port as pyserial does, and note how."""
        self.opened.append(settings)
        return serial.Serial(path, **settings)

    def connected(self, setting: LineSetting = FAST) -> Listener:
        """The protocol of a connection that was made."""
        protocol = self.successResultOf(self.endpoint(setting).connect(self.factory))
        assert isinstance(protocol, Listener)
        return protocol

    def reason(self, path: str | None = None) -> str:
        """Why a port can't be opened, in words."""
        return explain(self.failureResultOf(self.endpoint(path=path).connect(self.factory)).value)

    def test_ports_that_there_are(self) -> None:
        """All that is found on this machine is there, and can be named."""
        for port in serial_ports():
            self.assertTrue(os.path.exists(port.path), port)
            self.assertEqual(parse_device(port.path), port)

    def test_kinds(self) -> None:
        """A path is opened as a serial port, a host is looked up and connected to."""
        self.assertIsInstance(device_endpoint(SerialDevice("/dev/ttyUSB0"), self.reactor), SerialEndpoint)
        self.assertIsInstance(device_endpoint(TcpDevice("192.0.2.7", 2001), self.reactor), HostnameEndpoint)

    def test_reading(self) -> None:
        """Bytes of the port come to the protocol."""
        self.terminal.plug()
        protocol = self.connected()
        os.write(self.terminal._ends[0], b"/TST5")
        (port,) = self.reactor.readers
        port.doRead()
        self.assertEqual(protocol.got, [b"/TST5"])

    def test_settings(self) -> None:
        """A port at 115200 baud has 8 bits without parity, one at 9600 has 7 bits and even parity; both are locked."""
        self.terminal.plug()
        for setting in SETTINGS.values():
            protocol = self.connected(setting)
            protocol.transport.loseConnection()
            self.reactor.advance(0)
        found = [(settings["baudrate"], settings["bytesize"], settings["parity"]) for settings in self.opened]
        self.assertEqual(sorted(found), [(9600, 7, "E"), (115200, 8, "N")])
        self.assertTrue(all(settings["exclusive"] and settings["xonxoff"] for settings in self.opened))

    def test_binary(self) -> None:
        """A port that any byte may come from lets all of them through, also those that would steer others."""
        self.terminal.plug()
        endpoint = device_endpoint(SerialDevice(self.terminal.path), self.reactor, binary=True)
        assert isinstance(endpoint, SerialEndpoint)
        protocol = self.successResultOf(endpoint.connect(self.factory))
        assert isinstance(protocol, Listener)
        every = bytes(range(256))
        os.write(self.terminal._ends[0], every)
        (port,) = self.reactor.readers
        port.doRead()
        self.assertEqual(b"".join(protocol.got), every)

    def test_tuning(self) -> None:
        """A port that is listened to is tuned while it is open; what was heard before that is forgotten."""
        self.terminal.plug()
        hearing = Hearing(self.reactor, SpeedSearch(SLOW))
        endpoint = SerialEndpoint(self.reactor, SerialDevice(self.terminal.path), hearing=hearing)
        protocol = self.successResultOf(endpoint.connect(self.factory))
        assert isinstance(protocol, Listener)
        (port,) = self.reactor.readers
        os.write(self.terminal._ends[0], bytes([0xAF]))
        port.doRead()
        self.assertEqual((protocol.got, port._serial.baudrate), ([b"/"], 9600))
        os.write(self.terminal._ends[0], b"\xff" * 20)
        port.doRead()
        os.write(self.terminal._ends[0], b"of no use")
        self.reactor.advance(1)
        self.assertEqual((port._serial.baudrate, port._serial.in_waiting), (115200, 0))
        protocol.transport.loseConnection()
        self.reactor.advance(0)
        self.assertEqual(protocol.ends, 1)

    def test_tuning_a_cable_pulled_out(self) -> None:
        """A port that can't be tuned any more is a lost connection, and no failure."""
        self.terminal.plug()
        hearing = Hearing(self.reactor)
        endpoint = SerialEndpoint(self.reactor, SerialDevice(self.terminal.path), hearing=hearing)
        protocol = self.successResultOf(endpoint.connect(self.factory))
        assert isinstance(protocol, Listener)
        self.terminal.unplug()
        hearing.heard(b"\xff" * 20)
        self.reactor.advance(1)
        self.reactor.advance(0)
        self.assertEqual(protocol.ends, 1)

    def test_absent(self) -> None:
        """A device that is not there fails the connection, and the reason asks for the cable."""
        self.assertIn("is the cable plugged in?", self.reason())

    def test_no_port(self) -> None:
        """A file or a folder is said to be no serial port."""
        path = self.mktemp()
        with open(path, "w"):
            pass
        self.assertEqual(self.reason(path), "it is no serial port")
        self.assertEqual(self.reason("/"), "it is no serial port")

    def test_denied(self) -> None:
        """A device that belongs to others is explained by the group that helps."""
        path = self.mktemp()
        with open(path, "w"):
            pass
        os.chmod(path, 0)
        if os.geteuid() == 0:
            # For whom nothing is denied.
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        self.assertIn("dialout", self.reason(path))

    def test_busy(self) -> None:
        """A second reader is refused, and the first one goes on."""
        self.terminal.plug()
        self.connected()
        self.assertIn("another program reads it", self.reason())
        self.assertEqual(len(self.reactor.readers), 1)

    def test_closed_for_the_next(self) -> None:
        """A port that was closed can be opened by another program."""
        self.terminal.plug()
        protocol = self.connected()
        protocol.transport.loseConnection()
        self.assertEqual(self.reactor.readers, set())
        protocol.transport.loseConnection()
        self.reactor.advance(0)
        self.assertEqual(protocol.ends, 1)
        self.connected()

    def test_failing_at_the_last_moment(self) -> None:
        """A cable pulled out while its port is being opened leaves no lock behind."""
        self.terminal.plug()

        class PulledOut(serial.Serial):  # type: ignore[misc]  # pyserial has no annotations
            def reset_output_buffer(self) -> None:
                raise serial.SerialException(errno.EIO, "Input/output error")

        endpoint = SerialEndpoint(self.reactor, SerialDevice(self.terminal.path), open_port=PulledOut)
        failure = self.failureResultOf(endpoint.connect(self.factory))
        self.assertIn("is the cable plugged in?", explain(failure.value))
        self.connected()

    def test_no_protocol(self) -> None:
        """A factory that wants no connection gets none, and the port stays closed."""
        self.terminal.plug()
        refusing = Factory.forProtocol(Protocol)
        refusing.buildProtocol = lambda addr: None  # type: ignore[method-assign]  # as a factory may
        self.failureResultOf(self.endpoint().connect(refusing), NoProtocol)
        self.assertEqual(self.opened, [])


class ExplainTests(SynchronousTestCase):
    """Reasons that only a network, or nothing of ours, can give."""

    def test_hosts(self) -> None:
        """Each way in which a host can fail has its own words."""
        reasons = {explain(error) for error in (ConnectionRefusedError(), DNSLookupError(), TimeoutError())}
        self.assertEqual(len(reasons), 3)
        self.assertFalse([reason for reason in reasons if "can't be opened" in reason])

    def test_anything_else(self) -> None:
        """An error that nobody foresaw is shown as it is."""
        self.assertEqual(explain(serial.SerialException("out of luck")), "it can't be opened (out of luck)")
