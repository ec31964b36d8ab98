"""Tests of dsmr_tw.store.phases."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.power import apart
from dsmr_tw.domain.reading import NO_PHASES, Phases
from dsmr_tw.store.phases import LAYOUTS, TAG, Quantities, as_bytes, pack, pack_power, unpack

ODD = st.none() | st.integers(0, 130).map(lambda value: value * 1000) | st.integers(-(2**40), 2**40)
WATT = st.integers(0, 25_000)
ZERO = st.just(0)
VOLT = st.integers(0, 4_095).map(lambda tenths: tenths * 100)
AMPERE = st.integers(0, 80).map(lambda whole: whole * 1000) | st.integers(0, 8_000).map(lambda cents: cents * 10)


def three(values: st.SearchStrategy[int | None]) -> st.SearchStrategy[Phases]:
    """One quantity, of all phases alike."""
    return st.tuples(values, values, values)


def first(values: st.SearchStrategy[int]) -> st.SearchStrategy[Phases]:
    """One quantity, of L1 alone."""
    return values.map(lambda value: (value, None, None))


ABSENT = st.just(NO_PHASES)
HOUSEHOLD = st.one_of(
    st.tuples(three(WATT), three(ZERO), three(VOLT), three(AMPERE)),
    st.tuples(three(ZERO), three(WATT), three(VOLT), three(AMPERE)),
    st.tuples(three(WATT), three(ZERO), ABSENT, three(AMPERE)),
    st.tuples(three(WATT), ABSENT, ABSENT, ABSENT),
    st.tuples(first(WATT), first(ZERO), first(VOLT), first(AMPERE)),
    st.tuples(first(ZERO), first(WATT), ABSENT, first(AMPERE)),
)


class PhasesTests(SynchronousTestCase):
    """What goes into the column comes out of it."""

    @given(st.tuples(three(ODD), three(ODD), three(ODD), three(ODD)))
    def test_whatever_comes_is_kept(self, quantities: Quantities) -> None:
        """Absent, zero, negative, odd and huge values come back as they were, of each quantity and phase."""
        self.assertEqual(unpack(pack(quantities)), quantities)
        self.assertEqual(unpack(as_bytes(pack(quantities))), quantities)

    @given(HOUSEHOLD)
    def test_what_households_print_is_kept(self, quantities: Quantities) -> None:
        """The values of every usual connection come back as they were."""
        self.assertEqual(unpack(pack(quantities)), quantities)

    def sized(self, size: int, delivered: Phases, returned: Phases, voltages: Phases, currents: Phases) -> None:
        """Assert how many bytes the column takes."""
        quantities = (delivered, returned, voltages, currents)
        packed = pack(quantities)
        self.assertIsInstance(packed, bytes)
        self.assertEqual(len(packed or ""), size)
        self.assertEqual(unpack(packed), quantities)

    def test_a_quiet_house(self) -> None:
        """Three phases of a house that does little, some of them returning, take nine bytes."""
        self.sized(9, (164, 0, 1023), (0, 1024, 0), (232_100, 217_000, 242_500), (1000, 7000, 0))

    def test_a_busy_house(self) -> None:
        """A car, a cooker and the sun at once take eleven bytes."""
        self.sized(11, (8191, 0, 2300), (0, 8192, 0), (205_000, 256_100, 230_000), (31_000, 16_000, 10_000))

    def test_a_large_connection(self) -> None:
        """Three times 500 A, on a phase that is dead, too, take sixteen bytes."""
        self.sized(16, (115_000, 0, 0), (0, 131_072, 0), (0, 409_500, 230_000), (500_000, 511_000, 0))

    def test_hundredths_of_an_ampere(self) -> None:
        """A Belgian meter's currents keep their hundredths."""
        self.sized(16, (44, 0, 5), (0, 0, 0), (232_100, 0, 233_000), (190, 2_350, 40))

    def test_without_voltages(self) -> None:
        """A DSMR 4 meter prints no voltages, and pays for none."""
        self.sized(9, (2_600, 0, 0), (0, 0, 0), NO_PHASES, (11_000, 0, 1_000))

    def test_a_post_of_powers_delivered(self) -> None:
        """A v2 POST names powers delivered and nothing else."""
        self.sized(7, (100_000, 0, 0), NO_PHASES, NO_PHASES, NO_PHASES)

    def test_a_single_phase(self) -> None:
        """A single-phase connection pays for one phase."""
        self.sized(5, (0, None, None), (3_600, None, None), (229_900, None, None), (16_000, None, None))
        self.sized(6, (36, None, None), (0, None, None), (229_900, None, None), (190, None, None))
        self.sized(4, (333, None, None), (0, None, None), NO_PHASES, (1_000, None, None))

    def test_nothing_is_null(self) -> None:
        """A meter that prints no phases costs nothing."""
        self.assertIsNone(pack((NO_PHASES, NO_PHASES, NO_PHASES, NO_PHASES)))

    def test_the_unusual_can_be_read_in_the_database(self) -> None:
        """What fits no layout is written out, so that a person can read it."""
        odd: Quantities = ((164, 17, None), (0, 0, None), (232_100, None, None), (1_000, -5, None))
        self.assertEqual(pack(odd), "164,17,;0,0,;232100,,;1000,-5,")

    def test_the_tag_has_room(self) -> None:
        """Every layout has a place that the first bits can name."""
        self.assertLessEqual(len(LAYOUTS), TAG + 1)

    @given(st.integers(-(2**40), 2**40), st.integers(-(2**40), 2**40))
    def test_power_is_kept(self, delivered: int, returned: int) -> None:
        """Both directions at once, and negative values, come back as they were, too."""
        self.assertEqual(apart(pack_power(delivered, returned)), (delivered, returned))

    def test_power_is_a_number_that_sorts(self) -> None:
        """What a meter prints, one direction at a time, is a plain signed number."""
        self.assertEqual((pack_power(2_600, 0), pack_power(0, 2_600), pack_power(0, 0)), (2_600, -2_600, 0))
