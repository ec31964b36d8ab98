"""What a store holds about supplier contracts: no day of a meter ever has two."""

from __future__ import annotations

from datetime import date

from attrs import evolve

from dsmr_tw.domain.contract import Contract
from dsmr_tw.errors import ContractRefused
from tests.arrivals import NOON, OTHER_METER, SECOND_CABLE, heard
from tests.contracts.storecase import FIRST, StoreCase
from tests.prices import contract

YEAR = contract(start=date(2024, 1, 1), end=date(2024, 12, 31), description="a year")
NEXT = contract(start=date(2025, 1, 1), end=None, description="l'année “2025”", returned_1_price=-50_000)
BEFORE = contract(start=date(1969, 7, 20), end=date(2023, 12, 31), description="")


class ContractsContract(StoreCase):
    """Supplier contracts."""

    def add_contract(self, wanted: Contract) -> Contract:
        """Store a contract."""
        stored: Contract = self.ask(self.store.contracts.add, wanted)
        return stored

    def contracts(self, meter_id: int = FIRST) -> list[Contract]:
        """The contracts of a meter."""
        contracts: list[Contract] = self.ask(self.store.contracts.all, meter_id)
        return contracts

    def assert_contract_refused(self, wanted: Contract, reason: str, *, change: bool = False) -> None:
        """The contract is refused with words like these, and everything stays as it was."""
        before = self.contracts()
        contracts = self.store.contracts
        with self.assertRaisesRegex(ContractRefused, reason):
            self.ask(contracts.change if change else contracts.add, wanted)
        self.assertEqual(self.contracts(), before)

    def test_a_new_store_has_no_contracts(self) -> None:
        """Nothing is charged until somebody says what."""
        self.assertEqual(self.contracts(), [])

    def test_contracts_are_listed_by_their_first_day(self) -> None:
        """In whatever order they were entered, and also after a restart; each has an id of its own."""
        stored = [self.add_contract(wanted) for wanted in (NEXT, BEFORE, YEAR)]
        self.assertEqual([evolve(one, id=0) for one in stored], [NEXT, BEFORE, YEAR])
        self.assertEqual(len({one.id for one in stored} | {0}), 4)
        self.reopen()
        self.assertEqual(self.contracts(), [stored[1], stored[2], stored[0]])

    def test_the_calendar_has_no_end_here(self) -> None:
        """The first and the last day of the calendar can be stored, and prices as high as they can be written."""
        stored = self.add_contract(contract(start=date.min, end=date.max, gas_price=99_999_999_999))
        self.assertEqual(self.contracts(), [stored])

    def test_two_contracts_never_share_a_day(self) -> None:
        """The refusal names the other contract, and nothing is stored."""
        year = self.add_contract(YEAR)
        reason = f"Contract {year.id} .a year. holds from 2024-01-01 to 2024-12-31"
        for start, end in ((date(2024, 12, 31), None), (date(2023, 1, 1), date(2024, 1, 1)), (YEAR.start, YEAR.end)):
            self.assert_contract_refused(contract(start=start, end=end), reason)
        self.add_contract(NEXT)
        self.add_contract(BEFORE)

    def test_the_id_of_a_new_contract_says_nothing(self) -> None:
        """A contract that is added does not take the place of another, even if it has its id."""
        year = self.add_contract(YEAR)
        self.assert_contract_refused(year, "holds from 2024-01-01")
        self.assertNotEqual(self.add_contract(evolve(NEXT, id=year.id)).id, year.id)

    def test_a_contract_that_ends_before_it_begins(self) -> None:
        """It is refused when it is entered and when it is changed."""
        backwards = evolve(YEAR, end=date(2023, 12, 31))
        self.assert_contract_refused(backwards, "can't end on 2023-12-31")
        year = self.add_contract(YEAR)
        self.assert_contract_refused(evolve(backwards, id=year.id), "can't end on 2023-12-31", change=True)

    def test_a_contract_is_changed(self) -> None:
        """All of it may change, also its days as long as no other contract has them."""
        year, following = self.add_contract(YEAR), self.add_contract(NEXT)
        changed = contract(
            id=year.id,
            start=date(2023, 6, 1),
            end=date(2024, 6, 30),
            description="half a year earlier",
            delivered_1_price=1,
            delivered_2_price=2,
            returned_1_price=3,
            returned_2_price=4,
            gas_price=5,
            fixed_daily_cost=6,
        )
        self.assertEqual(self.ask(self.store.contracts.change, changed), changed)
        self.assertEqual(self.contracts(), [changed, following])
        self.assert_contract_refused(evolve(changed, end=None), f"Contract {following.id} ", change=True)

    def test_a_contract_that_is_not_there_cannot_be_changed(self) -> None:
        """Nor can that of another meter: a contract stays with its meter."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        year = self.add_contract(YEAR)
        self.assert_contract_refused(evolve(year, id=year.id + 1), "has no contract", change=True)
        self.assert_contract_refused(evolve(year, meter_id=FIRST + 1), "has no contract", change=True)

    def test_a_contract_is_removed(self) -> None:
        """Its days are free again; who removes it twice is told."""
        year = self.add_contract(YEAR)
        self.assertTrue(self.ask(self.store.contracts.remove, year.id))
        self.assertFalse(self.ask(self.store.contracts.remove, year.id))
        self.assertEqual(self.contracts(), [])
        self.add_contract(YEAR)

    def test_each_meter_has_its_own_contracts(self) -> None:
        """Two houses may have two suppliers on one day."""
        self.add(heard(NOON), heard(NOON, origin=SECOND_CABLE, equipment_id=OTHER_METER))
        first, second = self.add_contract(YEAR), self.add_contract(evolve(YEAR, meter_id=FIRST + 1))
        self.assertEqual((self.contracts(), self.contracts(FIRST + 1)), ([first], [second]))

    def test_a_contract_for_nobody_is_refused(self) -> None:
        """The meter must be there."""
        self.assert_contract_refused(evolve(YEAR, meter_id=99), "There is no meter 99")
