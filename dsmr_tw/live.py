"""Responsible for the newest values of each meter, in memory: never behind what is stored.

What was stored before the start, or by another program, is read when somebody asks.

Tests: ``tests/test_live.py``
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from dsmr_tw.domain.reading import DAY, GAS, SECOND, Arrival, DeviceReading, Receipt, StoredReading, counts
from dsmr_tw.interfaces import ILive, IReadings
from dsmr_tw.stored import Live


@implementer(ILive)
@define
class LiveValues:
    """The reading with the youngest instant that counts, and the gas value that came last."""

    readings: IReadings
    clock: IReactorTime
    _by_meter: dict[int, Live] = field(factory=dict, init=False)
    _current: set[int] = field(factory=set, init=False)
    """The meters of which memory is not behind what is stored."""

    def latest(self, meter_id: int) -> Deferred[Live | None]:
        """See ``ILive``."""
        if meter_id in self._current:
            return succeed(self._by_meter.get(meter_id))
        return Deferred.fromCoroutine(self._catch_up(meter_id))

    def outdated(self, meter_ids: Iterable[int] | None) -> None:
        """Others have stored readings of these meters, or of any."""
        if meter_ids is None:
            self._current.clear()
        else:
            self._current.difference_update(meter_ids)

    async def _catch_up(self, meter_id: int) -> Live | None:
        # Noted before it is read: what others store meanwhile makes it outdated again.
        self._current.add(meter_id)
        try:
            live = await self.readings.live(meter_id, int(self.clock.seconds() * SECOND) + DAY)
        except BaseException:
            self._current.discard(meter_id)
            raise
        if live is not None:
            self._by_meter[meter_id] = _with_values(live, self._by_meter.get(meter_id))
        return self._by_meter.get(meter_id)

    def offer(self, arrivals: Sequence[Arrival], receipts: Sequence[Receipt]) -> None:
        """Take what has just been stored, where it is younger than what is here."""
        for arrival, receipt in zip(arrivals, receipts, strict=True):
            self._offer(arrival, receipt)

    def _offer(self, arrival: Arrival, receipt: Receipt) -> None:
        known = self._by_meter.get(receipt.meter_id)
        reading = arrival.reading
        gas = next((device for device in arrival.devices if device.device_type == GAS), None)
        if reading is not None and receipt.reading_id is not None and counts(reading.at, arrival.received_at):
            tariff = arrival.statistics.tariff if arrival.statistics is not None else None
            stored = StoredReading(receipt.reading_id, reading, gas)
            known = Live(stored, tariff, None, None) if known is None else _with_reading(known, stored, tariff)
        if known is None:
            return
        if gas is not None and counts(gas.at, arrival.received_at):
            known = _with_gas(known, gas)
        self._by_meter[receipt.meter_id] = known


def _with_values(stored: Live, known: Live | None) -> Live:
    """What was stored, and what came while it was read."""
    if known is None:
        return stored
    live = _with_reading(stored, known.reading, known.tariff)
    for gas in (known.previous_gas, known.gas):
        if gas is not None:
            live = _with_gas(live, gas)
    return live


def _with_reading(known: Live, stored: StoredReading, tariff: int | None) -> Live:
    """Of readings at one instant the one that was stored last counts."""
    if (stored.reading.at, stored.id) < (known.reading.reading.at, known.reading.id):
        return known
    return evolve(known, reading=stored, tariff=known.tariff if tariff is None else tariff)


def _with_gas(known: Live, gas: DeviceReading) -> Live:
    """A value at an instant that is known already changes nothing: the first stored counts."""
    if known.gas is None:
        return evolve(known, gas=gas)
    is_same_device = len({gas.equipment_id, known.gas.equipment_id} - {None}) < 2
    if gas.at > known.gas.at:
        return evolve(known, gas=gas, previous_gas=known.gas if is_same_device else None)
    before = known.previous_gas
    if is_same_device and gas.at < known.gas.at and (before is None or gas.at > before.at):
        return evolve(known, previous_gas=gas)
    return known
