"""What tests of forwarding stand on: a server that answers as the test says, and a spool on the real disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.domain.reading import SECOND, Origin
from dsmr_tw.domain.spooled import Record, record_in
from dsmr_tw.errors import SinkError
from dsmr_tw.forwarding import Forward
from dsmr_tw.interfaces import ITarget
from dsmr_tw.limits import Limits
from dsmr_tw.spool import Spool
from dsmr_tw.unsent import Unsent
from tests.arrivals import NOON

NAME = "http://server.example:8080"


def numbered(number: int) -> Record:
    """A telegram that can be told from others."""
    telegram = f"/TST5\\a made up meter\r\n\r\n1-0:1.8.1({number:06}.000*kWh)\r\n!"
    return Record(NOON + number * SECOND, Origin("device /dev/ttyUSB0"), "Europe/Amsterdam", False, telegram)


def number_of(record: Record) -> int:
    """Which one it is."""
    return int(record.telegram.partition("(")[2][:6])


@implementer(ITarget)
@define(eq=False)
class Target:
    """Another server: what it took, and what it answers."""

    behave: Callable[[Sequence[int]], Answer | Deferred[Answer] | Exception] = field(
        default=lambda numbers: Answer(201)
    )
    name: str = NAME
    posts: list[list[int]] = field(factory=list)
    """The numbers of the telegrams of each request."""
    taken: list[int] = field(factory=list)
    """Those that it has said it has."""

    def post(self, records: Sequence[Record]) -> Deferred[Answer]:
        """See ``ITarget``."""
        numbers = [number_of(record) for record in records]
        self.posts.append(numbers)
        said = self.behave(numbers)
        answer = fail(said) if isinstance(said, Exception) else said if isinstance(said, Deferred) else succeed(said)
        return answer.addCallback(self._note, numbers)

    def _note(self, answer: Answer, numbers: list[int]) -> Answer:
        if answer.status in (200, 201):
            self.taken += numbers
        return answer


def away(numbers: Sequence[int]) -> Exception:
    """What a server that is away answers."""
    return SinkError("it refuses the connection")


class ForwardCase(SynchronousTestCase):
    """A test with a server, and what is sent to it."""

    def setUp(self) -> None:
        """A server that takes everything, and an empty spool."""
        self.clock = Clock()
        self.clock.advance(NOON / SECOND)
        self.ticks = Clock()
        """The clock that nobody sets."""
        self.directory = Path(self.mktemp()).resolve() / "spool"
        self.limits = Limits()
        self.target = Target()
        self.forward = self.forwarding()

    def forwarding(self, runner: Callable[..., Deferred[Any]] = maybeDeferred, **settings: Any) -> Forward:
        """What sends to it, begun."""
        self.spool = spool = Spool(self.directory, runner, **settings)
        spool.open()
        unsent = Unsent(NAME, spool, self.limits, self.ticks.seconds)
        self.forward = Forward(self.target, unsent, self.clock)
        self.forward.startService()
        self.addCleanup(self.close, self.forward, spool)
        return self.forward

    def close(self, forward: Forward, spool: Spool) -> None:
        """Stop, if that is not done yet."""
        if forward.running:
            self.successResultOf(forward.stopService())
        spool.close()

    def crash(self) -> None:
        """End without a word: what was in memory is gone, and so is the lock."""
        forward = self.forward
        forward.running = 0
        forward.take = lambda record: None  # type: ignore[method-assign]
        for call in self.clock.getDelayedCalls():
            call.cancel()
        self.spool.close()

    def pass_time(self, seconds: float) -> None:
        """Let both clocks go on, a second at most at a time."""
        while seconds > 0:
            step = min(1.0, seconds)
            seconds -= step
            self.ticks.advance(step)
            self.clock.advance(step)

    def take(self, *numbers: int) -> None:
        """Telegrams come."""
        for number in numbers:
            self.forward.take(numbered(number))

    def on_disk(self) -> list[int]:
        """What is in the spool, as whoever starts next would find it."""
        reader = Spool(self.directory, maybeDeferred)
        reader.survey()
        return [number_of(record) for record in self.successResultOf(reader.read(10_000, record_in))]

    def logged(self, function: Callable[..., object], *arguments: object) -> list[str]:
        """The lines that are logged while ``function`` runs."""
        with capturedLogs() as events:
            function(*arguments)
        return [text for event in events if (text := formatEvent(event))]
