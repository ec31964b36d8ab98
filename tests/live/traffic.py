"""Responsible for traffic on a real server: posts at a steady rate, and a meter on a line; no telegram comes twice."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.client import HTTPException

from attrs import define, field

from tests.live.running import Client, RunningServer
from tests.telegramtext import signed

V1 = "/api/v1/datalogger/dsmrreading"
READINGS = "/api/v2/datalogger/dsmrreading"
PATIENCE_S = 60

BEGIN = datetime(2024, 1, 10, 12, tzinfo=UTC)

BODY = (
    "/TST5\\a made up meter\r\n\r\n1-3:0.2.8(50)\r\n0-0:1.0.0({clock}W)\r\n0-0:96.1.1({meter})\r\n"
    "1-0:1.8.1({position}*kWh)\r\n1-0:1.8.2(000001.000*kWh)\r\n1-0:2.8.1(000000.000*kWh)\r\n1-0:2.8.2(000000.000*kWh)\r\n"
    "1-0:1.7.0(00.300*kW)\r\n1-0:2.7.0(00.000*kW)\r\n!"
)


def telegram(meter: str, number: int, step_s: int = 1) -> str:
    """The ``number``-th telegram of a meter: some seconds and a Wh after the one before."""
    at = BEGIN + timedelta(seconds=number * step_s + 3600)
    return signed(
        BODY.format(
            clock=at.strftime("%y%m%d%H%M%S"), meter=meter.encode().hex(), position=f"{1000 + number / 1000:010.3f}"
        )
    )


@define
class Poster:
    """A client that posts telegrams of a meter at a steady rate, one after the other, and notes the answers."""

    server: RunningServer
    meter: str
    every_s: float
    step_s: int = 1
    """So many seconds are between the clocks of two telegrams."""
    insists: bool = False
    """Whether a telegram whose answer was lost is posted again."""
    is_asking: bool = False
    """Whether an answer is waited for now."""
    sent: int = 0
    stored: set[int] = field(factory=set)
    """Those that were answered with 201."""
    answers: dict[int, int] = field(factory=dict)
    """How often each status was given; 0: the connection was lost."""
    _stopped: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._post_on)
        self._thread.start()

    def stop(self) -> None:
        """End, when the last post is answered."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _post_on(self) -> None:
        client, due = self.server.client(), time.monotonic()
        while not self._stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + self.every_s, time.monotonic() - 1)
            number, self.is_asking = self.sent, True
            try:
                status = client.post(V1, telegram=telegram(self.meter, number, self.step_s))
            except (OSError, HTTPException):
                status = 0
                client.connection.close()
                client = self.server.client()
            self.is_asking = False
            self.sent += status != 0 or not self.insists
            self.answers[status] = self.answers.get(status, 0) + 1
            if status == 201:
                self.stored.add(number)


@define
class Line:
    """A meter at the far end of a terminal, that prints at a steady rate."""

    descriptor: int
    meter: str
    every_s: float
    printed: int = 0
    _stopped: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._print_on)
        self._thread.start()

    def stop(self) -> None:
        """Fall silent after a whole telegram."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def _print_on(self) -> None:
        while not self._stopped.wait(self.every_s):
            rest = telegram(self.meter, self.printed).encode()
            while rest:
                rest = rest[os.write(self.descriptor, rest) :]
            self.printed += 1


@define
class Traffic:
    """100 posts a second of four meters, and a line of ten telegrams a second."""

    posters: list[Poster]
    line: Line

    @classmethod
    def on(cls, server: RunningServer, descriptor: int) -> Traffic:
        """Traffic on a server whose line ends at ``descriptor``."""
        posters = [Poster(server, f"POST-{number}", 0.04) for number in range(4)]
        return cls(posters, Line(descriptor, "LINE-1", 0.1))

    def _all(self) -> list[Poster | Line]:
        return [*self.posters, self.line]

    def start(self) -> None:
        """Begin."""
        for one in self._all():
            one.start()

    def stop(self) -> None:
        """End."""
        for one in self._all():
            one.stop()

    def answers(self) -> dict[int, int]:
        """How often each status was given."""
        counted: dict[int, int] = {}
        for poster in self.posters:
            for status, number in poster.answers.items():
                counted[status] = counted.get(status, 0) + number
        return counted

    def missing(self, client: Client) -> dict[str, list[int]]:
        """What was taken and is not stored, and what is stored twice: by meter, the numbers of the telegrams."""
        accounts = {printed: meter["id"] for meter in client.get("/api/v2/meters") for printed in meter["equipment"]}
        wanted = {poster.meter: poster.stored for poster in self.posters}
        if self.line.printed:
            wanted[self.line.meter] = set(range(self.line.printed))
        wrong = {}
        for meter, numbers in wanted.items():
            account = accounts[meter.encode().hex()]
            found = [
                round(float(reading["electricity_delivered_1"]) * 1000) - 1_000_000
                for reading in client.pages(READINGS, meter=account)
            ]
            twice = {number for number in found if found.count(number) > 1} if len(set(found)) < len(found) else set()
            if twice or numbers - set(found):
                wrong[meter] = sorted(twice | numbers.difference(found))
        return wrong


def wait_until(client: Client, is_so: Callable[[dict[str, dict[str, object]]], bool]) -> dict[str, dict[str, object]]:
    """The service's health, as soon as it is so."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        health: dict[str, dict[str, object]] = client.get("/health")
        if is_so(health):
            return health
        time.sleep(0.05)
    raise AssertionError(f"it did not become so: {health}")
