"""What every store must hold, gathered: the mixin that the test case of each store inherits, unchanged."""

from __future__ import annotations

from zope.interface.verify import verifyObject

from dsmr_tw.domain.reading import SECOND
from dsmr_tw.interfaces import IContracts, IFacts, IKeys, IMeters, IReadings, IStatistics, IStore, ITemperatures
from tests.arrivals import NOON, heard
from tests.contracts.accounts import DevicesContract, MetersOfArrivalsContract
from tests.contracts.contracts import ContractsContract
from tests.contracts.devices import DeviceValuesContract
from tests.contracts.edits import EditsContract
from tests.contracts.facts import FactsContract
from tests.contracts.ledger import LedgerContract
from tests.contracts.meters import KeysContract, MetersContract, NamesContract
from tests.contracts.minutes import MinutesContract
from tests.contracts.moves import MovesContract
from tests.contracts.newest import NewestContract
from tests.contracts.readings import ReadingsContract
from tests.contracts.temperatures import TemperaturesContract


class StoreContract(
    ReadingsContract,
    MetersOfArrivalsContract,
    DevicesContract,
    NewestContract,
    MinutesContract,
    DeviceValuesContract,
    MetersContract,
    NamesContract,
    KeysContract,
    ContractsContract,
    EditsContract,
    MovesContract,
    LedgerContract,
    TemperaturesContract,
    FactsContract,
):
    """Everything that a store promises. A test case gives it ``make_store`` and ``ask``."""

    def test_it_is_what_the_ports_ask_for(self) -> None:
        """Every method of the ports is there, with the arguments that the ports name."""
        verifyObject(IStore, self.store)
        verifyObject(IReadings, self.store.readings)
        verifyObject(IMeters, self.store.meters)
        verifyObject(IKeys, self.store.keys)
        verifyObject(IContracts, self.store.contracts)
        verifyObject(ITemperatures, self.store.temperatures)
        verifyObject(IStatistics, self.store.statistics)
        verifyObject(IFacts, self.store.facts)

    def test_it_can_be_opened_again(self) -> None:
        """Closing is no end: the same store may be opened once more, and reads and writes as before."""
        self.add(heard(NOON))
        before = self.page()
        self.ask(self.store.close)
        self.ask(self.store.open)
        self.assertEqual(self.page(), before)
        self.assertTrue(self.add(heard(NOON + SECOND))[0].created)
