"""Responsible for what ``--device`` can name: a serial port, a TCP host or a URL, as a value and as an endpoint.

What follows the device, such as ``,meter=Cellar`` or ``,crc=optional``, is what its owner says about it.

An endpoint's ``connect`` never raises: whatever is wrong comes by its Deferred, and ``explain`` says it in words.
Twisted's ``SerialPort`` is no endpoint; made one, it can be tried again like any other connection.

Tests: ``tests/test_device.py``, ``tests/live/test_line.py``
"""

from __future__ import annotations

import errno
import os
import re
import shlex
import termios
from collections.abc import Callable, Sequence
from functools import partial
from glob import glob
from typing import Any, Final, TypeAlias

import serial
from attrs import frozen
from serial.tools.list_ports import comports
from twisted.internet.abstract import isIPv6Address
from twisted.internet.defer import Deferred, execute
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectionDone, ConnectionRefusedError, DNSLookupError, NoProtocol, TimeoutError
from twisted.internet.fdesc import readFromFD
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.serialport import SerialPort
from twisted.python.failure import Failure
from zope.interface import implementer

from dsmr_tw.domain.meternames import meter_named, refusal
from dsmr_tw.domain.speed import FAST, SEVEN_BITS, LineSetting
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError
from dsmr_tw.hearing import Hearing
from dsmr_tw.stored import Meter

CONNECT_TIMEOUT_S: Final = 10

_TCP: Final = re.compile(r"tcp:(?:\[(?P<ipv6>[^\[\]]*)\]|(?P<host>[^:\[\]\s]+)):(?P<port>[0-9]{1,5})")
_HTTP: Final = re.compile(
    r"http://(?:\[(?P<ipv6>[^\[\]]*)\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?/[!-\"$-?A-~]*", re.ASCII
)
"""Without a name and a password: they would stand in the log."""
_URL: Final = re.compile(r"(?:tcp:|[A-Za-z][A-Za-z0-9+.-]+://)")
_MORE: Final = re.compile(r",(?=[A-Za-z_-]+=)")
"""Where something is said about a device; other commas belong to its path, or to the name of its meter."""
SETTINGS: Final = {9600: SEVEN_BITS, 115200: FAST}
"""How ports listen at each speed that meters have: DSMR 2.2 and 3.0 speak the first, later ones the second."""


@implementer(IAddress)
@frozen
class SerialDevice:
    """A serial port of this machine."""

    path: str
    """Such as ``/dev/ttyUSB0``, or better, a name in ``/dev/serial/by-id`` that stays with the cable."""

    @property
    def name(self) -> str:
        """What logs and ``/health`` call it, and the origin of its telegrams."""
        return f"device {self.path}"


@frozen
class TcpDevice:
    """A host that sends a meter's bytes to whoever connects: ser2net, or a P1 dongle."""

    host: str
    """A name, an IPv4 address or an IPv6 address, the last without brackets."""

    port: int

    @property
    def name(self) -> str:
        """What logs and ``/health`` call it, and the origin of its telegrams."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"device tcp:{host}:{self.port}"


@frozen
class HttpDevice:
    """A dongle that gives the last telegram to whoever asks for it."""

    url: str

    @property
    def name(self) -> str:
        """What logs and ``/health`` call it, and the origin of its telegrams."""
        return f"device {self.url}"


StreamDevice: TypeAlias = SerialDevice | TcpDevice
"""What sends telegrams by itself."""

Device: TypeAlias = StreamDevice | HttpDevice


@frozen
class DeviceSetting:
    """A value of ``--device``."""

    device: Device

    meter: str | None = None
    """The id or the name of the meter that its owner tied it to; ``None``: the ids that meters print decide."""

    crc: CrcPolicy | None = None
    """How far its telegrams are trusted; ``None``: as far as those of all devices."""

    def meter_id(self, meters: Sequence[Meter]) -> int | None:
        """The id of the meter that it is tied to, if it is.

        Raises: ``SettingsError`` when there is no such meter: nothing must be read into another one's account.
        """
        if self.meter is None:
            return None
        found = meter_named(meters, self.meter)
        if found is None:
            can_be = refusal(self.meter, 0) is None
            make = f"make it with: dsmr meters add {shlex.quote(self.meter)}"
            remedy = make if can_be else "`dsmr meters` lists those that there are"
            raise SettingsError(f'--device: there is no meter "{self.meter}"; {remedy}')
        return found.id


def serial_ports() -> list[SerialDevice]:
    """The serial ports that this machine has, by the names that stay with the cables where there are some."""
    lasting = {os.path.realpath(link): link for link in sorted(glob("/dev/serial/by-id/*"))}
    return [SerialDevice(lasting.get(port.device, port.device)) for port in sorted(comports())]


def parse_setting(text: str) -> DeviceSetting:
    """What a value of ``--device`` says: a device as ``parse_device`` takes it, and perhaps ``,meter=NAME,crc=POLICY``.

    Raises: ``SettingsError`` when it can't be.
    """
    name, *more = _MORE.split(text)
    device = parse_device(name)
    said: dict[str, str] = {}
    for one in more:
        key, _, value = one.partition("=")
        if key not in ("meter", "crc"):
            raise SettingsError(f"--device {name} takes ,meter=NAME or ,crc=POLICY after it, not ,{key}=.")
        if key == "crc" and (key in said or value not in list(CrcPolicy)):
            raise SettingsError(f"--device {name} takes one of ,crc=strict ,crc=optional ,crc=off after it.")
        if key in said or not value or not value.isprintable():
            raise SettingsError(f"--device {name} takes one meter, by its name or id: {name},meter=Cellar.")
        said[key] = value
    return DeviceSetting(device, said.get("meter"), CrcPolicy(said["crc"]) if "crc" in said else None)


def parse_device(text: str) -> Device:
    """The device that a value of ``--device`` names: a path, ``tcp:HOST:PORT``, or ``http://HOST/PATH``.

    Raises: ``SettingsError`` when it can be none of them.
    """
    if not text or not text.isprintable():
        raise SettingsError("--device needs a path such as /dev/ttyUSB0, or tcp:HOST:PORT.")
    if not _URL.match(text):
        return SerialDevice(text)
    if text.startswith("http"):
        return _http_device(text)
    parts = _TCP.fullmatch(text)
    if parts is None:
        raise SettingsError(f"--device {text} is neither a path nor tcp:HOST:PORT (an IPv6 host needs brackets).")
    _check(text, parts)
    return TcpDevice(parts["ipv6"] or parts["host"], int(parts["port"]))


def _http_device(text: str) -> HttpDevice:
    parts = _HTTP.fullmatch(text)
    if parts is None:
        told = "…" if "@" in text else text
        raise SettingsError(
            f"--device {told} is no address like http://192.0.2.7/api/v1/telegram "
            f"(without https, a user name or a password)."
        )
    _check(text, parts)
    return HttpDevice(text)


def _check(text: str, parts: re.Match[str]) -> None:
    """Make sure that port and IPv6 address, where there are some, can be.

    Raises: ``SettingsError`` when they can't.
    """
    port = parts["port"]
    if port is not None and not 0 < int(port) < 65536:
        raise SettingsError(f"--device {text} names port {int(port)}, but ports are 1 to 65535.")
    if parts["ipv6"] is not None and not isIPv6Address(parts["ipv6"]):
        raise SettingsError(f"--device {text} has something else than an IPv6 address in its brackets.")


def device_endpoint(
    device: StreamDevice,
    reactor: Any,
    setting: LineSetting = FAST,
    hearing: Hearing | None = None,
    *,
    binary: bool = False,
) -> IStreamClientEndpoint:
    """How to connect to a device; all else is for serial ports, see ``SerialEndpoint``.

    ``reactor`` is ``Any`` since no interface has all that TCP, name look-up and serial ports need of it.
    """
    if isinstance(device, TcpDevice):
        return HostnameEndpoint(reactor, device.host, device.port, timeout=CONNECT_TIMEOUT_S)
    return SerialEndpoint(reactor, device, setting, hearing=hearing, is_binary=binary)


@implementer(IStreamClientEndpoint)
@frozen
class SerialEndpoint:
    """A serial port that protocols can be connected to, one at a time."""

    reactor: Any
    """Provides ``IReactorFDSet`` and ``IReactorTime``."""

    device: SerialDevice

    setting: LineSetting = FAST
    """How the port listens, unless ``hearing`` says."""

    open_port: Callable[..., serial.Serial] = serial.Serial

    hearing: Hearing | None = None
    """Finds out how to listen; ``None`` where that is known."""

    is_binary: bool = False
    """Whether any byte may come. Else XON and XOFF steer the line, and are taken out of it."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Open the port for a protocol of the factory.

        Fires with: the protocol, at once.
        """
        return execute(self._open, protocolFactory)

    def _open(self, factory: IProtocolFactory) -> IProtocol:
        protocol = factory.buildProtocol(self.device)
        if protocol is None:
            raise NoProtocol
        _Port(self, protocol)
        return protocol


class _Port(SerialPort):
    """An open port that is read and never written.

    The lock keeps a second reader out: two programs on one port would each get a part of the bytes.
    """

    def __init__(self, endpoint: SerialEndpoint, protocol: IProtocol) -> None:
        self._serialFactory = partial(endpoint.open_port, exclusive=True)
        self._clock: IReactorTime = endpoint.reactor
        self._hearing = hearing = endpoint.hearing
        setting = endpoint.setting if hearing is None else hearing.search.setting
        try:
            super().__init__(
                protocol,
                endpoint.device.path,
                endpoint.reactor,
                **_spelled(setting),
                xonxoff=not endpoint.is_binary,
            )
        except BaseException:
            # A cable pulled out in the midst of this: the lock must not stay until the garbage is collected.
            opened = getattr(self, "_serial", None)
            if opened is not None:
                opened.close()
            raise
        if hearing is not None:
            hearing.opened(self._tune)

    def doRead(self) -> Failure | None:
        """Hand on what came, as the meter sent it."""
        read: Failure | None = readFromFD(self.fileno(), self._hand_on)
        return read

    def _hand_on(self, data: bytes) -> None:
        self.protocol.dataReceived(data if self._hearing is None else self._hearing.heard(data))

    def connectionLost(self, reason: Failure) -> None:
        """Close the port."""
        if self._hearing is not None:
            self._hearing.closed()
        super().connectionLost(reason)

    def _tune(self, setting: LineSetting) -> None:
        """Listen with another setting; what was heard with the one before is of no use."""
        try:
            self._serial.apply_settings(_spelled(setting))
            self._serial.reset_input_buffer()
        except (OSError, termios.error):
            # The cable was just pulled out.
            self.loseConnection()

    def loseConnection(self, _connDone: object = None) -> None:
        """Close in the reactor's next turn.

        Twisted would wait until the port takes bytes, to write what is buffered. Nothing ever is, and after an XOFF
        among the noise some ports never take any: the service would not stop.
        """
        if self.connected and not self.disconnecting:
            self.disconnecting = True
            self.stopReading()
            reason = Failure(ConnectionDone())
            self._clock.callLater(0, self.connectionLost, reason)


def _spelled(setting: LineSetting) -> dict[str, Any]:
    """The setting as pyserial takes it."""
    return {"baudrate": setting.baud, "bytesize": setting.bits, "parity": setting.parity}


def explain(error: BaseException | None) -> str:
    """Why a device could not be opened, for the person who plugged it in."""
    match _number(error):
        case errno.ENOENT | errno.ENODEV | errno.ENXIO | errno.EIO:
            return "there is no such device now; is the cable plugged in?"
        case errno.EACCES | errno.EPERM:
            return (
                "this user may not open it; make the user a member of the device's group, which is mostly dialout "
                "(sudo usermod -a -G dialout USER), and start again"
            )
        case errno.EBUSY | errno.EAGAIN:
            return "another program reads it, and a port can have one reader only"
        case errno.ENOTTY | errno.EISDIR | errno.EINVAL:
            return "it is no serial port"
    if isinstance(error, ConnectionRefusedError):
        return "it refuses the connection; does the program that serves the meter run there?"
    if isinstance(error, DNSLookupError):
        return "no host has that name"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return f"it can't be opened ({error})"


def _number(error: BaseException | None) -> int | None:
    """The system's number for the error; pyserial keeps it, or hides it behind an error of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        if error.args and isinstance(error.args[0], int):
            # ``termios.error``, which is no OSError.
            return error.args[0]
        error = error.__context__
    return None
