"""Responsible for clients that post telegrams until the power goes, and for what must be there afterwards."""

from __future__ import annotations

import threading
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Final

from attrs import define, field

from tests.live.running import PATIENCE_S, Client
from tests.live.traffic import READINGS, V1, telegram

CLIENTS: Final = 3
METERS: Final = tuple(f"CUT-{number}" for number in range(CLIENTS))


@define
class Posted:
    """The telegrams of one meter, numbered from 0, none of which is sent twice."""

    meter: str
    sent: int = 0
    stored: set[int] = field(factory=set)
    """Those that were answered with 201."""
    refused: Counter[int] = field(factory=Counter)
    """How often each other status was answered."""

    def post_on(self, client: Client) -> None:
        """Post one after the other until nobody answers any more."""
        try:
            while True:
                number, self.sent = self.sent, self.sent + 1
                status = client.post(V1, telegram=telegram(self.meter, number))
                if status == 201:
                    self.stored.add(number)
                else:
                    self.refused[status] += 1
        except (OSError, HTTPException):
            client.connection.close()

    def wrong(self, found: list[int]) -> list[str]:
        """What is wrong about what was found: acknowledged and not there, there twice, never sent."""
        counted = Counter(found)
        twice = sorted(number for number, times in counted.items() if times > 1)
        return [
            f"{self.meter}: {what} {numbers[:10]}{' …' if len(numbers) > 10 else ''}"
            for what, numbers in (
                ("lost", sorted(self.stored - counted.keys())),
                ("twice", twice),
                ("never sent", sorted(counted.keys() - set(range(self.sent)))),
                ("refused with", sorted(self.refused)),
            )
            if numbers
        ]


@define
class Posting:
    """Some clients that post at the same time, a meter each."""

    meters: list[Posted] = field(factory=lambda: [Posted(meter) for meter in METERS])
    _threads: list[threading.Thread] = field(factory=list)

    @property
    def stored(self) -> int:
        """How many telegrams were answered with 201."""
        return sum(len(posted.stored) for posted in self.meters)

    def start(self, port: int, key: str) -> None:
        """Begin, and go on until nobody answers."""
        for posted in self.meters:
            client = Client(HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S), key)
            self._threads.append(threading.Thread(target=posted.post_on, args=(client,), daemon=True))
            self._threads[-1].start()

    def join(self) -> None:
        """Wait until they have noticed that nobody answers."""
        while self._threads:
            self._threads.pop().join()

    def wrong(self, client: Client) -> list[str]:
        """What is wrong about the readings that a server serves."""
        accounts = {printed: meter["id"] for meter in client.get("/api/v2/meters") for printed in meter["equipment"]}
        wrong = []
        for posted in self.meters:
            account = accounts.get(posted.meter.encode().hex())
            listed = [] if account is None else client.pages(READINGS, meter=account)
            wrong += posted.wrong([number_of(reading["electricity_delivered_1"]) for reading in listed])
        return wrong


def number_of(position: str) -> int:
    """Which telegram of its meter showed this position."""
    return round(float(position) * 1000) - 1_000_000
