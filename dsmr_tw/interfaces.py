"""Responsible for the ports: what the services may ask of the adapters, and the web of the services.

Methods that return a Deferred say what it fires with.
All of them fail with ``StoreUnavailable`` when the store takes or gives nothing now.
The values that they take and give are in ``dsmr_tw.stored``, where those of ``dsmr_tw.domain`` are not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from dsmr_tw.domain.contract import Contract
from dsmr_tw.domain.edits import Change
from dsmr_tw.domain.forwarded import Answer
from dsmr_tw.domain.reading import Arrival, Origin, Receipt
from dsmr_tw.domain.spans import Total
from dsmr_tw.domain.spooled import Record
from dsmr_tw.domain.temperature import Temperature, TemperatureSummary
from dsmr_tw.stored import (
    ApiKey,
    Backup,
    Bulk,
    DaySum,
    DevicePage,
    Equipment,
    EventPage,
    Findings,
    LedgerSummary,
    Live,
    Meter,
    MinutePage,
    Move,
    PeakPage,
    ReadingFilter,
    ReadingPage,
    SpanFilter,
    SpanPage,
    StoredStatistics,
    StoreSize,
    TemperaturePage,
    Thinned,
)

T = TypeVar("T")


class IReadings(Interface):
    """Readings, in the order (instant, id)."""

    def add(groups: Sequence[Sequence[Arrival]], now: int) -> Deferred[list[list[Receipt]]]:
        """Make all groups durable in one transaction, or none of them.

        With the readings go, in the same transaction: device readings, equipment, the choice of the meter,
        latest telegram, meter statistics, peaks and power failures, counts, and the marks of dirty quarters.
        A reading that is stored already changes nothing and is answered with its id.

        Fires with: a receipt for each arrival, in the same order and grouping, once everything is on disk.
        Raises: ``StoreUnavailable`` when nothing can be stored now; anything else when one of the arrivals is at fault.
        """

    def page(wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[ReadingPage]:
        """``limit`` readings from ``offset`` on; by (instant, id), both descending when ``descending``.

        Its cost does not grow with the number of readings stored.
        """

    def minutes(wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[MinutePage]:
        """``limit`` minutes that hold readings, from ``offset`` on; the filter is over the **ends** of the minutes.

        Its cost does not grow with the number of readings stored.
        """

    def devices(
        wanted: ReadingFilter, device_type: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """``limit`` values of the meter's M-Bus devices of a type, from ``offset`` on; by (instant, id).

        Its cost does not grow with the number of values stored.
        """

    def device(
        wanted: ReadingFilter, equipment_id: int, descending: bool, offset: int, limit: int
    ) -> Deferred[DevicePage]:
        """The same of one M-Bus device of the meter; of a device that it has not, nothing."""

    def total() -> Deferred[int]:
        """How many readings of all meters are stored, counted between two commits."""

    def live(meter_id: int, until: int) -> Deferred[Live | None]:
        """The newest values dated from the year 2000 to ``until``, to begin with after a start."""


class IMeters(Interface):
    """Metering points."""

    def all() -> Deferred[list[Meter]]:
        """All meters, the first one first; there is always one."""

    def directory() -> Deferred[list[Meter]]:
        """The same, with number, name and zone only: that costs next to nothing."""

    def add(name: str, zone: str) -> Deferred[Meter]:
        """Open an account for another meter; whatever is tied to it fills it from then on.

        Fires with: the meter. Fails with ``MeterRefused`` when there is no such zone, or the name can't be.
        """

    def rename(meter_id: int, name: str) -> Deferred[Meter]:
        """Call a meter something else; all that is known of it stays.

        Fires with: the meter. Fails with ``MeterRefused`` when it is not there, or the name can't be.
        """

    def statistics(meter_id: int) -> Deferred[StoredStatistics]:
        """What the meter last said about itself."""

    def change_statistics(meter_id: int, changes: dict[str, object]) -> Deferred[StoredStatistics]:
        """Set the named fields of ``MeterStatistics`` (and ``rejected_telegrams``, ``latest_telegram``, ``at``).

        The six per-phase counts are named ``voltage_sags_l1`` … ``voltage_swells_l3`` in ``changes``.
        Fires with: the statistics after the change.
        """

    def reject(origin: Origin, telegrams: int) -> Deferred[None]:
        """Add to the count of rejected telegrams of the origin's meter."""

    def equipment(meter_id: int) -> Deferred[list[Equipment]]:
        """The equipment of a meter, oldest first."""

    def bulk(meter_id: int, equipment: Collection[int] | None) -> Deferred[Bulk]:
        """How much would move if some equipment was split off the meter (``None``: if all of it was joined to another).

        Reads all of its readings for that. Fails with ``EditRefused`` as ``begin_split`` does.
        """

    def begin_join(meter_id: int, other_id: int) -> Deferred[Move]:
        """From now on whatever would go to the other account goes to the meter's, and so do keys and contracts.

        A contract that would hold on a day of another one stays.
        What is stored already is moved by ``move``, until its ``Move`` is done; then ``end_move`` removes the other
        account.  Broken off anywhere, it can be begun again.
        Fails with ``EditRefused`` when one of them is not there.
        """

    def begin_split(meter_id: int, equipment: Collection[int], now: int) -> Deferred[Move]:
        """From now on some of a meter's equipment fills an account of its own, which is opened.

        Equipment that has been split off from the meter before may be named again: the others follow it.
        What is stored already is moved by ``move``, and ``end_move`` ends it.
        Fails with ``EditRefused`` when one of them is another meter's.
        """

    def move(move: Move) -> Deferred[Move]:
        """Move some more, in one small transaction; counts follow, and quarters are marked.

        Of identical readings, and of a device's values at one instant that are equal, one is kept.
        Fires with: the move as it stands now.
        """

    def end_move(move: Move, now: int) -> Deferred[bool]:
        """End a move that is done: both accounts are marked, to be computed anew, and one that was joined is removed.

        Fires with: ``False`` when something has come that is left to move; then it has to be begun again.
        """


class IKeys(Interface):
    """API keys."""

    def all() -> Deferred[list[ApiKey]]:
        """All keys that are valid now, those added beside the server included."""

    def add(name: str, scope: str, digest: bytes, hint: str, now: int, meter_id: int | None = None) -> Deferred[ApiKey]:
        """Store a key, for one meter or for any.

        Fires with: its record. Fails with ``StoreError`` when the digest is stored already, with ``MeterRefused`` when
        the meter is not there.
        """

    def remove(key_id: int) -> Deferred[bool]:
        """Make a key invalid; fires with whether there was one."""


class IStatistics(Interface):
    """What the ledger adds up to, for whoever asks."""

    def page(wanted: SpanFilter, descending: bool, offset: int, limit: int) -> Deferred[SpanPage]:
        """``limit`` closed spans from ``offset`` on, by their start.

        A month or year is closed, and listed, when all of its days between the first and the last reading are.
        """

    def sums(meter_id: int, stretches: Sequence[tuple[int, int]]) -> Deferred[list[DaySum]]:
        """For each stretch (start in, end out) what its closed days add up to: those that begin in it."""

    def total(meter_id: int, start: int, end: int, now: int) -> Deferred[Total | None]:
        """What went through the registers from ``start`` to ``end``, up to the last accepted reading until ``now``.

        It is up to date, whatever waits to be computed; readings dated after ``now`` do not count.
        Fires with: ``None`` when the time asked about lies wholly before the first or after the last accepted reading.
        """


class IFacts(Interface):
    """What meters date themselves; it comes with readings."""

    def peaks(wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[PeakPage]:
        """``limit`` peaks of months from ``offset`` on, by month; the filter is over ``MonthPeak.month_at``."""

    def events(wanted: ReadingFilter, descending: bool, offset: int, limit: int) -> Deferred[EventPage]:
        """``limit`` power failures from ``offset`` on, by their ends; so is the filter."""


class IContracts(Interface):
    """Supplier contracts. Of one meter no two hold on one day, whoever enters them at the same time."""

    def all(meter_id: int) -> Deferred[list[Contract]]:
        """The contracts of a meter, by their first day."""

    def add(contract: Contract) -> Deferred[Contract]:
        """Store a contract of the meter that it names; its id is chosen here.

        Fires with: the contract as it is stored. Fails with ``ContractRefused`` when it can't be, beside the others.
        """

    def change(contract: Contract) -> Deferred[Contract]:
        """Store a contract in the place of the one of the same meter that has its id.

        Fires with: the contract. Fails with ``ContractRefused`` when there is none, or it can't be, beside the others.
        """

    def remove(contract_id: int) -> Deferred[bool]:
        """Forget a contract; fires with whether there was one."""


class ITemperatures(Interface):
    """Outdoor temperatures. They are of no meter, and there is one for an instant at most."""

    def add(temperatures: Sequence[Temperature]) -> Deferred[int]:
        """Store all of them in one transaction, or none; of two for one instant the later one stays.

        Fires with: how many instants have another value now.
        """

    def page(
        start: int | None, end: int | None, descending: bool, offset: int, limit: int
    ) -> Deferred[TemperaturePage]:
        """``limit`` temperatures from ``offset`` on, by their instants; ``start`` and ``end`` are **included**."""

    def summaries(stretches: Sequence[tuple[int, int]]) -> Deferred[list[TemperatureSummary | None]]:
        """For each stretch (start in, end out) what was measured in it; ``None`` when nothing was."""


class ILedger(Interface):
    """The work on the ledger: marks in, rows out."""

    def configure(max_power_w: int) -> Deferred[None]:
        """How much power a connection can carry; when that is new, everything is marked."""

    def dirty(now: int) -> Deferred[list[int]]:
        """The meters for which marks wait, or rows that ``now`` lets appear."""

    def recompute(meter_id: int, now: int) -> Deferred[bool]:
        """Compute a piece of what is marked for a meter; fires with whether more waits that was marked before.

        Its rows are written in a transaction of a few milliseconds; interrupted anywhere, it is computed again.
        """

    def close(meter_id: int, now: int) -> Deferred[bool]:
        """Let the rows of spans appear that have closed by ``now``; fires with whether some did: more may wait."""

    def rebuild(meter_id: int, start: int, end: int, now: int, told: Callable[[int], None]) -> Deferred[None]:
        """Compute everything from ``start`` to ``end`` anew, in many short transactions; marks are left alone.

        ``told`` is called with how many readings were taken so far, those of M-Bus devices included.
        """

    def summary() -> Deferred[LedgerSummary]:
        """How the ledger stands, over all meters."""

    def findings(meter_id: int, limit: int) -> Deferred[Findings]:
        """Epochs, outliers and edits of a meter; of epochs and outliers the newest ``limit``."""

    def split_epoch(meter_id: int, equipment_id: int, instant: int, now: int) -> Deferred[Change]:
        """Let an epoch begin with the first reading at or after an instant; the quarter of that reading is marked.

        Fires with: what was changed. Fails with ``EditRefused`` when that can't be.
        """

    def join_epoch(meter_id: int, equipment_id: int, at: int, now: int) -> Deferred[Change]:
        """Let no epoch begin with the reading at an instant; its quarter is marked.

        Fires with: what was changed. Fails with ``EditRefused`` when that can't be.
        """


class IRetention(Interface):
    """Old readings that the ledger can do without."""

    def thin(meter_id: int, before: int) -> Deferred[Thinned]:
        """Drop what can go of the next day of a meter, as far as it lies before an instant.

        In transactions of a few milliseconds; counts follow, and the ledger stays as it is.
        """

    def spare(meter_id: int, after: int, before: int) -> Deferred[tuple[int, int] | None]:
        """What could go of the next day with readings after an instant; changes nothing.

        Fires with: the end of that day and the number of readings; ``None`` when there is no such day.
        """

    def size() -> Deferred[StoreSize]:
        """How large the store is."""


class IStore(Interface):
    """Everything that stays, gathered."""

    kind = Attribute("``sqlite`` or ``postgresql``")
    readings = Attribute("an IReadings")
    meters = Attribute("an IMeters")
    keys = Attribute("an IKeys")
    statistics = Attribute("an IStatistics")
    facts = Attribute("an IFacts")
    contracts = Attribute("an IContracts")
    temperatures = Attribute("an ITemperatures")
    ledger = Attribute("an ILedger")
    retention = Attribute("an IRetention")

    def watch(stored: Callable[[Collection[int] | None], object], keys: Callable[[], object]) -> None:
        """Call ``stored`` when other programs have stored readings, ``keys`` when they have changed keys.

        To be asked for before the store is opened; neither may fail. ``stored`` is called with the meters, or with
        ``None``: it may be any. A store that only one server can use calls neither.
        """

    def open() -> Deferred[None]:
        """Open the database, bring its schema up to date, refuse a newer one with ``StoreRefused``."""

    def close() -> Deferred[None]:
        """Finish what is under way and close."""


class ISpool(Interface):
    """Records on disk that wait for the store, in the order in which they came.

    Its methods fail with ``StoreUnavailable`` when the disk does not do what is asked; nothing is changed then.
    """

    records = Attribute("how many records wait")
    held_bytes = Attribute("how many bytes of the disk they take")
    refused = Attribute("how many records were put aside with ``refuse``, ever")
    damaged = Attribute("how many files are there that could not be read to their end")

    def append(records: Sequence[bytes]) -> Deferred[None]:
        """Put records behind all others; fires when they are on disk.

        Fails with ``SpoolFull`` when there is no room for all of them.
        """

    def read(most: int, understood: Callable[[bytes], T]) -> Deferred[list[T]]:
        """The next records, each once; fires with what ``understood``, called in any thread, makes of them.

        Fires with: nothing when all were read.
        """

    def forget(records: int) -> Deferred[None]:
        """The oldest so many of those that were read are stored, or put aside."""

    def refuse(text: str, reason: str) -> Deferred[None]:
        """Keep for a person what the store does not take, as text; fires when it is on disk."""


class IIntake(Interface):
    """Telegrams and readings in; an answer when they are safe."""

    def take(arrivals: Sequence[Arrival]) -> Deferred[None]:
        """Store all of the telegrams or none; while the store is away they are kept for it, in order.

        Fires: once durable, whether in the store or on the way to it.
        Raises: ``IntakeFull`` when too much waits; ``StoreUnavailable`` when they can't be kept either; anything else
        when one of the telegrams is at fault.
        """

    def submit(arrivals: Sequence[Arrival]) -> Deferred[list[Receipt]]:
        """Store all of the arrivals or none, as soon as possible.

        Fires with: a receipt for each, once durable in the store.
        Raises: ``IntakeFull`` at once when too much waits; ``StoreUnavailable`` when the store takes nothing now, or
        telegrams of the same origin wait for it; anything else when one of the arrivals is at fault.
        """

    def reject(origin: Origin, error: Exception) -> Deferred[None]:
        """Count a telegram that could not be taken, for the origin's meter; never fails.

        Fires: when it is counted, or will be with a later one, because the store takes or answers nothing now.
        """


class ISource(Interface):
    """Where telegrams come from."""

    health = Attribute("a SourceHealth: how the source is at this moment")


class ITarget(Interface):
    """Another server that telegrams are sent to."""

    name = Attribute("what logs and ``/health`` call it; there is nothing secret in it")

    def post(records: Sequence[Record]) -> Deferred[Answer]:
        """Send telegrams, all in one request.

        Fires with: what the other server said, which has taken all of them or none.
        Fails with ``SinkError``, in words, when it said nothing in time; then it may have taken them. It can be
        cancelled.
        """


class IReporting(Interface):
    """A part of the service that not every one has, and that tells of itself in ``/health``."""

    heading = Attribute("its name there")

    def figures() -> dict[str, object]:
        """What it tells: JSON values, instants as text in UTC."""

    def problems() -> list[str]:
        """What a person has to look at, a sentence each."""


class IBackups(Interface):
    """The backups of one server. Fails with ``BackupError`` when something is wrong with them, or with making one."""

    def newest(now: int) -> Deferred[Backup | None]:
        """The newest good one."""

    def make(now: int) -> Deferred[Backup]:
        """Make one of what is stored now, check it, and remove the oldest ones."""

    def stop() -> None:
        """Let what is under way end soon, with ``BackupStopped``."""

    def close() -> None:
        """Nothing is under way, and nothing more is asked."""


class ILive(Interface):
    """The newest values, from memory."""

    def latest(meter_id: int) -> Deferred[Live | None]:
        """The newest values of a meter; ``None`` before the first."""


class IHealth(Interface):
    """What the service knows about itself."""

    def report() -> dict[str, object]:
        """The body of ``/health``: at least ``status`` (``ok``, ``degraded`` or ``failing``) and ``problems``."""
