"""Responsible for knowing the meters and their equipment while a batch is written.

``Accounts`` is what the writer's connection last read of the small tables ``meter``, ``equipment`` and ``origin``, kept
in memory because every arrival asks for it; changes go to the connection at once, inside the batch's transaction.
After a rollback, or when another program wrote to the database, it is read again.

Tests: ``tests/store/test_sqlite.py``
"""

from __future__ import annotations

from attrs import define, field

from dsmr_tw.domain.accounts import Continue, account
from dsmr_tw.domain.reading import GAS, SECOND, Arrival, DeviceReading, Origin
from dsmr_tw.errors import StoreError
from dsmr_tw.store.connection import Connection

ELECTRICITY_METER = 0
"""The device type under which the meter itself stands in ``equipment``."""

SEEN_EVERY = 60 * SECOND
"""``equipment.last_seen_at`` is written at most this often: it decides over ten minutes."""


@define
class Equipment:
    """A row of ``equipment``, and when it was last heard."""

    id: int
    meter_id: int
    device_type: int
    printed_id: str | None
    channel: int | None
    heard_at: int
    """By arrival; the stored ``last_seen_at`` may be a minute behind."""
    stored_at: int
    """The stored ``last_seen_at``."""


@define
class Accounts:
    """Meters, equipment and origins of one database."""

    connection: Connection
    zone: str
    """The zone of meters that are opened here."""
    _meters: dict[int, int | None] = field(factory=dict)
    _by_id: dict[str, Equipment] = field(factory=dict)
    _by_meter: dict[int, list[Equipment]] = field(factory=dict)
    _origins: dict[str, int] = field(factory=dict)

    def load(self) -> None:
        """Read everything anew; opens the first meter of an empty database."""
        execute = self.connection.execute
        self._meters = dict(execute("SELECT id, first_seen_at FROM meter ORDER BY id"))
        self._origins = dict(execute("SELECT name, meter_id FROM origin"))
        self._by_id, self._by_meter = {}, {meter_id: [] for meter_id in self._meters}
        columns = "id, meter_id, device_type, printed_id, channel, last_seen_at, last_seen_at"
        rows = execute(f"SELECT {columns} FROM equipment ORDER BY id")
        for row in rows:
            self._remember(Equipment(*row))
        if not self._meters:
            self._open_meter()

    def meter_of(self, arrival: Arrival) -> tuple[int, int | None]:
        """The meter an arrival belongs to, and the row id of the electricity meter that printed it, if it said which.

        Opens an account and stores new equipment where the rule of ``domain.accounts`` says so.
        """
        printed_id, origin, received_at = arrival.equipment_id, arrival.origin, arrival.received_at
        if printed_id is None:
            meter_id, equipment = self.own_meter(origin), None
        else:
            equipment = self._electricity_meter(arrival, printed_id)
            meter_id = equipment.meter_id
            self._hear(equipment, received_at)
            if origin.name not in self._origins:
                self._origins[origin.name] = meter_id
                self.connection.execute("INSERT INTO origin VALUES (?, ?)", (origin.name, meter_id))
        if self._meters[meter_id] is None:
            self._meters[meter_id] = received_at
            self.connection.execute("UPDATE meter SET first_seen_at = ? WHERE id = ?", (received_at, meter_id))
        return meter_id, equipment.id if equipment else None

    def own_meter(self, origin: Origin) -> int:
        """The meter that an origin is tied to, else the one it was first heard with, else the first.

        Raises: ``StoreError`` when it is tied to a meter that is not there.
        """
        if origin.meter_id is not None:
            if origin.meter_id not in self._meters:
                raise StoreError(f"{origin.name} is for meter {origin.meter_id}, which is not there")
            return origin.meter_id
        return self._origins.get(origin.name) or next(iter(self._meters))

    def device(self, meter_id: int, reading: DeviceReading, received_at: int) -> int:
        """The row id of the M-Bus device that gave a value; a new one is stored."""
        found = self._find_device(meter_id, reading)
        if found is None:
            found = self._store(meter_id, reading.device_type, reading.equipment_id, reading.channel, received_at)
        self._hear(found, received_at)
        return found.id

    def _find_device(self, meter_id: int, reading: DeviceReading) -> Equipment | None:
        """By its printed id; without one by type and channel; without either the gas device last heard."""
        of_type = [e for e in self._by_meter[meter_id] if e.device_type == reading.device_type]
        if reading.equipment_id is not None:
            return next((e for e in of_type if e.printed_id == reading.equipment_id), None)
        if reading.channel is None and reading.device_type == GAS:
            return max(of_type, key=lambda e: e.heard_at, default=None)
        return next((e for e in of_type if e.printed_id is None and e.channel == reading.channel), None)

    def _electricity_meter(self, arrival: Arrival, printed_id: str) -> Equipment:
        """The equipment that a telegram names. Where the owner tied its origin to a meter, no id leads elsewhere."""
        if arrival.origin.meter_id is None:
            return self._by_id.get(printed_id) or self._new_meter(arrival, printed_id)
        own = self.own_meter(arrival.origin)
        of_meter = (e for e in self._by_meter[own] if e.device_type == ELECTRICITY_METER)
        found = next((e for e in of_meter if e.printed_id == printed_id), None)
        return found or self._store(own, ELECTRICITY_METER, printed_id, None, arrival.received_at)

    def _new_meter(self, arrival: Arrival, printed_id: str) -> Equipment:
        """Decide over an id that was never seen, and store it."""
        own = self.own_meter(arrival.origin)
        others = [e.heard_at for e in self._by_meter[own] if e.device_type == ELECTRICITY_METER]
        decision = account(
            equipment_id=printed_id,
            known_meter_id=None,
            own_meter_id=own,
            other_heard_at=max(others, default=None),
            received_at=arrival.received_at,
        )
        meter_id = decision.meter_id if isinstance(decision, Continue) else self._open_meter()
        return self._store(meter_id, ELECTRICITY_METER, printed_id, None, arrival.received_at)

    def _open_meter(self) -> int:
        """Open the next account."""
        meter_id = next_meter_id(self.connection)
        self.connection.execute(
            "INSERT INTO meter (id, name, zone) VALUES (?, ?, ?)", (meter_id, f"Meter {meter_id}", self.zone)
        )
        self._meters[meter_id] = None
        self._by_meter[meter_id] = []
        return meter_id

    def _store(
        self, meter_id: int, device_type: int, printed_id: str | None, channel: int | None, received_at: int
    ) -> Equipment:
        """Store new equipment."""
        (row_id,) = self.connection.execute(
            "INSERT INTO equipment (meter_id, device_type, printed_id, channel, first_seen_at, last_seen_at)"
            " VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            (meter_id, device_type, printed_id, channel, received_at, received_at),
        ).fetchone()
        equipment = Equipment(row_id, meter_id, device_type, printed_id, channel, received_at, received_at)
        self._remember(equipment)
        return equipment

    def _remember(self, equipment: Equipment) -> None:
        self._by_meter[equipment.meter_id].append(equipment)
        if equipment.device_type == ELECTRICITY_METER and equipment.printed_id is not None:
            # The first one stays, where a tied origin has brought the same id to another meter.
            self._by_id.setdefault(equipment.printed_id, equipment)

    def _hear(self, equipment: Equipment, received_at: int) -> None:
        """Note an arrival; the stored time follows once a minute."""
        if received_at <= equipment.heard_at:
            return
        equipment.heard_at = received_at
        if received_at - equipment.stored_at >= SEEN_EVERY:
            equipment.stored_at = received_at
            self.connection.execute("UPDATE equipment SET last_seen_at = ? WHERE id = ?", (received_at, equipment.id))


def next_meter_id(connection: Connection) -> int:
    """The id of the next account; that of one which was joined to another is not given again."""
    last_ids = connection.execute(
        "SELECT coalesce((SELECT max(id) FROM meter), 0), coalesce((SELECT max(other_meter_id) FROM ledger_edit), 0)"
    ).fetchone()
    return int(max(last_ids)) + 1
