"""Tests of dsmr_tw.cli.parse: what ``dsmr parse`` prints."""

from __future__ import annotations

from click.testing import CliRunner, Result
from fastcrc.crc16 import arc
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.parse import parse
from tests.golden_telegrams import FOLDER, signed, telegram, valid_dutch
from tests.unseen import CLOCK, ENERGY, VERSION, body


def run(data: bytes, *options: str) -> Result:
    """What the command prints and returns for these bytes on its standard input."""
    return CliRunner().invoke(parse, [*options, "-"], input=data)


def words(text: str) -> str:
    """The text with every run of space as one."""
    return " ".join(text.split())


class ParseTests(SynchronousTestCase):
    """The command's output."""

    def assertSays(self, result: Result, *texts: str) -> None:
        """The output holds the texts, whatever the spacing."""
        for text in texts:
            self.assertIn(text, words(result.output))

    def test_file(self) -> None:
        """Each line of a file is shown with its meaning, value, unit and local time; then what would be stored."""
        result = CliRunner().invoke(parse, [str(FOLDER / "dsmr-4-2-00.txt")])
        self.assertEqual(result.exit_code, 0)
        self.assertSays(
            result,
            "/KFM5KAIFA-METER CRC 1659, right",
            "0-0:1.0.0(220605191351S) clock: 2022-06-05T19:13:51+02:00",
            "1-0:1.8.1(019235.879*kWh) delivered, tariff 1: 19235.879 kWh",
            "0-0:96.14.0(0001) tariff now: 1",
            "equipment id: 4530303033383634343431373532393934 = 'E0003864441752994'",
            "3557 s, ended 2021-12-09T19:06:18+01:00; 4676 s, ended 2021-04-16T08:19:47+02:00",
            "2147483647 s, ended time not set",
            "0-0:96.13.0() message for the consumer: empty",
            "0-1:24.1.0(003) device 1, type: 3, gas",
            "device 1, position: 16051.816 m³, 2022-06-05T19:00:00+02:00",
            "Stored would be: meter: 4530303033383634343431373532393934 reading at 2022-06-05T19:13:51+02:00",
            "delivered 19235.879 kWh + 16881.373 kWh returned 0.000 kWh + 0.000 kWh",
            "power 0.590 kW delivered, 0.000 kW returned delivered by phase: 0.004 kW, 0.273 kW, 0.313 kW",
            "gas at 2022-06-05T19:00:00+02:00: 16051.816 m³, device 4730303032323432393734333935303636",
            "power failure of 3557 s that ended 2021-12-09T19:06:18+01:00 power failure of 4676 s",
        )

    def test_all(self) -> None:
        """Several telegrams in one file are shown, one after the other."""
        names = valid_dutch()
        result = run(b"".join(map(telegram, names)))
        self.assertEqual(result.exit_code, 0)
        self.assertEqual(result.output.count("Stored would be:"), len(names))

    def test_odd_ones(self) -> None:
        """What is masked, unknown, unset or missing is called so."""
        self.assertSays(
            run(telegram("metcom-04")),
            "clock: time not set",
            "0-1:24.1.0() ? unknown",
            "device 1, equipment id: masked or empty",
            "device 1, position: 0.000, time not set",
            "reading at its arrival",
        )
        self.assertSays(run(telegram("metcom-00"), "--crc", "off"), "device 1, type: 0, not known", "0.281 A")
        self.assertSays(run(telegram("dsmr-5-0-32")), "meter: without an id gas at", "device without an id")
        self.assertSays(run(telegram("dsmr-5-0-24")), "voltages: 236.100 V, -, -")
        self.assertSays(run(telegram("warmtelink")), "heat at 2024-09-06T19:48:20+02:00: 208.307 GJ")

    def test_devices_of_unknown_types(self) -> None:
        """A position of which nobody can say what it measures is shown, and counted as not understood."""
        line = "0-1:24.2.1(240402115500S)(00001.000*m3)"
        self.assertSays(
            run(signed(body(VERSION, CLOCK, *ENERGY, "0-1:24.1.0(008)", line))),
            "device 1, type: 8, not known",
            "Lines that are not understood: 1",
            f"of them {line}: the device's type is not known, or has another unit",
        )

    def test_dialects(self) -> None:
        """The dialect is told, with what only that one prints, and how many lines are not understood."""
        self.assertSays(
            run(telegram("be-emucs-50217-02")),
            "Dialect: eMUCS 50217",
            "demand now, to the client: 0.052 kW",
            "highest quarter of this month: 3.064 kW, 2023-11-02T11:45:00+01:00",
            "past months: 0.000 kW, time not set, month that ended 2023-08-01T00:00:00+02:00; 1.862 kW, 2023-08",
            "device 1, position, not converted to a standard temperature: 92.287 m³, 2023-11-02T12:10:02+01:00",
            "water at 2023-11-02T12:15:32+01:00: 8.579 m³",
            "peak of 2023-08: 1.862 kW at 2023-08-31T18:15:00+02:00",
            "peak of 2023-11: 3.064 kW at 2023-11-02T11:45:00+01:00",
        )
        self.assertSays(
            run(telegram("hu-eon-mvm-00")),
            "Dialect: Hungary",
            "past months: month that ended 2023-07-01T00:00:00+02:00: 40.777 kWh, 8.950 kWh",
            "power factor: 4.556",
            "meter: 383930303837373532343130383233",
        )
        self.assertSays(
            run(telegram("lu-smarty-04")), "limits of the current, to and by the client: 100.000 A, -100.000 A"
        )
        self.assertSays(run(telegram("lu-smarty-00")), "limit of the power (or current) delivered: 77.376 0-0:96.3.10")
        self.assertSays(run(telegram("ace4000")), "Dialect: ACE4000 Lines that are not understood: 25 Stored would be")
        self.assertNotIn("not understood", run(telegram("dsmr-5-0-46")).output)

    def test_nothing_measured(self) -> None:
        """A telegram with nothing to store is explained as far as it goes, and refused."""
        result = run(telegram("be-emucs-50223-00"), "--crc", "off")
        self.assertEqual(result.exit_code, 1)
        self.assertSays(result, "Dialect: eMUCS 50223 REFUSED: Nothing measurable in it")

    def test_refused(self) -> None:
        """A telegram with a wrong CRC is refused with both of them, unless told otherwise."""
        data = telegram("dsmr-5-0-38")
        result = run(data)
        self.assertEqual(result.exit_code, 1)
        self.assertSays(result, "REFUSED: CRC given 67B1, computed 3EB0", "--crc off")
        result = run(data, "--crc", "off")
        self.assertEqual(result.exit_code, 0)
        self.assertSays(result, "CRC 67B1, WRONG (computed 3EB0)", "***NO CARIER*** ? unknown")
        result = run(telegram("dsmr-4-2-12"), "--crc", "optional")
        self.assertEqual(result.exit_code, 0)
        self.assertSays(result, "CRC absent (computed 6B8E)")

    def test_refused_among_others(self) -> None:
        """One refused telegram among good ones is enough for exit status 1; the others are shown."""
        result = run(telegram("dsmr-4-2-00") + telegram("dsmr-5-0-38") + telegram("dsmr-5-0-46")[:200])
        self.assertEqual(result.exit_code, 1)
        self.assertEqual((result.output.count("Stored would be:"), result.output.count("REFUSED")), (1, 2))

    def test_unreadable_value(self) -> None:
        """A value that cannot be read is marked in its place, and is the reason of the refusal."""
        body = b"/ISK5\\2M550T-1012\r\n\r\n1-0:1.8.1(xx\x1b[2J.000*kWh)\r\n!"
        result = run(body + b"%04X\r\n" % arc(body))
        self.assertEqual(result.exit_code, 1)
        self.assertSays(
            result, r"1-0:1.8.1(xx\x1b[2J.000*kWh) CANNOT BE READ REFUSED: Line '1-0:1.8.1(xx\x1b[2J.000*kWh)' cannot"
        )

    def test_control_characters(self) -> None:
        """Nothing in a telegram can play with the terminal."""
        lines = (b"1-0:1.8.1(1*kWh)", b"1-3:0.2.8(\x9b2J)", b"0-0:96.13.0(1b5b324a)", b"0-0:96.13.1(zz\x08)")
        body = b"\r\n".join((b"/ISK\x1b]0;\x07", b"", *lines, b"!"))
        result = run(body + b"%04X\r\n" % arc(body))
        self.assertEqual(result.exit_code, 0)
        self.assertTrue(all(character.isprintable() or character == "\n" for character in result.output))
        self.assertSays(result, r"/ISK\x1b]0;\x07", r"version of the P1 port: \x9b2J", "consumer: 1b5b324a", r"zz\x08")

    def test_line_ends(self) -> None:
        """A file whose line ends became LF is understood, and it is said so."""
        data = telegram("dsmr-4-2-00").replace(b"\r\n", b"\n")
        result = run(data)
        self.assertEqual(result.exit_code, 0)
        self.assertSays(result, "The line ends are LF", "CRC 1659, right")
        result = run(data.replace(b"019235", b"019236"))
        self.assertEqual(result.exit_code, 1)
        self.assertNotIn("The line ends are LF", result.output)

    def test_nothing(self) -> None:
        """Bytes without a telegram are an error, too."""
        result = run(b"blablabla\r\n")
        self.assertEqual(result.exit_code, 1)
        self.assertSays(result, "No telegram found")

    def test_zone(self) -> None:
        """Local times are those of the zone that is named."""
        result = run(telegram("dsmr-4-2-00"), "--zone", "Europe/Helsinki")
        self.assertSays(result, "clock: 2022-06-05T19:13:51+03:00")

    def test_help(self) -> None:
        """The help shows an example."""
        result = CliRunner().invoke(parse, ["--help"])
        self.assertIn("    dsmr parse telegram.txt\n", result.output)
