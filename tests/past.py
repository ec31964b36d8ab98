"""A past for tests of the HTTP face: readings that grow evenly, and the ledger computed from them.

In each quarter of an hour 100 Wh go to the client in tariff 1 and 25 in tariff 2, 10 come back in tariff 1, and 20 dm³
of gas are burnt: any amount can be told from its time alone.
"""

from __future__ import annotations

from datetime import datetime

from dsmr_tw.domain.localtime import meter_zone
from dsmr_tw.domain.reading import SECOND
from dsmr_tw.store.threads import result_of
from tests.arrivals import GAS_METER, QUARTER, gas, heard
from tests.serving import Served

AMSTERDAM = meter_zone("Europe/Amsterdam")


def local(text: str) -> int:
    """The instant of a local time: ``2024-03-31T00:00``."""
    return AMSTERDAM.from_local(datetime.fromisoformat(text))


ORIGIN = local("2024-01-01T00:00")
"""When the registers stood at their round positions."""


def store_readings(
    served: Served, start: str, end: str, *, step: int = QUARTER, gas_meter: str | None = GAS_METER
) -> None:
    """Readings from one local time to another, both included, a step apart; ``gas_meter=None``: without gas."""
    arrivals = []
    for at in range(local(start), local(end) + 1, step):
        quarters = (at - ORIGIN) // QUARTER
        devices = [] if gas_meter is None else [gas(at, 5_000_000 + 20 * quarters, gas_meter)]
        arrival = heard(
            at,
            *devices,
            delivered_1=10_000_000 + 100 * quarters,
            returned_1=1_000_000 + 10 * quarters,
            delivered_2=20_000_000 + 25 * quarters,
            returned_2=0,
        )
        arrivals.append([arrival])
    result_of(served.store.readings.add(arrivals, local(end)))


def compute(served: Served) -> None:
    """Compute the ledger as far as it can be now, and let the rows of what has closed appear."""
    now, ledger = int(served.clock.seconds()) * SECOND, served.store.ledger
    for meter in result_of(served.store.meters.all()):
        while result_of(ledger.recompute(meter.id, now)):
            pass
        while result_of(ledger.close(meter.id, now)):
            pass
