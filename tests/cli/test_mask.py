"""Tests of dsmr_tw.cli.mask: ``dsmr mask`` reads, writes and tells."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from dsmr_tw.cli.__main__ import main
from dsmr_tw.domain.telegram import outcomes_in
from tests.golden_telegrams import FOLDER, bodies, signed, telegram


def run(data: bytes, *options: str) -> Result:
    """What the command prints and returns for these bytes on its standard input."""
    return CliRunner().invoke(main, ["mask", "-", *options], input=data)


class MaskTests(SynchronousTestCase):
    """The command."""

    def test_a_file(self) -> None:
        """A telegram goes to standard output with a made-up id and a right CRC, and the rest is told on the other."""
        result = CliRunner().invoke(main, ["mask", str(FOLDER / "dsmr-4-2-00.txt")])
        self.assertEqual((result.exit_code, result.stderr), (0, "1 telegram masked.\n"))
        self.assertEqual(len(bodies(outcomes_in(result.stdout_bytes))), 1)
        self.assertIn(b"\r\n0-0:96.1.1(4130303030303030303030303030303031)\r\n", result.stdout_bytes)

    def test_several(self) -> None:
        """All telegrams of a stream are written, and what is between them is not."""
        result = run(b"name of the owner\r\n" + telegram("dsmr-4-2-00") * 2 + b"mail@example\r\n")
        self.assertEqual((result.exit_code, result.stderr), (0, "2 telegrams masked.\n"))
        self.assertTrue(result.stdout_bytes.startswith(b"/KFM5KAIFA-METER\r\n"))
        self.assertEqual(len(bodies(outcomes_in(result.stdout_bytes))), 2)
        self.assertNotIn(b"example", result.stdout_bytes)

    def test_line_ends(self) -> None:
        """Line ends that became LF are put back, so that the CRC is right again."""
        data = telegram("dsmr-4-2-00")
        self.assertEqual(run(data.replace(b"\r\n", b"\n")).stdout_bytes, run(data).stdout_bytes)

    def test_to_a_file(self) -> None:
        """With -o a file is made, never written over."""
        path = Path(self.mktemp())
        data = telegram("dsmr-4-2-00")
        result = run(data, "-o", str(path))
        self.assertEqual((result.exit_code, result.stdout_bytes), (0, b""))
        self.assertEqual(path.read_bytes(), run(data).stdout_bytes)
        again = run(telegram("dsmr-5-0-02"), "-o", str(path))
        self.assertEqual(again.exit_code, 1)
        self.assertIn(f"Error: {path} is there already; choose another name.", again.stderr)
        self.assertEqual(path.read_bytes(), run(data).stdout_bytes)
        nowhere = run(data, "-o", f"{path}/x/y")
        self.assertEqual(nowhere.exit_code, 1)
        self.assertIn("y can't be written: ", nowhere.stderr)

    def test_what_to_look_at(self) -> None:
        """Lines that nobody knows are shown once each, without what could play with the terminal, and not too many."""
        lines = b"".join(b"9-9:%d.9.9(\x1b[2J)\r\n" % number for number in range(25))
        data = signed(b"/TST5\\meter\r\n\r\n" + lines + b"!")
        told = run(data * 2).stderr.splitlines()
        self.assertEqual(told[0], r"Not known, left as it is: 9-9:0.9.9(\x1b[2J)")
        self.assertEqual(told[20:], ["… and 5 more lines that are not known.", "2 telegrams masked."])

    def test_what_is_cut_off(self) -> None:
        """A telegram without an end is left out, with the reason, and the exit status says so."""
        result = run(telegram("dsmr-4-2-00") + telegram("dsmr-5-0-02")[:200])
        self.assertEqual(result.exit_code, 1)
        self.assertIn("Left out: Telegram not complete after 20", result.stderr)
        self.assertEqual(len(bodies(outcomes_in(result.stdout_bytes))), 1)

    def test_nothing(self) -> None:
        """Without a telegram nothing is written, and it is said why."""
        path = Path(self.mktemp())
        result = run(b"blablabla\r\n", "-o", str(path))
        self.assertEqual((result.exit_code, result.stdout_bytes, path.exists()), (1, b"", False))
        self.assertIn("No telegram found: none of the lines begins with /", result.stderr)
