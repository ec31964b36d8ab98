"""A telegram's whole way: from a terminal, through ``twistd dsmr``, to the API."""

from __future__ import annotations

import os
import re
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.golden_telegrams import telegram, valid_dutch, without_clock, without_register
from tests.live.running import Client, RunningServer

READINGS = "/api/v2/datalogger/dsmrreading"

REGISTERS = {
    "electricity_delivered_1": rb"1-0:1\.8\.1\((\d+\.\d{3})\*kWh\)",
    "electricity_delivered_2": rb"1-0:1\.8\.2\((\d+\.\d{3})\*kWh\)",
    "electricity_returned_1": rb"1-0:2\.8\.1\((\d+\.\d{3})\*kWh\)",
    "electricity_returned_2": rb"1-0:2\.8\.2\((\d+\.\d{3})\*kWh\)",
    "electricity_currently_delivered": rb"1-0:1\.7\.0\((\d+\.\d{3})\*kW\)",
    "electricity_currently_returned": rb"1-0:2\.7\.0\((\d+\.\d{3})\*kW\)",
    "phase_currently_delivered_l1": rb"1-0:21\.7\.0(?:\.255)?\((\d+\.\d{3})\*kW\)",
    "phase_currently_delivered_l2": rb"1-0:41\.7\.0(?:\.255)?\((\d+\.\d{3})\*kW\)",
    "phase_currently_delivered_l3": rb"1-0:61\.7\.0(?:\.255)?\((\d+\.\d{3})\*kW\)",
    "phase_currently_returned_l1": rb"1-0:22\.7\.0(?:\.255)?\((\d+\.\d{3})\*kW\)",
    "phase_voltage_l1": rb"1-0:32\.7\.0\((\d+\.\d)\*V\)",
    "phase_power_current_l3": rb"1-0:71\.7\.0(?:\.255)?\((\d+(?:\.\d+)?)\*A\)",
}
"""What a reading shows, and where it stands in the telegram: read here without any of the code under test."""

NEVER_NULL = tuple(REGISTERS)[:6]


def expected(data: bytes) -> dict[str, Any]:
    """What the API should show of a telegram."""
    shown: dict[str, Any] = {}
    for name, pattern in REGISTERS.items():
        found = re.search(pattern, data)
        if found is None:
            shown[name] = "0.000" if name in NEVER_NULL else None
        elif name.startswith("phase_power_current"):
            # The API promises whole amperes, of meters that print hundredths, too.
            shown[name] = int(Decimal(found[1].decode()).quantize(Decimal(1), ROUND_HALF_UP))
        else:
            whole, _, decimals = found[1].decode().partition(".")
            shown[name] = f"{int(whole)}.{decimals}"
    return shown


def clock(data: bytes) -> str | None:
    """The telegram's own time, as the API shows it; ``None`` without a clock, or with one that was never set."""
    found = re.search(rb"0-0:1\.0\.0\((\d{12})([SW])\)", data)
    if found is None or found[1].startswith(b"00"):
        return None
    offset = timezone(timedelta(hours=2 if found[2] == b"S" else 1))
    local = datetime.strptime(found[1].decode(), "%y%m%d%H%M%S").replace(tzinfo=offset)
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def equipment(data: bytes) -> str | None:
    """The electricity meter's id; ``None`` when it is missing or masked."""
    found = re.search(rb"0-0:96\.1\.1\(([0-9A-Fa-f]+)\)", data)
    return found[1].decode() if found and len(set(found[1])) > 1 else None


@contextmanager
def cable(path: Path) -> Iterator[int]:
    """A terminal whose other end is at ``path``; gives the meter's end."""
    meter, computer = os.openpty()
    try:
        tty.setraw(computer)
        path.symlink_to(os.ttyname(computer))
        yield meter
    finally:
        os.close(meter)
        os.close(computer)


class FirstLightTests(SynchronousTestCase):
    """Real telegrams, written to a terminal, come out of the API."""

    def test_in_pieces_of_one_byte(self) -> None:
        """Every byte may come alone."""
        self.check_corpus(1)

    def test_in_pieces_of_seven_bytes(self) -> None:
        """Pieces end anywhere in a line."""
        self.check_corpus(7)

    def test_in_pieces_of_sixty_four_bytes(self) -> None:
        """As USB delivers them."""
        self.check_corpus(64)

    def check_corpus(self, size: int) -> None:
        """Write all real Dutch telegrams with a right CRC in one stream, and find each in the API."""
        names = valid_dutch()
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        stream = b"".join(telegram(name) for name in names)
        with cable(folder / "meter") as meter:
            server = RunningServer(folder / "state", ("--device", str(folder / "meter"))).start()
            self.addCleanup(server.process.kill)
            server.wait_for(re.compile(rb"device .*: connected"))
            for start in range(0, len(stream), size):
                os.write(meter, stream[start : start + size])
            client = server.client()
            taken = self.all_stored(client, len(names))
            self.assertEqual((taken["telegrams"], taken["rejected"], taken["crc_errors"]), (len(names), 0, 0))
            self.check_readings(client, names)
            client.connection.close()
            self.assertTrue(server.stop(), bytes(server.log))

    @staticmethod
    def all_stored(client: Client, telegrams: int) -> dict[str, Any]:
        """Ask until so many telegrams were taken or refused, and nothing waits any more; the source's health then."""
        while True:
            health = client.get("/health")
            [source] = health["sources"]
            if source["telegrams"] + source["rejected"] >= telegrams and not health["store"]["waiting"]:
                return dict(source)

    def check_readings(self, client: Client, names: list[str]) -> None:
        """Each telegram's reading is there, in the account of its meter."""
        accounts = {printed: meter["id"] for meter in client.get("/api/v2/meters") for printed in meter["equipment"]}
        readings = {account: client.pages(READINGS, meter=account) for account in {1, *accounts.values()}}
        clockless = set()
        for name in names:
            data = telegram(name)
            if name in without_register():
                continue
            wanted = expected(data)
            account = readings[accounts.get(equipment(data) or "", 1)]
            at = clock(data)
            if at is None:
                clockless.add(name)
            else:
                wanted["timestamp"] = at
            shown = [{field: reading[field] for field in wanted} for reading in account]
            self.assertEqual(shown.count(wanted), 1, f"{name}: {wanted} is not there once")
        self.assertEqual(clockless, without_clock() - without_register())


class KilledTests(SynchronousTestCase):
    """What was acknowledged is there, whatever became of the process."""

    rounds = 5
    clients = 8

    def test_every_acknowledged_reading_survives_the_process(self) -> None:
        """Killed at any moment while clients post: every 201 is stored, once."""
        state = Path(self.mktemp()).resolve()
        acknowledged: list[int] = []
        serial = iter(range(1_000_000))
        for round_ in range(self.rounds):
            server = RunningServer(state).start()
            self.addCleanup(server.process.kill)
            enough = len(acknowledged) + 40 + 97 * round_
            posted = threading.Event()
            threads = [
                threading.Thread(target=self.post_until_killed, args=(server, serial, acknowledged, enough, posted))
                for _ in range(self.clients)
            ]
            for thread in threads:
                thread.start()
            self.assertTrue(posted.wait(60))
            server.kill()
            for thread in threads:
                thread.join(60)
        server = RunningServer(state).start()
        self.addCleanup(server.process.kill)
        client = server.client()
        stored = [reading["electricity_delivered_1"] for reading in client.pages(READINGS)]
        client.connection.close()
        self.assertTrue(server.stop(), bytes(server.log))
        self.assertGreater(len(acknowledged), 40 * self.rounds)
        self.assertEqual(len(stored), len(set(stored)), "a reading is there twice")
        self.assertEqual({f"{number}.000" for number in acknowledged} - set(stored), set())

    @staticmethod
    def post_until_killed(
        server: RunningServer, serial: Iterator[int], acknowledged: list[int], enough: int, posted: threading.Event
    ) -> None:
        """Post one reading after the other, and note which were acknowledged."""
        client = server.client()
        try:
            while True:
                number = next(serial)
                if post_reading(client, number) == 201:
                    acknowledged.append(number)
                if len(acknowledged) >= enough:
                    posted.set()
        except (OSError, EOFError):
            # The server is gone, as it should be; what it did not acknowledge may be stored or not.
            posted.set()
        except Exception:
            posted.set()
            raise

    def test_one_reading_from_two_clients_at_once_is_one_row(self) -> None:
        """Two loggers on one meter post the same reading in the same moment: it is stored once."""
        server = RunningServer(Path(self.mktemp()).resolve()).start()
        self.addCleanup(server.process.kill)
        together = threading.Barrier(2)
        statuses: list[int] = []

        def post() -> None:
            client = server.client()
            for number in range(100):
                together.wait(60)
                statuses.append(post_reading(client, number))

        threads = [threading.Thread(target=post) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(statuses, [201] * 200)
        self.assertEqual(server.client().get(READINGS)["count"], 100)
        self.assertTrue(server.stop(), bytes(server.log))


def post_reading(client: Client, number: int) -> int:
    """Post the reading with this number, by the version of the API that its number picks."""
    at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return client.post(
        READINGS,
        timestamp=at.isoformat(),
        electricity_delivered_1=number,
        electricity_delivered_2=0,
        electricity_returned_1=0,
        electricity_returned_2=0,
        electricity_currently_delivered=0,
        electricity_currently_returned=0,
    )
