"""Responsible for making the sources that settings name: devices that are read, and the demo.

Tests: ``tests/test_tap.py``
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from dsmr_tw.device import SETTINGS, DeviceSetting, HttpDevice, SerialDevice, StreamDevice, parse_setting
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.reading import Origin
from dsmr_tw.domain.speed import FAST, SLOW, SpeedSearch
from dsmr_tw.domain.telegram import CrcPolicy
from dsmr_tw.errors import SettingsError
from dsmr_tw.hearing import Hearing
from dsmr_tw.printed import PrintedSource
from dsmr_tw.source import ShowTelegram, TakeError, TakeTelegram, TelegramSource, device_source
from dsmr_tw.stored import Meter

if TYPE_CHECKING:
    from dsmr_tw.decrypt import Decryption

DEMO = Origin("demo")

ServeWire = Callable[[CrcPolicy], ShowTelegram | None]
"""Gives what is shown the telegrams of a source whose CRCs are treated like this; ``None`` when nobody wants them."""


def served_to_nobody(crc: CrcPolicy) -> None:
    """What wants no telegrams."""


def kept_by_nobody(path: str, baud: int) -> None:
    """What keeps no speed."""


@frozen(kw_only=True)
class Sourcing:
    """What all sources of a process have in common."""

    reactor: Any
    clock: IReactorTime
    on_telegram: TakeTelegram
    on_error: TakeError
    on_wire: ServeWire = served_to_nobody
    crc: CrcPolicy = CrcPolicy.STRICT
    baud: int | None = None
    """The speed of serial ports; ``None``: what is found by listening."""
    speeds: Mapping[str, int] = field(factory=dict)
    """What was found earlier, by the path of the port."""
    keep_speed: Callable[[str, int], object] = kept_by_nobody
    """Is given what is found, for the next start."""
    zone: MeterZone | None = None
    """In whose time the meters' clocks run, if they shall be compared with ours."""
    by_arrival: bool = False
    """Whether telegrams are dated by our clock in any case."""
    decryption: Callable[[], Decryption | None] = field(default=lambda: None)
    """Makes what decrypts, for each device one of its own."""

    def devices(self, settings: Sequence[str], meters: Sequence[Meter] = ()) -> list[TelegramSource]:
        """The devices; ``meters`` are those that their owner may have tied them to.

        Raises: ``SettingsError`` for what is no device, or names no meter.
        """
        return [self.device(parse_setting(setting), meters) for setting in settings]

    def demo(self, produce: Callable[[int], bytes]) -> list[TelegramSource]:
        """The demo, whose telegrams ``produce`` prints."""
        return [
            PrintedSource(
                origin=DEMO,
                clock=self.clock,
                on_telegram=self.on_telegram,
                on_error=self.on_error,
                on_wire=self.on_wire(CrcPolicy.STRICT),
                produce=produce,
            )
        ]

    def device(self, setting: DeviceSetting, meters: Sequence[Meter] = ()) -> TelegramSource:
        """What reads a device; a dongle that is asked over HTTP has decrypted what it tells.

        Raises: ``SettingsError`` when it names no meter.
        """
        device, meter_id, crc = setting.device, setting.meter_id(meters), setting.crc or self.crc
        common: dict[str, Any] = {
            "on_telegram": self.on_telegram,
            "on_error": self.on_error,
            "on_wire": self.on_wire(crc),
            "crc": crc,
            "zone": self.zone,
            "by_arrival": self.by_arrival,
        }
        if not isinstance(device, HttpDevice):
            decryption = self.decryption()
            return device_source(
                device,
                self.reactor,
                setting=SETTINGS[self.baud or 115200],
                # What is encrypted needs all eight bits, so there is nothing to find out.
                hearing=self._hearing(device) if self.baud is None and decryption is None else None,
                meter_id=meter_id,
                decryption=decryption,
                clock=self.clock,
                **common,
            )
        # Imported here and not above: most houses ask nobody, and need no HTTP client at all.
        from dsmr_tw.polled import PolledSource, dongle_agent

        origin = Origin(device.name, meter_id)
        agent = dongle_agent(self.reactor)
        return PolledSource(origin=origin, clock=self.clock, url=device.url, agent=agent, **common)

    def _hearing(self, device: StreamDevice) -> Hearing | None:
        """What finds the speed of a serial port, beginning with the one that was found the last time."""
        if not isinstance(device, SerialDevice):
            return None
        begin = SLOW if self.speeds.get(device.path) == SLOW.baud else FAST
        keep = self.keep_speed
        return Hearing(self.clock, SpeedSearch(begin), lambda setting: keep(device.path, setting.baud))


def decryption(key_file: Path | None) -> Callable[[], Decryption | None]:
    """Makes what decrypts, if the operator has a key.

    Raises: ``SettingsError`` when the file holds none, or what decrypts is not installed.
    """
    if key_file is None:
        return lambda: None
    try:
        # Imported here and not above: most meters print plainly.
        from dsmr_tw.decrypt import Decryption, read_keys
    except ImportError as error:
        raise SettingsError(
            f"--decryption-key-file needs more than is installed ({error}): pip install '.[decrypt]'"
        ) from error
    return partial(Decryption, read_keys(key_file))
