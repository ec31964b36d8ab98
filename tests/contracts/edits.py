"""What every store must hold of a person's edits of epochs: they count at once, and for ever."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dsmr_tw.domain.edits import Change
from dsmr_tw.domain.ledger import FIRST as FIRST_READING
from dsmr_tw.domain.ledger import LOWER, OTHER_EQUIPMENT, SPLIT, TOO_FAST
from dsmr_tw.domain.spans import SpanKind
from dsmr_tw.errors import EditRefused
from dsmr_tw.stored import Equipment, Findings, LedgerNote
from tests.arrivals import GAS_METER
from tests.contracts.ledger import LedgerContract
from tests.contracts.storecase import FIRST
from tests.walking import gas_values, minute, steady, telegrams

SWAPPED = f"{steady(0, 61, 'A', step=5)} 75=400B {steady(80, 151, 'B', step=5, at_zero=325)}"
"""A meter, and from 13:15 on one that stands 325 Wh higher."""

ELECTRICITY = 0


class EditsContract(LedgerContract):
    """Epochs that are joined and split."""

    def findings(self, limit: int = 100) -> Findings:
        """What the ledger found in the readings of the first meter."""
        findings: Findings = self.ask(self.store.ledger.findings, FIRST, limit)
        return findings

    def join_epoch(self, at: int, equipment_id: int = ELECTRICITY) -> Change:
        """Join the epochs at a minute after noon."""
        change: Change = self.ask(self.store.ledger.join_epoch, FIRST, equipment_id, minute(at), minute(200))
        return change

    def split_epoch(self, at: int, equipment_id: int = ELECTRICITY) -> Change:
        """Split them."""
        change: Change = self.ask(self.store.ledger.split_epoch, FIRST, equipment_id, minute(at), minute(200))
        return change

    def gas_meter(self) -> Equipment:
        """The only M-Bus device of the first meter."""
        equipment: list[Equipment] = self.ask(self.store.meters.equipment, FIRST)
        [gas] = [one for one in equipment if one.device_type]
        return gas

    def assert_edit_refused(self, function: Callable[..., Any], *arguments: object) -> None:
        """It is refused, and neither stored nor marked."""
        before = (self.findings(), self.summary())
        with self.assertRaises(EditRefused):
            function(*arguments)
        self.assertEqual((self.findings(), self.summary()), before)

    def test_what_the_ledger_found_is_told(self) -> None:
        """Epochs and outliers, in order, with their reasons: of all of them, or of the newest ones."""
        self.add(*telegrams("0=100A 5=9A 10=101A 15=99999A 20=102A 31=7B"), *gas_values("0=0 60=90000 120=6"))
        self.settle(150)
        found = self.findings()
        gas = self.gas_meter()
        epochs = [
            LedgerNote(ELECTRICITY, minute(0), FIRST_READING),
            LedgerNote(gas.id, minute(0), FIRST_READING),
            LedgerNote(ELECTRICITY, minute(31), OTHER_EQUIPMENT),
        ]
        outliers = [
            LedgerNote(ELECTRICITY, minute(5), LOWER),
            LedgerNote(ELECTRICITY, minute(15), TOO_FAST),
            LedgerNote(gas.id, minute(60), TOO_FAST),
        ]
        self.assertCountEqual(found.epochs, epochs)
        self.assertEqual((found.epochs[-1], found.epoch_count), (epochs[-1], 3))
        self.assertEqual((found.outliers, found.outlier_count, found.edits), (outliers, 3, []))
        newest = self.findings(1)
        self.assertEqual((newest.epochs, newest.epoch_count), (epochs[-1:], 3))
        self.assertEqual((newest.outliers, newest.outlier_count), (outliers[-1:], 3))

    def test_equipment_is_told(self) -> None:
        """Electricity meters and M-Bus devices, by when they first came, with the account that they fill."""
        self.add(*telegrams("0=0A 20=20B"), *gas_values("30=1"))
        first, second, gas = self.ask(self.store.meters.equipment, FIRST)
        self.assertEqual(gas, Equipment(gas.id, FIRST, 3, GAS_METER, 1, minute(30), minute(30)))
        self.assertEqual((first.device_type, first.channel, first.last_seen_at), (0, None, minute(0)))
        self.assertEqual(second.first_seen_at, minute(20))
        self.assertEqual(self.ask(self.store.meters.equipment, FIRST + 1), [])

    def test_a_joined_epoch_counts(self) -> None:
        """What the registers rose by from one meter to the other is counted, as soon as it is computed again."""
        self.add(*telegrams(SWAPPED))
        self.settle(200)
        self.assertEqual(self.went_through(SpanKind.HOUR), [60, 45])
        self.assertEqual(self.join_epoch(75), Change(minute(75), kept=(minute(75),)))
        self.assertEqual(self.dirty(200), [FIRST])
        self.settle(200)
        self.assertEqual(self.went_through(SpanKind.HOUR), [60, 385])
        self.assertEqual(self.findings().epoch_count, 1)
        self.assertEqual(self.findings().edits, [LedgerNote(ELECTRICITY, minute(75), "join epochs")])

    def test_a_split_epoch_counts(self) -> None:
        """Nothing is counted from the reading before to the first one at or after the instant."""
        self.add(*telegrams(SWAPPED))
        self.settle(200)
        self.assertEqual(self.split_epoch(31), Change(minute(35), kept=(minute(31),)))
        self.settle(200)
        self.assertEqual(self.went_through(SpanKind.HOUR), [55, 45])
        self.assertEqual(self.findings().epochs[1], LedgerNote(ELECTRICITY, minute(35), SPLIT))
        self.assertEqual(self.findings().edits, [LedgerNote(ELECTRICITY, minute(31), "split epochs")])

    def test_edits_survive_a_rebuild(self) -> None:
        """They are input, not derived: whatever is computed anew follows them, also after a restart."""
        self.add(*telegrams(SWAPPED))
        self.join_epoch(75)
        self.split_epoch(31)
        self.settle(200)
        before = {kind: self.spans(kind) for kind in SpanKind}
        self.assertEqual(self.went_through(SpanKind.HOUR), [55, 385])
        self.reopen()
        self.rebuild(200)
        self.assertEqual({kind: self.spans(kind) for kind in SpanKind}, before)

    def test_an_edit_that_is_undone_was_never_there(self) -> None:
        """A split undoes a join and a join a split, whichever instant before the reading was named."""
        self.add(*telegrams(SWAPPED))
        self.settle(200)
        self.join_epoch(75)
        self.split_epoch(31)
        self.assertEqual(self.split_epoch(62), Change(minute(75), undone=(minute(75),)))
        self.assertEqual(self.join_epoch(35), Change(minute(35), undone=(minute(31),)))
        self.assertEqual(self.findings().edits, [])
        self.settle(200)
        self.assertEqual(self.went_through(SpanKind.HOUR), [60, 45])

    def test_an_edit_that_can_not_be(self) -> None:
        """Where no epoch begins, twice, of a device or a meter that is not there: nothing is changed."""
        self.add(*telegrams(SWAPPED))
        self.settle(200)
        self.assert_edit_refused(self.join_epoch, 70)
        self.assert_edit_refused(self.split_epoch, 75)
        self.assert_edit_refused(self.split_epoch, 30, 99)
        self.assert_edit_refused(self.ask, self.store.ledger.split_epoch, 7, ELECTRICITY, minute(30), minute(200))
        self.split_epoch(30)
        self.settle(200)
        self.assert_edit_refused(self.split_epoch, 30)

    def test_the_epochs_of_a_device(self) -> None:
        """They are its own: those of the electricity stay as they are."""
        self.add(*telegrams(SWAPPED), *gas_values("0=0 60=6 120=18 180=20"))
        gas = self.gas_meter()
        self.settle(200)
        self.split_epoch(90, gas.id)
        self.settle(200)
        self.assertEqual([row.amounts.gas for row in self.spans(SpanKind.HOUR)], [6, 0])
        self.assertEqual(self.went_through(SpanKind.HOUR), [60, 45])
        self.join_epoch(120, gas.id)
        self.settle(200)
        self.assertEqual([row.amounts.gas for row in self.spans(SpanKind.HOUR)], [6, 12])
