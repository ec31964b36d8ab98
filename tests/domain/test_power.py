"""Tests of dsmr_tw.domain.power: two powers in one value, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.power import BASE, BOTH, apart, net_power, together

POWERS = st.integers(-BASE, BASE - 1)


class PowerTests(SynchronousTestCase):
    """Power delivered and returned."""

    def test_what_flows_in_one_direction_is_a_signed_number(self) -> None:
        """Delivered is positive, returned negative."""
        self.assertEqual([together(300, 0), together(0, 300), together(0, 0)], [300, -300, 0])

    @given(POWERS, POWERS)
    def test_both_come_back(self, delivered: int, returned: int) -> None:
        """Whatever they are, in a number that a database of 64 bits can hold."""
        number = together(delivered, returned)
        self.assertLess(number, 1 << 63)
        self.assertEqual((apart(number), net_power(number)), ((delivered, returned), delivered - returned))

    def test_a_text_says_both_too(self) -> None:
        """As rows have it that were written by an earlier release."""
        self.assertEqual([apart("300,80"), apart("-300,-80")], [(300, 80), (-300, -80)])
        self.assertEqual([net_power(power) for power in (300, -300, "300,80", "-300,-80")], [300, -300, 220, -220])

    def test_what_no_connection_carries_is_refused(self) -> None:
        """Rather than stored as something else."""
        for delivered, returned in ((BASE, 1), (1, BASE), (-BASE - 1, 0), (-1, -BASE - 1)):
            with self.assertRaises(ValueError):
                together(delivered, returned)
        self.assertLess(together(BASE, 0), BOTH)
