"""Tests of dsmr_tw.domain.accounts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.accounts import STILL_HEARD, Continue, Open, account, heard_together

NOON = 1_712_052_000_000_000


class AccountTests(SynchronousTestCase):
    """Which meter an arrival belongs to."""

    def test_a_telegram_without_an_id_stays_with_its_cable(self) -> None:
        """A masked or missing id says nothing, so the cable's or key's meter is taken."""
        decision = account(
            equipment_id=None, known_meter_id=None, own_meter_id=2, other_heard_at=NOON, received_at=NOON
        )
        self.assertEqual(decision, Continue(2))

    def test_a_known_id_goes_to_its_meter_whatever_the_cable(self) -> None:
        """Two cables that carry the same meter fill one account."""
        decision = account(equipment_id="A", known_meter_id=1, own_meter_id=2, other_heard_at=NOON, received_at=NOON)
        self.assertEqual(decision, Continue(1))

    def test_the_first_id_of_all_takes_the_account_that_is_there(self) -> None:
        """A new installation has one meter, and the first telegram is its."""
        decision = account(equipment_id="A", known_meter_id=None, own_meter_id=1, other_heard_at=None, received_at=NOON)
        self.assertEqual(decision, Continue(1))

    def test_a_new_id_beside_a_living_meter_is_a_second_meter(self) -> None:
        """Two houses that post with one key get an account each."""
        decision = account(
            equipment_id="B",
            known_meter_id=None,
            own_meter_id=1,
            other_heard_at=NOON - STILL_HEARD,
            received_at=NOON,
        )
        self.assertEqual(decision, Open())

    def test_a_new_id_after_a_silence_is_a_swap(self) -> None:
        """A replaced meter continues the account of the old one."""
        decision = account(
            equipment_id="B",
            known_meter_id=None,
            own_meter_id=1,
            other_heard_at=NOON - STILL_HEARD - 1,
            received_at=NOON,
        )
        self.assertEqual(decision, Continue(1))

    def test_an_arrival_from_before_counts_as_living(self) -> None:
        """Delivered late, a telegram of a second meter finds the first heard after it: both are alive."""
        decision = account(
            equipment_id="B", known_meter_id=None, own_meter_id=1, other_heard_at=NOON + 1, received_at=NOON
        )
        self.assertEqual(decision, Open())


class HeardTogetherTests(SynchronousTestCase):
    """Whether two meters are likely to be two connections."""

    def test_one_after_the_other(self) -> None:
        """Whatever the gap is: a meter that began when the other one ended may have replaced it."""
        for since in (NOON, NOON + 1):
            self.assertFalse(heard_together([(NOON - 9, NOON)], [(since, NOON + 9)]))
            self.assertFalse(heard_together([(since, NOON + 9)], [(NOON - 9, NOON)]))

    def test_in_the_same_time(self) -> None:
        """Any two pieces of equipment suffice."""
        self.assertTrue(heard_together([(0, 1), (NOON - 9, NOON)], [(NOON - 1, NOON + 9), (NOON + 20, NOON + 30)]))

    def test_without_equipment(self) -> None:
        """What is posted without an id says nothing."""
        self.assertFalse(heard_together([], [(NOON, NOON + 9)]))
