"""Tests of the demo house: dsmr_tw.domain.house, house_plan, house_hours and house_days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.domain.house import House, Moment
from dsmr_tw.domain.house_days import BIRTH, PHASE_W, charging_of
from dsmr_tw.domain.house_plan import fit, plan_of, totals_of
from dsmr_tw.domain.localtime import MeterZone, instant_of, meter_zone
from dsmr_tw.domain.reading import SECOND

AMSTERDAM = meter_zone("Europe/Amsterdam")
STEP = 10 * SECOND

WEDNESDAY = date(2026, 5, 6)
SATURDAY = date(2026, 6, 20)
SHORT_DAY = date(2026, 3, 29)
LONG_DAY = date(2026, 10, 25)

LIFETIME = st.integers(
    instant_of(datetime(2014, 12, 1, tzinfo=UTC)) // SECOND, instant_of(datetime(2035, 1, 1, tzinfo=UTC)) // SECOND
).map(lambda second: second * SECOND)


CAR_EVENING = next(
    day
    for day in map(date.fromordinal, range(WEDNESDAY.toordinal(), WEDNESDAY.toordinal() + 100))
    if charging_of(1, day.toordinal()).phases == 3
)
"""An evening on which the car takes 11 kW, at ten to twelve at the latest."""


def at_wall(day: date, clock: str, zone: MeterZone = AMSTERDAM) -> int:
    """The instant at which the clock on the wall shows this."""
    return zone.from_local(datetime.fromisoformat(f"{day}T{clock}"))


def at(house: House, day: date, clock: str) -> Moment:
    """What the meter shows when the clock on the wall shows this."""
    return house.at(at_wall(day, clock, house.zone))


def positions(moment: Moment) -> tuple[int, int, int, int, int]:
    """All five positions of a moment."""
    return moment.delivered_1, moment.delivered_2, moment.returned_1, moment.returned_2, moment.gas


def register(moment: Moment) -> int:
    """Which of the first four positions is counting."""
    return (0 if moment.power > 0 else 2) + moment.tariff - 1


class PositionTests(SynchronousTestCase):
    """What the registers show, whenever they are asked."""

    house = House(1, AMSTERDAM)

    @settings(max_examples=20, deadline=None)
    @given(LIFETIME, st.integers(0, 10**9) | st.integers(0, 100_000))
    def test_nothing_ever_falls(self, instant: int, seconds: int) -> None:
        """No position is lower at any later instant, whether a second has passed or thirty years."""
        earlier, later = self.house.at(instant), self.house.at(instant + seconds * SECOND)
        for before, after in zip(positions(earlier), positions(later), strict=True):
            self.assertLessEqual(before, after)

    @settings(max_examples=5, deadline=None)
    @given(LIFETIME)
    def test_a_restart_changes_nothing(self, instant: int) -> None:
        """A house that has just been built shows what one shows that has been asked all along."""
        self.assertEqual(House(1, AMSTERDAM).at(instant), self.house.at(instant))

    def test_every_register_rises_by_its_power_times_time(self) -> None:
        """Each ten seconds' power goes into the register of its tariff and direction, over midnight, too.

        On days of 23, 24 and 25 hours.
        """
        for day, hours in ((WEDNESDAY, 24), (SHORT_DAY, 23), (LONG_DAY, 25)):
            start, end = AMSTERDAM.bounds(day)
            first = self.house.at(start)
            counted = [0, 0, 0, 0]
            for instant in range(start, end + STEP, STEP):
                moment = self.house.at(instant)
                for shown, begun, watt_seconds in zip(positions(moment), positions(first), counted, strict=False):
                    self.assertLessEqual(abs((shown - begun) * 3600 - watt_seconds), 3600, f"{day} {instant}")
                counted[register(moment)] += abs(moment.power) * 10
            self.assertEqual((end - start) // STEP, hours * 360)

    def test_between_two_steps_the_register_rises_by_the_second(self) -> None:
        """A meter that is read every second shows a power that lasts for ten, and a position that goes on rising."""
        daylight = range(at_wall(SATURDAY, "10:00"), at_wall(SATURDAY, "17:00"), 60 * STEP)
        sunniest = min(daylight, key=lambda instant: self.house.at(instant).power)
        for start in (sunniest, at_wall(CAR_EVENING, "23:50")):
            moments = [self.house.at(start + second * SECOND) for second in range(11)]
            power, counting = moments[0].power, register(moments[0])
            self.assertGreater(abs(power), 1000)
            self.assertEqual({moment.power for moment in moments[:10]}, {power})
            for second, moment in enumerate(moments):
                for number, (now, then) in enumerate(zip(positions(moment), positions(moments[0]), strict=True)):
                    risen = abs(power) * second if number == counting else 0
                    self.assertLess(abs((now - then) * 3600 - risen), 3600)

    def test_before_the_meter_was_put_in(self) -> None:
        """Nothing flows before 2015, and the registers begin at 0."""
        for day in (date(1999, 7, 1), date(2014, 12, 31)):
            moment = at(self.house, day, "20:00")
            self.assertEqual((positions(moment), moment.powers), ((0, 0, 0, 0, 0), (0, 0, 0)))
        self.assertEqual(positions(self.house.at(AMSTERDAM.day_start(date.fromordinal(BIRTH)))), (0, 0, 0, 0, 0))

    def test_another_seed_is_another_house(self) -> None:
        """Two seeds lead two lives."""
        other = House(2, AMSTERDAM)
        here, there = at(self.house, WEDNESDAY, "12:00"), at(other, WEDNESDAY, "12:00")
        self.assertNotEqual(positions(here), positions(there))
        self.assertNotEqual(here.powers, there.powers)
        self.assertNotEqual(totals_of(1, WEDNESDAY.toordinal()), totals_of(2, WEDNESDAY.toordinal()))

    def test_any_zone_will_do(self) -> None:
        """The promises hold where the clocks change by half an hour, too, and on the other side of the earth."""
        for zone in (meter_zone("Australia/Lord_Howe"), meter_zone("America/St_Johns")):
            house = House(1, zone)
            for day in (date(2026, 4, 5), date(2026, 10, 4), WEDNESDAY):
                start, end = zone.bounds(day)
                moments = [house.at(instant) for instant in range(start, end + STEP, 6 * STEP)]
                for earlier, later in pairwise(map(positions, moments)):
                    self.assertTrue(all(before <= after for before, after in zip(earlier, later, strict=True)))


class TariffTests(SynchronousTestCase):
    """Which register counts when."""

    house = House(1, AMSTERDAM)

    def tariffs(self, day: date, *clocks: str) -> list[int]:
        """The tariffs at these times."""
        return [at(self.house, day, clock).tariff for clock in clocks]

    def test_working_days(self) -> None:
        """Tariff 2 counts from 7:00 to 23:00, to the second."""
        self.assertEqual(
            self.tariffs(WEDNESDAY, "00:00", "06:59:59", "07:00", "22:59:59", "23:00"),
            [1, 1, 2, 2, 1],
        )

    def test_weekends(self) -> None:
        """Tariff 1 counts all day, also when the day is an hour shorter or longer."""
        for day in (SATURDAY, SHORT_DAY, LONG_DAY):
            self.assertEqual(self.tariffs(day, "06:59:59", "07:00", "12:00", "23:00"), [1, 1, 1, 1])

    def test_clock_change_on_a_working_day(self) -> None:
        """Where the clocks change in the night to a Friday, tariff 2 begins at 7:00 of the changed clock."""
        self.house = House(1, meter_zone("Asia/Jerusalem"))
        self.assertEqual(self.tariffs(date(2026, 3, 27), "06:59:59", "07:00", "22:59:59", "23:00"), [1, 2, 2, 1])


class LifeTests(SynchronousTestCase):
    """Whether charts of it would look like a home."""

    house = House(1, AMSTERDAM)

    def test_a_year(self) -> None:
        """Each year takes some 3700 kWh and 800 m³ from the grid and gives some 2600 kWh back, in every house."""
        for seed in (1, 12345):
            house = House(seed, AMSTERDAM)
            new_years = [positions(at(house, date(year, 1, 1), "00:00")) for year in range(2015, 2027)]
            for before, after in pairwise(new_years):
                amounts = [end - begin for begin, end in zip(before, after, strict=True)]
                self.assertTrue(3_300_000 < amounts[0] + amounts[1] < 4_500_000, amounts)
                self.assertTrue(2_200_000 < amounts[2] + amounts[3] < 3_000_000, amounts)
                self.assertTrue(700_000 < amounts[4] < 1_200_000, amounts)

    def test_seasons(self) -> None:
        """In January the boiler burns, in June the sun shines."""
        amounts = {}
        for month in (1, 6):
            begin, end = (positions(at(self.house, date(2025, m, 1), "00:00")) for m in (month, month + 1))
            amounts[month] = [after - before for before, after in zip(begin, end, strict=True)]
        self.assertGreater(amounts[1][4], 5 * amounts[6][4])
        self.assertGreater(amounts[6][2] + amounts[6][3], 3 * (amounts[1][2] + amounts[1][3]))

    def test_every_hour_of_the_year_is_possible(self) -> None:
        """Fuses hold, voltage stays in its band, currents fit powers, and at night nothing is returned."""
        for number in range(WEDNESDAY.toordinal(), WEDNESDAY.toordinal() + 365, 40):
            start, end = AMSTERDAM.bounds(date.fromordinal(number))
            for instant in range(start, end, 70 * SECOND):
                moment = self.house.at(instant)
                hour = AMSTERDAM.local(instant).hour
                self.assertTrue(-4000 < moment.power < 17_250, moment)
                self.assertTrue(moment.power > 90 or 7 <= hour < 23, moment)
                for watts, millivolts, milliamperes in zip(
                    moment.powers, moment.voltages, moment.currents, strict=True
                ):
                    self.assertTrue(207_000 < millivolts < 253_000, moment)
                    self.assertTrue(watts < 8000 and (watts >= 0 or 7 <= hour < 23), moment)
                    self.assertTrue(abs(abs(watts) * 1000 - millivolts * milliamperes // 1000) < 130_000, moment)

    def test_the_day_of_a_house(self) -> None:
        """In a summer's averages there is a quiet night, a busy evening, and a roof that feeds the street at noon."""
        mean = dict.fromkeys((3, 13, 19), 0.0)
        days = range(date(2025, 4, 1).toordinal(), date(2025, 10, 1).toordinal(), 12)
        for number in days:
            for hour in mean:
                for minute in range(0, 60, 5):
                    moment = at(self.house, date.fromordinal(number), f"{hour:02}:{minute:02}")
                    mean[hour] += moment.power / 12 / len(days)
        self.assertTrue(100 < mean[3] < 700, mean)
        self.assertLess(mean[13], -500)
        self.assertGreater(mean[19], 350)

    def test_the_car(self) -> None:
        """Some evenings from 23:00 on the car takes 16 A from one phase or from all three, until it is full."""
        numbers = range(WEDNESDAY.toordinal(), WEDNESDAY.toordinal() + 60)
        nights = {number: night for number in numbers if (night := charging_of(1, number)).phases}
        self.assertEqual({night.phases for night in nights.values()}, {1, 3})
        self.assertTrue(10 < len(nights) < 30, nights)
        for number, night in list(nights.items())[:6]:
            begin = AMSTERDAM.bounds(date.fromordinal(number))[1] - 360 * STEP + night.wait * STEP
            before, charging = self.house.at(begin - STEP), self.house.at(begin)
            full = begin + night.steps * STEP
            self.assertEqual(charging.tariff, 1)
            for phase in range(night.phases):
                self.assertGreaterEqual(charging.powers[phase] - before.powers[phase], PHASE_W - 2500)
                self.assertGreaterEqual(self.house.at(full - STEP).powers[phase], PHASE_W)
            self.assertLess(self.house.at(full).power, PHASE_W * night.phases)

    def test_gas(self) -> None:
        """The gas meter gives a value every five minutes, of that minute, and it rises only then."""
        start, end = AMSTERDAM.bounds(LONG_DAY)
        moments = [(instant, self.house.at(instant)) for instant in range(start, end, 60 * SECOND)]
        for instant, moment in moments:
            self.assertEqual(moment.gas_at, instant // (300 * SECOND) * 300 * SECOND)
        self.assertEqual(len({(moment.gas_at, moment.gas) for _, moment in moments}), 25 * 12)


class PlanTests(SynchronousTestCase):
    """A day against its budget."""

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 10**6), st.integers(BIRTH, BIRTH + 10_000), st.sampled_from((8280, 8640, 9000)))
    def test_the_hours_add_up_to_the_day(self, seed: int, number: int, steps: int) -> None:
        """Whatever happens at which hour, a day ends at exactly the positions at which the next one begins."""
        plan = plan_of(seed, number, steps, summer_time=True)
        self.assertEqual((*(line[-1] for line in plan.running), plan.gas[-1]), totals_of(seed, number))

    def test_fitting(self) -> None:
        """An amount is divided like its parts, to the last unit; without parts nothing is divided."""
        self.assertEqual(fit([1, 0, 1, 1], 10), [0, 3, 3, 6, 10])
        self.assertEqual(fit([0, 0], 0), [0, 0, 0])
