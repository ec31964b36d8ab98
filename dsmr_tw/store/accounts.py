"""Responsible for knowing the meters and their equipment while a batch is written.

``Accounts`` is what was last read of the small tables ``meter``, ``equipment`` and ``origin``, kept in memory because
every arrival asks for it; changes go to the connection at once, inside a transaction.
After a rollback, or when another program changed them, they are read again.

Where there are many meters only those are read that somebody has just asked for: ``learn`` reads what arrivals need,
``recall`` says whose an arrival is without any database, or that it can't say.

Tests: ``tests/contracts/accounts.py``, ``tests/store/test_accounts.py``
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from attrs import define, field, frozen

from dsmr_tw.domain.accounts import Continue, account
from dsmr_tw.domain.reading import GAS, SECOND, Arrival, DeviceReading, Origin
from dsmr_tw.errors import StoreError
from dsmr_tw.store.connection import Connection

ELECTRICITY_METER = 0
"""The device type under which the meter itself stands in ``equipment``."""

SEEN_EVERY = 60 * SECOND
"""``equipment.last_seen_at`` is written at most this often: it decides over ten minutes."""


@frozen
class Recalled:
    """Whose an arrival is."""

    meter_id: int
    equipment_id: int | None
    """The electricity meter that printed it, if it said which."""
    device_ids: tuple[int, ...]
    """The M-Bus devices that gave its values, in their order."""


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
    seen_every: int = SEEN_EVERY
    _first: int | None = None
    """The first meter."""
    _meters: dict[int, int | None] = field(factory=dict)
    """When each was first heard."""
    _by_id: dict[str, Equipment] = field(factory=dict)
    _by_meter: dict[int, list[Equipment]] = field(factory=dict)
    _origins: dict[str, int] = field(factory=dict)
    _joined: dict[int, int] = field(factory=dict)
    """Accounts that were joined to another one."""
    _asked_origins: set[str] = field(factory=set)
    _asked_ids: set[str | None] = field(factory=lambda: {None})
    """The origins and printed ids that were looked for, whether there are any or not."""
    _heard: dict[int, int] = field(factory=dict)
    """When equipment was heard, where that is to be stored."""

    def load(self) -> None:
        """Read everything anew; opens the first meter of an empty database."""
        self._read("TRUE", "TRUE", ())
        if self._first is None:
            self._first = self._open_meter()

    def learn(self, arrivals: Sequence[Arrival]) -> None:
        """Read what is needed to say whose these arrivals are."""
        execute = self.connection.execute
        origins = {arrival.origin for arrival in arrivals}
        names = {origin.name for origin in origins}
        ids = {arrival.equipment_id for arrival in arrivals if arrival.equipment_id is not None}
        wanted = {origin.meter_id for origin in origins if origin.meter_id is not None}
        wanted |= set(joined(self.connection).values()) if wanted else set()
        wanted |= {of for (of,) in execute("SELECT min(id) FROM meter") if of is not None}
        wanted |= {of for (of,) in execute(f"SELECT meter_id FROM origin WHERE name IN {_places(names)}", [*names])}
        if ids:
            by_id = f"SELECT meter_id FROM equipment WHERE printed_id IN {_places(ids)} AND device_type = 0"
            wanted |= {of for (of,) in execute(by_id, [*ids])}
        listed = ", ".join(map(str, wanted)) or "NULL"
        self._read(f"id IN ({listed})", f"name IN {_places(names)}", [*names], f"meter_id IN ({listed})")
        self._asked_origins |= names
        self._asked_ids |= ids

    def merge(self, learned: Accounts) -> None:
        """Take over what another one has learned of the same state of the database."""
        self._first = learned._first
        self._heard |= learned._heard
        self._origins |= learned._origins
        self._joined = learned._joined
        self._asked_origins |= learned._asked_origins
        self._asked_ids |= learned._asked_ids
        for meter_id, first_seen_at in learned._meters.items():
            known = {equipment.id: equipment for equipment in self._by_meter.get(meter_id, ())}
            self._meters[meter_id], self._by_meter[meter_id] = first_seen_at, []
            for equipment in learned._by_meter[meter_id]:
                self._remember(known.get(equipment.id, equipment))

    def hear_of(self, other: Accounts) -> None:
        """Take over what another one, read earlier, has heard since."""
        for meter_id, equipment in self._by_meter.items():
            heard_at = {one.id: one.heard_at for one in other._by_meter.get(meter_id, ())}
            for one in equipment:
                one.heard_at = max(one.heard_at, heard_at.get(one.id, 0))

    def recall(self, arrival: Arrival) -> Recalled | None:
        """Whose an arrival is; ``None`` when that is not known, or something has to be stored for it."""
        origin, printed_id = arrival.origin, arrival.equipment_id
        if origin.name not in self._asked_origins or printed_id not in self._asked_ids:
            return None
        own = origin.meter_id if origin.meter_id is not None else self._origins.get(origin.name, self._first)
        meter_id = None if own is None else self._still(own)
        equipment = None
        if printed_id is not None:
            equipment = self._printed(origin, printed_id) if meter_id in self._meters else None
            if equipment is None or origin.name not in self._origins:
                return None
            meter_id = equipment.meter_id
        if meter_id is None or self._meters.get(meter_id) is None:
            return None
        devices = [self._find_device(meter_id, reading) for reading in arrival.devices]
        if not all(devices):
            return None
        for heard in (equipment, *devices):
            if heard is not None:
                self._hear(heard, arrival.received_at)
        return Recalled(
            meter_id, None if equipment is None else equipment.id, tuple(device.id for device in devices if device)
        )

    def take_heard(self) -> dict[int, int]:
        """When equipment was last heard, where it is time to store that."""
        heard, self._heard = self._heard, {}
        return heard

    def _read(self, of_meter: str, of_origin: str, names: Sequence[str], of_equipment: str = "TRUE") -> None:
        execute = self.connection.execute
        self._meters = dict(execute(f"SELECT id, first_seen_at FROM meter WHERE {of_meter} ORDER BY id").fetchall())
        self._first = min(self._meters, default=None)
        self._joined = joined(self.connection)
        self._origins = dict(execute(f"SELECT name, meter_id FROM origin WHERE {of_origin}", names).fetchall())
        self._by_id, self._by_meter = {}, {meter_id: [] for meter_id in self._meters}
        columns = "id, meter_id, device_type, printed_id, channel, last_seen_at, last_seen_at"
        for row in execute(f"SELECT {columns} FROM equipment WHERE {of_equipment} ORDER BY id"):
            self._remember(Equipment(*row))

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
            tied_to = self._still(origin.meter_id)
            if tied_to not in self._meters:
                raise StoreError(f"{origin.name} is for meter {origin.meter_id}, which is not there")
            return tied_to
        own = self._origins.get(origin.name, self._first)
        assert own is not None
        return own

    def _still(self, meter_id: int) -> int:
        """The account that this one has become part of, if it was joined to another."""
        while meter_id not in self._meters and meter_id in self._joined:
            meter_id = self._joined[meter_id]
        return meter_id

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
        found = self._printed(arrival.origin, printed_id)
        if found is not None:
            return found
        if arrival.origin.meter_id is None:
            return self._new_meter(arrival, printed_id)
        return self._store(self.own_meter(arrival.origin), ELECTRICITY_METER, printed_id, None, arrival.received_at)

    def _printed(self, origin: Origin, printed_id: str) -> Equipment | None:
        """The electricity meter with this id, as far as an origin can mean it."""
        if origin.meter_id is None:
            return self._by_id.get(printed_id)
        of_meter = (e for e in self._by_meter[self.own_meter(origin)] if e.device_type == ELECTRICITY_METER)
        return next((e for e in of_meter if e.printed_id == printed_id), None)

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
            # The first one counts, where a tied origin has brought the same id to another meter.
            known = self._by_id.get(equipment.printed_id)
            if known is None or known.id >= equipment.id:
                self._by_id[equipment.printed_id] = equipment

    def _hear(self, equipment: Equipment, received_at: int) -> None:
        """Note an arrival; the stored time follows now and then."""
        if received_at <= equipment.heard_at:
            return
        equipment.heard_at = received_at
        if received_at - equipment.stored_at >= self.seen_every:
            equipment.stored_at = received_at
            self._heard[equipment.id] = received_at


def own_meter_of(connection: Connection, origin: Origin) -> int:
    """The meter of an origin, as ``Accounts.own_meter``, asked of the database."""
    if origin.meter_id is not None:
        tied_to, others = origin.meter_id, joined(connection)
        while (row := connection.execute("SELECT id FROM meter WHERE id = ?", (tied_to,)).fetchone()) is None:
            if tied_to in others:
                tied_to = others[tied_to]
                continue
            raise StoreError(f"{origin.name} is for meter {origin.meter_id}, which is not there")
    else:
        row = connection.execute("SELECT meter_id FROM origin WHERE name = ?", (origin.name,)).fetchone()
        row = row or connection.execute("SELECT min(id) FROM meter").fetchone()
    return int(row[0])


def joined(connection: Connection) -> dict[int, int]:
    """The accounts that were joined to another one, with that one; ids are not given again."""
    rows = connection.execute("SELECT other_meter_id, meter_id FROM ledger_edit WHERE kind = 'join meters' ORDER BY id")
    return dict(rows.fetchall())


def _places(values: Collection[object]) -> str:
    """A list of parameters."""
    return f"({', '.join('?' * len(values))})"


def next_meter_id(connection: Connection) -> int:
    """The id of the next account; that of one which was joined to another is not given again."""
    last_ids = connection.execute(
        "SELECT coalesce((SELECT max(id) FROM meter), 0), coalesce((SELECT max(other_meter_id) FROM ledger_edit), 0)"
    ).fetchone()
    return int(max(last_ids)) + 1
