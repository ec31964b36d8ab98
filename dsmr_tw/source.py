"""Responsible for keeping a line of telegrams open, and for saying in words how it is.

A source is a service: it hands each telegram and each refusal onward with its origin, counts them, and tells the log
what happened once: the same words again only after a telegram came.
A device that is away is tried again after 0.5 s, then less and less often, at least every 30 s.
A line without a telegram for 60 s is a problem. A TCP connection like that may be half-open and is made again;
a serial port is left as it is, since the next bytes come to it whenever they come.

Silence is counted in ticks, not by subtracting instants: a clock that is set is no silence.

Tests: ``tests/test_source.py``, ``tests/live/test_line.py``
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

from attrs import define, evolve, field, frozen
from twisted.application.internet import ClientService, backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.python.failure import Failure
from zope.interface import implementer, provider

from dsmr_tw.device import SerialDevice, StreamDevice, device_endpoint, explain
from dsmr_tw.domain.arrival import clock_of
from dsmr_tw.domain.localtime import MeterZone
from dsmr_tw.domain.parse import Telegram
from dsmr_tw.domain.quality import LineQuality
from dsmr_tw.domain.reading import SECOND, YEAR_2020, Origin
from dsmr_tw.domain.resemblance import ENCRYPTED, PLAIN, resemblance
from dsmr_tw.domain.speed import FAST, LineSetting
from dsmr_tw.domain.telegram import CrcPolicy, RawTelegram, TelegramAssembler
from dsmr_tw.errors import CrcError, TelegramError
from dsmr_tw.hearing import Hearing
from dsmr_tw.interfaces import ISource
from dsmr_tw.serialproto import TelegramReceiver
from dsmr_tw.sourcehealth import SILENCE_S, SourceHealth

if TYPE_CHECKING:
    # What decrypts is imported by whoever makes one: most meters need none.
    from dsmr_tw.decrypt import Decryption

TakeTelegram: TypeAlias = Callable[[RawTelegram, int, Origin], Telegram]
"""Takes a telegram, the instant of its arrival, and its origin: the same, understood.

May refuse it by raising a ``TelegramError``.
"""

ShowTelegram: TypeAlias = Callable[[RawTelegram, int, Origin], object]
"""Is given a telegram, the instant of its arrival, and its origin."""

TakeError: TypeAlias = Callable[[Origin, TelegramError], object]
"""Takes the origin of a refused telegram, and the reason: ``IIntake.reject``, for one, which never fails."""

retry_delay: Final = backoffPolicy(initialDelay=0.25, maxDelay=30.0, factor=2.0, jitter=lambda: random() / 10)
"""Seconds before the nth attempt in a row: 0.5, 1, 2, … 30, and a little, so that many servers don't knock at once."""


@implementer(ISource)
@define(eq=False, slots=False, kw_only=True)
class TelegramSource(Service):
    """What all sources have in common: they take telegrams from a receiver, count, tell and hand on."""

    origin: Origin

    clock: IReactorTime

    on_telegram: TakeTelegram

    on_error: TakeError

    crc: CrcPolicy = CrcPolicy.STRICT

    zone: MeterZone | None = None
    """In whose time the meter's clock runs; ``None`` when nobody compares it with ours."""

    by_arrival: bool = False
    """Whether telegrams are dated by our clock in any case."""

    on_wire: ShowTelegram | None = None
    """Is given each telegram before ``on_telegram``, whatever that says to it; its failure costs nobody anything."""

    _health: SourceHealth = field(init=False)
    _assembler: TelegramAssembler = field(init=False, repr=False)
    _last: Telegram | None = field(default=None, init=False, repr=False)
    """The last telegram taken."""
    _told: set[str] = field(factory=set, init=False, repr=False)
    """What was said since the last telegram."""
    _refusing: bool = field(default=False, init=False, repr=False)
    """Whether the last telegram was refused."""
    _quality: LineQuality = field(factory=LineQuality, init=False, repr=False)
    _watch: LoopingCall = field(init=False, repr=False)

    _log: ClassVar[Logger] = Logger()

    def __attrs_post_init__(self) -> None:
        self._health = SourceHealth(self.origin.name, by_arrival=self.by_arrival)
        self._assembler = TelegramAssembler(self.crc)
        self._watch = LoopingCall(self._tick)
        self._watch.clock = self.clock

    @property
    def health(self) -> SourceHealth:
        """How the source is at this moment."""
        health = evolve(self._health, bytes_skipped=self._assembler.skipped, line=self._quality.figures())
        if self._last is not None:
            # Found out when it is asked for, not for each telegram.
            health.dialect, health.unknown_lines = self._last.dialect, self._last.unknown_lines
            health.clock_offset_s = self._clock_offset(self._last)
        return health

    def _clock_offset(self, telegram: Telegram) -> int | None:
        heard_at = self._health.last_telegram_at
        printed = None if self.zone is None else clock_of(telegram, self.zone)
        if printed is None or heard_at is None or heard_at < YEAR_2020:
            return None
        return round((printed - heard_at) / SECOND)

    def startService(self) -> None:
        """Begin to watch over the silence."""
        super().startService()
        self._watch.start(1, now=False).addErrback(lambda failure: self._log.failure("The watch ended:", failure))

    def stopService(self) -> Deferred[None] | None:
        """End the watch."""
        super().stopService()
        self._watch.stop()
        return None

    def _tick(self) -> None:
        self._health.quiet_s += 1

    def _take(self, telegram: RawTelegram, received_at: int) -> None:
        self._quality.whole(telegram.data, received_at)
        if self.on_wire is not None:
            with self._log.failuresHandled("{source}: serving a telegram failed:", source=self.origin.name):
                self.on_wire(telegram, received_at, self.origin)
        try:
            self._last = self.on_telegram(telegram, received_at, self.origin)
        except TelegramError as error:
            self._refuse(error)
            return
        health = self._health
        if self._told or not health.telegrams:
            self._log.info("{source}: telegrams come", source=self.origin.name)
        self._told.clear()
        self._refusing = False
        health.telegrams += 1
        health.last_telegram_at = received_at
        health.quiet_s, health.trouble = 0, None

    def _refuse(self, error: TelegramError) -> None:
        if not self.running:
            # We ourselves cut it off.
            return
        health = self._health
        if isinstance(error, CrcError):
            health.crc_errors += 1
            self._quality.broken(error.body)
        else:
            health.rejected += 1
        health.trouble = f"the last one was refused: {error}"
        tell = self._log.debug if self._refusing else self._log.info
        tell("{source}: telegram refused: {reason}", source=self.origin.name, reason=str(error))
        self._refusing = True
        self.on_error(self.origin, error)

    def _trouble(self, words: str) -> None:
        """Remember what is wrong, and say it if it was not said since the last telegram."""
        self._health.trouble = words
        if self._tell(words):
            self._log.warn("{source}: {trouble}", source=self.origin.name, trouble=words)

    def _tell(self, words: str) -> bool:
        """Whether these words were not said since the last telegram; from now on they were."""
        told = words in self._told
        self._told.add(words)
        return not told


@define(eq=False, slots=False, kw_only=True)
class Source(TelegramSource):
    """Telegrams of a device that is connected to, again and again if need be."""

    endpoint: IStreamClientEndpoint

    reconnect_when_silent: bool = False
    """For connections that can die unnoticed."""

    retry_delay: Callable[[int], float] = retry_delay

    decryption: Decryption | None = None
    """What opens encrypted telegrams; ``None`` for a meter that prints them plainly."""

    hearing: Hearing | None = None
    """Finds the speed of a serial port; ``None`` where it is known, or there is none."""

    setting: LineSetting | None = None
    """How a serial port listens whose speed is known."""

    _attempts: int = field(default=0, init=False, repr=False)
    """Attempts to connect since the last telegram: one that is closed at once must not be tried at full speed."""
    _silent_s: int = field(default=0, init=False, repr=False)
    """Seconds of silence of this connection."""
    _connections: int = field(default=0, init=False, repr=False)
    _receiver: TelegramReceiver | None = field(default=None, init=False, repr=False)
    _client: ClientService = field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        receivers = Factory.forProtocol(self._build)
        receivers.noisy = False
        self._client = _SilentClientService(
            _Attempts(self.endpoint, self._failed),
            receivers,
            retryPolicy=self._delay,
            clock=self.clock,
        )

    @property
    def health(self) -> SourceHealth:
        """How the source is at this moment."""
        health = super().health
        if self.decryption is not None:
            health.bytes_skipped += self.decryption.skipped
            health.frames_refused = dict(self.decryption.refused)
        if self._receiver is not None:
            health.bytes_received += self._receiver.bytes_received
        health.serial = self._serial()
        return health

    def _serial(self) -> str | None:
        if self.hearing is None:
            return None if self.setting is None else str(self.setting)
        return str(self.hearing.search.spoken) if self.hearing.search.found else None

    def startService(self) -> None:
        """Connect, and stay so."""
        super().startService()
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        """Disconnect. Fires when the device is closed."""
        super().stopService()
        return self._client.stopService()

    def _build(self) -> TelegramReceiver:
        if self._receiver is not None:
            self._health.bytes_received += self._receiver.bytes_received
        make = TelegramReceiver if self.decryption is None else self.decryption.receiver
        self._receiver = make(self._assembler, self.clock, self._take, self._refuse, self._connected, self._lost)
        return self._receiver

    def _delay(self, attempt: int) -> float:
        self._attempts += 1
        return self.retry_delay(self._attempts)

    def _connected(self) -> None:
        health = self._health
        health.connected, health.trouble = True, None
        self._silent_s = 0
        health.reconnects = self._connections
        self._connections += 1
        if self._tell("connected"):
            self._log.info("{source}: connected", source=self.origin.name)

    def _failed(self, failure: Failure) -> Failure:
        if self.running:
            self._trouble(explain(failure.value))
        return failure

    def _lost(self) -> None:
        self._health.connected = False
        if self.running:
            self._trouble("the connection was lost; trying again")

    def _take(self, telegram: RawTelegram, received_at: int) -> None:
        self._silent_s = self._attempts = 0
        before = self._health.telegrams
        super()._take(telegram, received_at)
        # What was refused for what it says is vouched for by its CRC all the same.
        if self._health.telegrams > before or telegram.crc == telegram.computed_crc:
            self._settle()

    def _settle(self) -> None:
        """Remember how to listen."""
        if self.hearing is not None and self.hearing.settle():
            self._log.info("{source}: found by listening: {serial}", source=self.origin.name, serial=self._serial())

    def _tick(self) -> None:
        super()._tick()
        if self.hearing is not None and self._health.connected:
            self.hearing.tick()
        receiver = self._receiver
        if receiver is None or not self._health.connected:
            return
        self._silent_s += 1
        if self._silent_s % SILENCE_S:
            return
        if self.hearing is not None:
            self.hearing.doubt()
        if not receiver.bytes_since_telegram:
            self._trouble("connected, but nothing comes; is the cable in the meter's P1 port, and is the port enabled?")
        elif not self._refusing:
            self._trouble(f"bytes came, but no telegram; {self.advice()}")
        if self.reconnect_when_silent:
            receiver.hang_up()

    def advice(self) -> str:
        """What to do about a line that brings bytes and no telegram."""
        recent = b"" if self._receiver is None else self._receiver.recent
        if self.hearing is not None:
            # As it came, with the parity in it.
            recent = self.hearing.search.recent or recent
        seen = resemblance(recent)
        if seen is None and self.hearing is not None:
            return "they make sense at no speed of a P1 port; is the cable made for one, and is it sound?"
        if seen is None or (seen == PLAIN and self.decryption is None):
            return "are baud rate and cable those of this meter?"
        if seen == ENCRYPTED and self.decryption is None:
            return f"it looks like {seen}, which need the key that your grid operator gives: --decryption-key-file"
        if seen == PLAIN:
            return f"it looks like {seen}: leave out --decryption-key-file"
        return f"it looks like {seen}"


def device_source(
    device: StreamDevice,
    reactor: Any,
    on_telegram: TakeTelegram,
    on_error: TakeError,
    *,
    clock: IReactorTime | None = None,
    crc: CrcPolicy = CrcPolicy.STRICT,
    setting: LineSetting = FAST,
    hearing: Hearing | None = None,
    meter_id: int | None = None,
    on_wire: ShowTelegram | None = None,
    decryption: Decryption | None = None,
    zone: MeterZone | None = None,
    by_arrival: bool = False,
) -> Source:
    """The source that reads a device; ``meter_id`` if the owner tied it to a meter, ``decryption`` if it encrypts.

    A serial port listens with ``setting``, or as ``hearing`` says.
    """
    is_serial = isinstance(device, SerialDevice)
    return Source(
        origin=Origin(device.name, meter_id),
        clock=reactor if clock is None else clock,
        on_telegram=on_telegram,
        on_error=on_error,
        crc=crc,
        on_wire=on_wire,
        zone=zone,
        by_arrival=by_arrival,
        endpoint=device_endpoint(device, reactor, setting, hearing, binary=decryption is not None),
        reconnect_when_silent=not is_serial,
        decryption=decryption,
        hearing=hearing if is_serial else None,
        setting=setting if is_serial else None,
    )


@implementer(IStreamClientEndpoint)
@frozen
class _Attempts:
    """An endpoint whose failures are heard; ``ClientService`` keeps them to itself."""

    endpoint: IStreamClientEndpoint
    failed: Callable[[Failure], Failure]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return self.endpoint.connect(protocolFactory).addErrback(self.failed)


@provider(ILogObserver)
def _say_nothing(event: LogEvent) -> None:
    """Where the words of ``ClientService`` go: one line for each attempt, for as long as a device is away."""


class _SilentClientService(ClientService):
    _log = Logger(observer=_say_nothing)
