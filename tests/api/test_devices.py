"""M-Bus devices over HTTP, and what each of them gave."""

from __future__ import annotations

from typing import Any

from dsmr_tw.domain.reading import HOUR
from dsmr_tw.store.threads import result_of
from tests.arrivals import (
    GAS_METER,
    NOON,
    OTHER_GAS_METER,
    OTHER_METER,
    SECOND_CABLE,
    devices_only,
    gas,
    heard,
    posted,
    posted_gas,
    water,
)
from tests.serving import ServedCase

DEVICES = "/api/v2/devices"


class DevicesCase(ServedCase):
    """A test of a house with a water meter, and a gas meter that is swapped in the afternoon."""

    def setUp(self) -> None:
        """A day of the house."""
        super().setUp()
        arrivals = [heard(NOON, gas(NOON, 1_000), water(NOON, 77))]
        arrivals += [heard(NOON + n * HOUR, gas(NOON + n * HOUR, 1_000 + n * n)) for n in (1, 2, 3)]
        arrivals += [heard(NOON + n * HOUR, gas(NOON + n * HOUR, n, OTHER_GAS_METER, 3)) for n in (4, 5)]
        result_of(self.served.store.readings.add([arrivals], NOON + 5 * HOUR))

    def page(self, url: str = DEVICES) -> Any:
        """A page of a list."""
        answer = self.served.get(url)
        self.assertEqual(answer.status, 200, answer)
        return answer.json

    def readings_of(self, printed_id: str) -> str:
        """Where the values of a device are."""
        found = {row["equipment_id"]: row["id"] for row in self.page()["results"]}
        return f"{DEVICES}/{found[printed_id]}/readings"

    def delivered(self, url: str) -> list[str]:
        """The positions of a page."""
        return [row["delivered"] for row in self.page(url)["results"]]


class DeviceTests(DevicesCase):
    """Lists of devices."""

    def test_a_device(self) -> None:
        """A device has its kind in words, its channel, what it prints, and when it was first and last heard."""
        page = self.page()
        self.assertEqual((page["count"], page["next"], page["previous"]), (3, None, None))
        [first, second, third] = page["results"]
        self.assertEqual(
            list({**first, "id": 0, "last_seen_at": ""}.items()),
            [
                ("id", 0),
                ("type", "gas"),
                ("unit", "m3"),
                ("channel", 1),
                ("equipment_id", GAS_METER),
                ("first_seen_at", "2024-04-02T10:00:00Z"),
                ("last_seen_at", ""),
            ],
        )
        self.assertEqual(first["last_seen_at"], "2024-04-02T13:00:00Z")
        self.assertEqual((second["type"], second["channel"]), ("water", 2))
        self.assertEqual((third["equipment_id"], third["first_seen_at"]), (OTHER_GAS_METER, "2024-04-02T14:00:00Z"))

    def test_pages(self) -> None:
        """Pages and order are those of every list."""
        ids = [row["id"] for row in self.page()["results"]]
        self.assertEqual(ids, sorted(ids))
        page = self.page(f"{DEVICES}?limit=2&ordering=-id")
        self.assertEqual([row["id"] for row in page["results"]], ids[:0:-1])
        self.assertEqual(page["next"], f"http://meter.example:8080{DEVICES}?limit=2&offset=2&ordering=-id")
        self.assertEqual(self.page(f"{DEVICES}?offset={'9' * 30}")["results"], [])

    def test_without_an_id(self) -> None:
        """A device that prints none, or came by a POST, is listed without; one of a kind unknown here has no words."""
        served = self.serve()
        result_of(served.store.readings.add([[posted(NOON, posted_gas(NOON, 5))]], NOON))
        self.served = served
        [row] = self.page()["results"]
        self.assertEqual((row["type"], row["channel"], row["equipment_id"]), ("gas", None, None))
        served.do("UPDATE equipment SET device_type = 99")
        [row] = self.page()["results"]
        self.assertEqual((row["type"], row["unit"]), (None, None))

    def test_a_house_without_devices(self) -> None:
        """The electricity meter itself is none."""
        self.served = self.serve()
        result_of(self.served.store.readings.add([[heard(NOON)]], NOON))
        self.assertEqual(self.page()["count"], 0)


class ReadingTests(DevicesCase):
    """What one device gave."""

    def test_values(self) -> None:
        """Each value has its own time, the position, and how much more that is than the one before."""
        page = self.page(self.readings_of(GAS_METER))
        self.assertEqual((page["count"], page["next"], page["previous"]), (4, None, None))
        self.assertEqual(list(page["results"][0]), ["id", "read_at", "delivered", "currently_delivered"])
        self.assertEqual(
            [(row["read_at"], row["delivered"], row["currently_delivered"]) for row in page["results"][:2]],
            [("2024-04-02T10:00:00Z", "1.000", "0.000"), ("2024-04-02T11:00:00Z", "1.001", "0.001")],
        )
        self.assertEqual(self.delivered(self.readings_of(OTHER_GAS_METER)), ["0.004", "0.005"])

    def test_lists(self) -> None:
        """Pages, order and filters are those of every list."""
        url = self.readings_of(GAS_METER)
        for query, delivered in (
            ("ordering=-read_at&limit=2", ["1.009", "1.004"]),
            ("offset=3", ["1.009"]),
            ("read_at__gte=2024-04-02T13:00&read_at__lte=2024-04-02T12:00:00Z", ["1.001", "1.004"]),
            ("read_at=2024-04-02T11:00Z&timestamp=x", ["1.001"]),
        ):
            self.assertEqual(self.delivered(f"{url}?{query}"), delivered, query)
        page = self.page(f"{url}?limit=3&ordering=-read_at")
        self.assertEqual(self.delivered(page["next"].removeprefix("http://meter.example:8080")), ["1.000"])
        answer = self.served.get(f"{url}?read_at__gte=x")
        self.assertEqual((answer.status, answer.json), (400, {"read_at__gte": ["Enter a valid date/time."]}))

    def test_what_is_no_device(self) -> None:
        """A number that nothing has, the electricity meter's, and what is no number are not found."""
        [(meter_id,)] = result_of(
            self.served.store.database.read(
                lambda connection: connection.execute("SELECT id FROM equipment WHERE device_type = 0").fetchall()
            )
        )
        for name in (str(meter_id), "99", "0", "gas", "-1", "1%20", "9" * 30):
            answer = self.served.get(f"{DEVICES}/{name}/readings")
            self.assertEqual((answer.status, answer.json), (404, {"detail": "Not found."}), name)
        for path in (f"{DEVICES}/1", f"{DEVICES}/", f"{DEVICES}/1/readings/", f"{DEVICES}x"):
            answer = self.served.get(path)
            self.assertEqual((answer.status, list(answer.json)), (404, ["detail"]), path)

    def test_another_meters_device(self) -> None:
        """A device is found with its own meter only: the one that is asked about, or the key's."""
        other = devices_only(NOON, gas(NOON, 9), origin=SECOND_CABLE, equipment_id=OTHER_METER)
        result_of(self.served.store.readings.add([[other]], NOON))
        [row] = self.page(f"{DEVICES}?meter=2")["results"]
        url = f"{DEVICES}/{row['id']}/readings"
        self.assertEqual(self.served.get(url).status, 404)
        self.assertEqual(self.delivered(f"{url}?meter=2"), ["0.009"])
        self.served.add_key("second-only", "read", 2)
        self.assertEqual(self.served.get(url, key="second-only").json["count"], 1)
        self.assertEqual(self.served.get(self.readings_of(GAS_METER), key="second-only").status, 404)
