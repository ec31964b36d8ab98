"""Telegrams of many countries' meters on one line, through ``twistd dsmr`` to the API, without a setting."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.golden_telegrams import telegram
from tests.live import test_first_light as first_light
from tests.live.running import Client, RunningServer

HEARD = (
    ("dsmr-2-2-3-0-04", "DSMR 2.2 or 3.0", "12345.678", "12345.678", "1.001"),
    ("be-emucs-50217-00", "eMUCS 50217", "0.034", "15.758", "112.384"),
    ("be-emucs-50215-00", "eMUCS 50215", "1247.747", "2330.879", "996.617"),
    ("lu-smarty-04", "Luxembourg", "17.901", "0.000", None),
    ("se-fi-20", "Sweden or Finland", "119.841", "0.000", None),
    ("hu-eon-mvm-00", "Hungary", "47.719", "125.921", None),
    ("lt-eso-00", "Lithuania", "365.127", "0.000", None),
    ("at-steiermark-00", "Austria", "5017.120", "1528.646", None),
    ("ie-iskra-02", "Ireland", "10.181", "10.182", None),
    ("de-q3d-02", "Germany, Q3D", "62716.185", "0.000", None),
)
"""File, dialect, registers 1 and 2 and gas, as a person reads them there."""


class DialectTests(SynchronousTestCase):
    """One server, meters of ten kinds."""

    def test_one_after_the_other(self) -> None:
        """Each telegram is taken, its dialect is in ``/health``, and its registers and gas are in the API."""
        folder = Path(self.mktemp()).resolve()
        folder.mkdir()
        with first_light.cable(folder / "meter") as meter:
            server = RunningServer(folder / "state", ("--device", str(folder / "meter"))).start()
            self.addCleanup(server.process.kill)
            server.wait_for(re.compile(rb"device .*: connected"))
            client = server.client()
            for number, (name, dialect, *_) in enumerate(HEARD, 1):
                os.write(meter, telegram(name))
                source = first_light.FirstLightTests.all_stored(client, number)
                self.assertEqual(
                    (source["dialect"], source["telegrams"], source["unknown_lines"]), (dialect, number, 0)
                )
            found = self.shown(client)
            for name, _, *values in HEARD:
                self.assertEqual(found.count(values), 1, f"{name}: {values} is not there once in {found}")
            client.connection.close()
            self.assertTrue(server.stop(), bytes(server.log))

    def shown(self, client: Client) -> list[list[Any]]:
        """The registers and the gas of all readings of all meters."""
        fields = ("electricity_delivered_1", "electricity_delivered_2", "extra_device_delivered")
        meters = [meter["id"] for meter in client.get("/api/v2/meters")]
        return [
            [each[field] for field in fields] for id in meters for each in client.pages(first_light.READINGS, meter=id)
        ]
